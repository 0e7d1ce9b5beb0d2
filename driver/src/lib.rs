//! The tokio driver of the coordinator machine.

pub mod bench;
pub mod cli;
pub mod coordinate;
pub mod event_loop;
pub mod health;
pub mod observe;
pub mod options;
pub mod servers;
