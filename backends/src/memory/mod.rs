//! Everything in one process's memory: for tests, benches, and trying things out.

mod cluster;
mod configuration;
mod configuration_store;
mod document;
mod fault;
mod leadership;
mod lock;
mod shared;
mod store;
#[cfg(test)]
mod tests;

pub use cluster::MemoryCluster;
pub use fault::{Fault, Late};
