//! The election by lease, step by step: what one candidate asks for, and when.

mod bench;
mod campaign;
mod hand_over;
mod holding;
mod pace;
mod release;
