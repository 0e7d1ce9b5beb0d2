//! Tests that need more than one crate.

pub mod contract;
pub mod coordinators;
pub mod differential;
pub mod fleet;
pub mod kubernetes;
pub mod oxia;
pub mod processes;
pub mod sim;
mod skipped;
