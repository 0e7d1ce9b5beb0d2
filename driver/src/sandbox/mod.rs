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
mod run;
mod script;
mod show;
pub mod status;
mod summary;
mod workload;

pub use cluster::{Cluster, ClusterOptions, NamespaceOptions, configuration, leads};
pub use coordinator::{CoordinatorProcess, CoordinatorProcessOptions};
pub use data_server::{DATA_SERVER_COMMAND, DataServerProcess, DataServerProcessOptions};
pub use error::SandboxError;
pub use metrics::Samples;
pub use orphans::{CHILD_COMMAND, become_child};
pub use ports::free_addresses;
pub use process::{Process, ProcessOptions};
pub use run::{Place, run};
pub use script::{ParseScriptError, Script, Step};
pub use show::ShowOptions;
pub use summary::{Elections, Entries, Gap, Summary};
pub use workload::{LeaderAt, Workload};
