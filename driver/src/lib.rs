//! The tokio driver of the coordinator machine.

pub mod cli;
pub mod health;
pub mod observe;
pub mod options;
pub mod servers;
