//! Tests that need more than one crate.

pub mod contract;
pub mod processes;
pub mod sim;
