//! The role machine, end to end: what it asks for in every state, and in which order.

mod configuration;
mod every_event;
mod leaving_office;
mod steps;
mod storing;
mod taking_office;
