//! What data servers and clients are told of the shards: hash ranges and assignments.

mod ranges;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::{
    ClusterConfiguration, ClusterStatus, HashRange, NamespaceStatus, ShardMetadata,
};
use crate::id::ShardId;

pub(crate) use ranges::hash_ranges;

/// A full snapshot of who leads what. Each one takes the place of the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardAssignments {
    /// The assignable shards by namespace, each namespace sorted by shard id.
    pub namespaces: BTreeMap<Arc<str>, Vec<ShardAssignment>>,
    /// Every `:authority` that clients may use, sorted. Data servers refuse all others.
    pub allowed_authorities: BTreeSet<Arc<str>>,
}

/// Who leads one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardAssignment {
    /// The shard.
    pub shard: ShardId,
    /// Its leader's public address verbatim, or "" while it has none.
    pub leader: Arc<str>,
    /// The hashes that it serves.
    pub hash_range: HashRange,
}

impl ShardAssignments {
    /// The assignments that follow from a status document: every shard but those being deleted,
    /// the children of unfinished splits and the parents of finished ones. Authorities are complete: every address of every
    /// server that the configuration or any ensemble names, and the extra ones.
    #[must_use]
    pub fn of(status: &ClusterStatus, configuration: Option<&ClusterConfiguration>) -> Self {
        let mut assignments = Self::default();
        for (name, namespace) in &status.namespaces {
            let shards = namespace
                .shards
                .iter()
                .filter(|(_, shard)| shard.is_assignable() && !is_superseded(shard, namespace))
                .filter_map(|(id, shard)| {
                    Some(ShardAssignment {
                        shard: *id,
                        leader: shard
                            .leader
                            .as_ref()
                            .map_or_else(|| Arc::from(""), |leader| leader.public.clone()),
                        hash_range: shard.int32_hash_range?,
                    })
                })
                .collect();
            assignments.namespaces.insert(name.clone(), shards);
        }
        assignments.allowed_authorities = authorities(status, configuration);
        assignments
    }
}

/// Whether its children serve its hashes: a split that has finished leaves the parent where it was
/// until another write.
fn is_superseded(shard: &ShardMetadata, namespace: &NamespaceStatus) -> bool {
    let Some(split) = &shard.split else {
        return false;
    };
    let children = split.child_shard_ids.iter();
    let mut children = children.map(|child| namespace.shards.get(child));
    !split.child_shard_ids.is_empty()
        && children.all(|child| child.is_some_and(|child| child.is_assignable()))
}

fn authorities(
    status: &ClusterStatus,
    configuration: Option<&ClusterConfiguration>,
) -> BTreeSet<Arc<str>> {
    let members = status
        .shards()
        .flat_map(|(_, _, shard)| shard.ensemble.iter().chain(&shard.removed_nodes));
    let servers = configuration
        .into_iter()
        .flat_map(|configuration| &configuration.servers);
    let extra = configuration
        .into_iter()
        .flat_map(|configuration| &configuration.allow_extra_authorities);
    members
        .chain(servers)
        .flat_map(|server| [&server.public, &server.internal])
        .chain(extra)
        .map(without_scheme)
        .filter(|authority| !authority.is_empty())
        .collect()
}

fn without_scheme(address: &Arc<str>) -> Arc<str> {
    match address.split_once("://") {
        Some((_, rest)) => Arc::from(rest),
        None => address.clone(),
    }
}

#[cfg(test)]
mod tests;
