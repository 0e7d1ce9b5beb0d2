//! Nodes in one process: for tests.

mod cluster;
mod network;

pub use cluster::LocalCluster;

#[cfg(test)]
mod tests;
