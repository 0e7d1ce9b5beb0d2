//! Which shards are led: the status says so, and the leader says the same of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use stepdown_core::call::{Answer, Call, ReplicaRole};
use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardStatus};
use stepdown_core::{ShardId, Term};

use crate::data_servers::DataServers;

/// The leaders that have been heard, so that each shard is asked after only until it is led.
#[derive(Default)]
pub(super) struct Led(BTreeMap<ShardId, (Arc<str>, Term)>);

impl Led {
    /// No longer believes what this data server has said.
    pub(super) fn doubt(&mut self, server: &DataServerIdentity) {
        self.0.retain(|_, (leader, _)| *leader != server.internal);
    }

    /// No longer believes what any has said.
    pub(super) fn doubt_all(&mut self) {
        self.0.clear();
    }

    /// Asks whoever leads by the status and runs; returns whether every shard is led.
    pub(super) async fn ask(
        &mut self,
        servers: &DataServers,
        running: &BTreeSet<Arc<str>>,
        status: &ClusterStatus,
    ) -> bool {
        let mut missing = 0;
        let mut asked = Vec::new();
        for (_, id, shard) in status.shards() {
            let leader = shard
                .leader
                .as_ref()
                .filter(|_| shard.status == ShardStatus::SteadyState);
            let heard = self.0.get(&id);
            if let Some(leader) = leader
                && heard.is_some_and(|heard| *heard == (leader.internal.clone(), shard.term))
            {
                continue;
            }
            missing += 1;
            if let Some(leader) = leader.filter(|it| running.contains(&it.internal)) {
                asked.push(async move {
                    let answer = servers.call(leader, Call::GetStatus { shard: id }).await;
                    let leads = matches!(answer, Ok(Answer::Status(it))
                        if it.role == ReplicaRole::Leader && it.term == shard.term);
                    leads.then(|| (id, (leader.internal.clone(), shard.term)))
                });
            }
        }
        let heard: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        missing -= heard.len();
        self.0.extend(heard);
        missing == 0 && !self.0.is_empty()
    }
}
