//! Whether the replicas of a shard are alike: each has its leader's whole log, by its own account.

use futures_util::future::join_all;
use stepdown_core::call::{Answer, Call, ReplicaStatus};
use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardMetadata};
use stepdown_core::{ShardId, Term};

use crate::data_servers::DataServers;

/// Returns whether all replicas of all shards are alike. In sync they may be long before: to the
/// coordinator that means to have what was committed, which is nothing in a new shard.
pub(super) async fn all_alike(servers: &DataServers, status: &ClusterStatus) -> bool {
    for (_, id, shard) in status.shards() {
        if !are_alike(servers, id, shard).await {
            return false;
        }
    }
    true
}

async fn are_alike(servers: &DataServers, id: ShardId, shard: &ShardMetadata) -> bool {
    let Some(leader) = &shard.leader else {
        return false;
    };
    let asked = shard.ensemble.iter().map(|it| ask(servers, it, id));
    let (asked, leader) = tokio::join!(join_all(asked), ask(servers, leader, id));
    leader.is_some_and(|leader| {
        let has_all = |it: &ReplicaStatus| has_all(it, shard.term, leader.head_offset);
        leader.commit_offset == leader.head_offset
            && asked
                .iter()
                .all(|replica| replica.as_ref().is_some_and(has_all))
    })
}

fn has_all(replica: &ReplicaStatus, term: Term, head: i64) -> bool {
    replica.term == term && replica.head_offset == head
}

async fn ask(
    servers: &DataServers,
    server: &DataServerIdentity,
    shard: ShardId,
) -> Option<ReplicaStatus> {
    match servers.call(server, Call::GetStatus { shard }).await {
        Ok(Answer::Status(status)) => Some(status),
        Ok(_) | Err(_) => None,
    }
}
