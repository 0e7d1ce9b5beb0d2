//! The tokio driver of the coordinator machine.

pub mod cli;
pub mod options;
