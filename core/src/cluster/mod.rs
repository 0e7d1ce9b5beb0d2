//! The two documents: the cluster's status, which the coordinator writes, and its configuration,
//! which people write. The field names and meanings are Oxia's.

mod configuration;
mod duration;
mod identity;
mod status;
mod yaml;

pub(crate) use configuration::MAX_SHARDS;
pub use configuration::{
    AntiAffinity, AntiAffinityMode, AutoSplit, ClusterConfiguration, ConfigurationError,
    ConfigurationProblems, Coordinator, DataServer, DataServerPatch, EditError, KeySorting,
    LoadBalancer, Namespace, NamespaceRequest,
};
pub use duration::{ParseDurationError, parse_duration};
pub use identity::DataServerIdentity;
pub(crate) use status::size;
pub use status::{
    AcceptLossError, Beginning, Beginnings, BeginningsError, ClusterStatus, HashRange, LastLeader,
    NamespaceStatus, ShardMetadata, ShardStatus, SplitMetadata, SplitPhase, StatusProblem,
};
pub use yaml::DecodeError;

#[cfg(test)]
mod tests;
