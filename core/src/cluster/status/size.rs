//! About how many bytes a status takes when written as YAML; close enough to pace stores by.

use std::sync::Arc;

use super::{ClusterStatus, LastLeader, NamespaceStatus, ShardMetadata};
use crate::cluster::DataServerIdentity;

impl ClusterStatus {
    /// About how many bytes the document takes when it is written, without writing it.
    pub fn estimated_bytes(&self) -> u64 {
        of_status(self)
    }
}

pub(crate) fn of_status(status: &ClusterStatus) -> u64 {
    let namespaces = status.namespaces.iter();
    200 + namespaces
        .map(|(name, namespace)| of_namespace(name, namespace))
        .sum::<u64>()
}

pub(crate) fn of_namespace(name: &str, namespace: &NamespaceStatus) -> u64 {
    60 + length(name) + namespace.shards.values().map(of_shard).sum::<u64>()
}

pub(crate) fn of_shard(shard: &Arc<ShardMetadata>) -> u64 {
    let servers = shard
        .leader
        .iter()
        .chain(&shard.ensemble)
        .chain(&shard.removed_nodes)
        .chain(&shard.pending_delete_shard_nodes);
    180 + servers.map(of_server).sum::<u64>()
        + shard.split.as_ref().map_or(0, |_| 300)
        + of_beginnings(shard)
        + shard.last_leader.as_ref().map_or(0, of_last_leader)
        + shard.loss_accepted.map_or(0, |_| 40)
}

fn of_last_leader(last: &LastLeader) -> u64 {
    130 + last.server.as_ref().map_or(0, |server| length(&server.0))
}

fn of_beginnings(shard: &ShardMetadata) -> u64 {
    let text = shard.beginnings.to_string();
    if text.is_empty() {
        0
    } else {
        25 + length(&text)
    }
}

pub(super) fn of_server(server: &DataServerIdentity) -> u64 {
    let name = server.name.as_deref().unwrap_or_default();
    90 + length(name) + length(&server.public) + length(&server.internal)
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
