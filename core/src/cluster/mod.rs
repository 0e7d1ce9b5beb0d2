//! The two documents: the cluster's status, which the coordinator writes, and its configuration,
//! which people write. The field names and meanings are Oxia's.

mod configuration;
mod identity;
mod status;

pub use configuration::{
    AntiAffinity, AntiAffinityMode, AutoSplit, ClusterConfiguration, Coordinator, KeySorting,
    LoadBalancer, Namespace,
};
pub use identity::DataServerIdentity;
pub use status::{
    ClusterStatus, HashRange, NamespaceStatus, ShardMetadata, ShardStatus, SplitMetadata,
    SplitPhase,
};
