//! Changes of the configuration document that an admin asks for: pure functions, each of which makes
//! its change as a whole or not at all. Whether the document is one that can be put in force afterwards
//! is judged apart, as of any document.

mod bounds;
mod error;
mod namespace;
mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::identity::DataServerIdentity;

pub use error::EditError;

/// A data server with its labels, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataServer {
    /// Its name and addresses.
    pub identity: DataServerIdentity,
    /// Its labels, for anti-affinity.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
}

/// What is asked to be changed of a data server. What is empty stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataServerPatch {
    /// Its name, or its internal address where it has none.
    pub id: String,
    /// Its new public address.
    pub public: String,
    /// Its new internal address.
    pub internal: String,
    /// All its labels from now on.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
}

/// A namespace as it is asked for, which may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceRequest {
    /// Its name.
    pub name: String,
    /// How many shards it is created with; 0 where that is not said.
    pub initial_shard_count: u32,
    /// How many servers replicate each shard; 0 where that is not said.
    pub replication_factor: u32,
    /// Whether clients may subscribe to changes, where that is said.
    pub notifications_enabled: Option<bool>,
    /// How keys are sorted; empty where that is not said.
    pub key_sorting: String,
    /// Whether rules about its servers come with it, which no request may.
    pub has_anti_affinities: bool,
}
