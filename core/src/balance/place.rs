//! Places all shards of a new namespace, or none.

use super::load::Load;
use super::select::{EnsembleSelector, SelectionError};
use crate::cluster::{ClusterConfiguration, ClusterStatus, DataServerIdentity, Namespace};
use crate::id::ShardId;

/// Where the shards of a new namespace go: on the servers of a configuration, by the load that a
/// status puts on them.
#[derive(Clone, Debug)]
pub(crate) struct Placement<'a> {
    configuration: &'a ClusterConfiguration,
    load: Load,
}

impl<'a> Placement<'a> {
    /// Counts the load once, however many shards are placed then.
    pub(crate) fn new(configuration: &'a ClusterConfiguration, status: &ClusterStatus) -> Self {
        Self {
            configuration,
            load: Load::of(status),
        }
    }

    /// An ensemble for each of `shards`, in their order, names filled in. Each shard sees the load
    /// of those before it; if one can't be placed, none is.
    pub(crate) fn place_namespace(
        self,
        namespace: &Namespace,
        shards: &[ShardId],
    ) -> Result<Vec<Vec<DataServerIdentity>>, SelectionError> {
        let mut selector = EnsembleSelector::new(
            &self.configuration.servers,
            &self.configuration.server_metadata,
            namespace,
            &self.load,
        );
        shards.iter().map(|shard| selector.select(*shard)).collect()
    }
}
