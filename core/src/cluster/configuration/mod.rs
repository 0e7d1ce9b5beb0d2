//! The configuration document: what the operator wants.

mod decode;
mod document;
mod edit;
mod encode;
mod validate;

pub use document::{
    AntiAffinity, AntiAffinityMode, AutoSplit, ClusterConfiguration, Coordinator, KeySorting,
    LoadBalancer, Namespace,
};
pub use edit::{DataServer, DataServerPatch, EditError, NamespaceRequest};
pub(crate) use validate::MAX_SHARDS;
pub use validate::{ConfigurationError, ConfigurationProblems};
