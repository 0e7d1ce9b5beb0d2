//! `stepdown sandbox`: a cluster on this machine, made of real processes, to watch and to hurt.
//!
//! [`Cluster`] starts, hurts and asks the processes, for the show and for tests alike.

mod cluster;
mod coordinator;
mod data_server;
mod error;
pub mod metrics;
mod orphans;
mod ports;
mod process;
pub mod status;

pub use cluster::{Cluster, ClusterOptions, NamespaceOptions, leads};
pub use coordinator::{CoordinatorProcess, CoordinatorProcessOptions};
pub use data_server::{
    DATA_SERVER_COMMAND, DataServerProcess, DataServerProcessOptions, ServeError, serve_data,
};
pub use error::SandboxError;
pub use metrics::Samples;
pub use orphans::{CHILD_COMMAND, become_child};
pub use ports::free_addresses;
pub use process::{Process, ProcessOptions};
