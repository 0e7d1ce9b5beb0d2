//! Places all shards of a new namespace, or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::load::Load;
use super::select::{EnsembleSelector, SelectionError};
use crate::assign::hash_ranges;
use crate::cluster::{
    Beginnings, ClusterConfiguration, ClusterStatus, DataServerIdentity, Namespace,
    NamespaceStatus, ShardMetadata, ShardStatus,
};
use crate::id::{ShardId, Term};

/// Why a namespace can't be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error(transparent)]
    Ensemble(#[from] SelectionError),
    #[error("shard ids are exhausted")]
    NoIds,
    #[error("it can't have {0} shards")]
    ShardCount(u32),
}

/// A new namespace beside what is there, and the next shard id after its own.
pub(crate) fn placed(
    namespace: &Namespace,
    configuration: &ClusterConfiguration,
    working: &ClusterStatus,
) -> Result<(NamespaceStatus, i64), PlaceError> {
    let ranges = hash_ranges(namespace.initial_shard_count)
        .ok_or(PlaceError::ShardCount(namespace.initial_shard_count))?;
    let first = working.shard_id_generator;
    let next_id = i64::from(namespace.initial_shard_count)
        .checked_add(first)
        .ok_or(PlaceError::NoIds)?;
    let ids: Vec<ShardId> = (first..next_id).map(ShardId).collect();
    let ensembles = Placement::new(configuration, working).place_namespace(namespace, &ids)?;
    let shards: BTreeMap<ShardId, Arc<ShardMetadata>> = ids
        .into_iter()
        .zip(ranges)
        .zip(ensembles)
        .map(|((id, range), ensemble)| {
            // The creation and the first election are one change.
            let shard = ShardMetadata {
                status: ShardStatus::Election,
                term: Term(0),
                ensemble,
                int32_hash_range: Some(range),
                beginnings: Beginnings::of_new(),
                ..ShardMetadata::default()
            };
            (id, Arc::new(shard))
        })
        .collect();
    let replication_factor = namespace.replication_factor;
    Ok((
        NamespaceStatus {
            replication_factor,
            shards,
        },
        next_id,
    ))
}

/// Where the shards of a new namespace go: on the servers of a configuration, by the load that a
/// status puts on them.
#[derive(Clone, Debug)]
pub(super) struct Placement<'a> {
    configuration: &'a ClusterConfiguration,
    load: Load,
}

impl<'a> Placement<'a> {
    /// Counts the load once, however many shards are placed then.
    pub(super) fn new(configuration: &'a ClusterConfiguration, status: &ClusterStatus) -> Self {
        Self {
            configuration,
            load: Load::of(status),
        }
    }

    /// An ensemble for each of `shards`, in their order, names filled in. Each shard sees the load
    /// of those before it; if one can't be placed, none is.
    pub(super) fn place_namespace(
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
