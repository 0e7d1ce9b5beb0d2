//! About how large a document would be as text.

use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardMetadata};

const PER_SHARD: usize = 160;
const PER_SERVER: usize = 40;

pub(super) fn estimated_bytes(status: &ClusterStatus) -> u64 {
    let shards: usize = status
        .shards()
        .map(|(_, _, shard)| shard_bytes(shard))
        .sum();
    let names: usize = status.namespaces.keys().map(|name| name.len() + 60).sum();
    u64::try_from(100 + names + shards).unwrap_or(u64::MAX)
}

fn shard_bytes(shard: &ShardMetadata) -> usize {
    let servers = shard
        .leader
        .iter()
        .chain(&shard.ensemble)
        .chain(&shard.removed_nodes)
        .chain(&shard.pending_delete_shard_nodes);
    PER_SHARD + servers.map(server_bytes).sum::<usize>()
}

fn server_bytes(server: &DataServerIdentity) -> usize {
    let name = server.name.as_ref().map_or(0, |name| name.len());
    PER_SERVER + name + server.public.len() + server.internal.len()
}
