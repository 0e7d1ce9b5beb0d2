//! Which shards are led: the status says so, and the leader says the same of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use stepdown_core::call::{Answer, Call, ReplicaRole};
use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardStatus};
use stepdown_core::{ShardId, Term};
use tokio::time::Instant;

use crate::data_servers::DataServers;

/// When a leader that does not lead yet is asked again. What is measured shares its processors with
/// the questions: 150 shards asked after every 5 ms cost a data server more than their elections do.
const AGAIN: Duration = Duration::from_millis(50);

/// The leaders that have been heard, so that each shard is asked after only until it is led.
#[derive(Default)]
pub(super) struct Led {
    heard: BTreeMap<ShardId, Office>,
    asked: BTreeMap<ShardId, (Office, Instant)>,
}

/// Who leads a shard by the status, and in which term.
type Office = (Arc<str>, Term);

impl Led {
    /// No longer believes what this data server has said.
    pub(super) fn doubt(&mut self, server: &DataServerIdentity) {
        self.heard
            .retain(|_, (leader, _)| *leader != server.internal);
    }

    /// No longer believes what any has said.
    pub(super) fn doubt_all(&mut self) {
        self.heard.clear();
    }

    /// Asks whoever leads by the status and runs, at once who is new there; returns whether every
    /// shard is led.
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
            let Some(leader) = leader else {
                missing += 1;
                continue;
            };
            let office = (leader.internal.clone(), shard.term);
            if self.heard.get(&id) == Some(&office) {
                continue;
            }
            missing += 1;
            if running.contains(&leader.internal) && self.is_due(id, &office) {
                asked.push(async move {
                    let answer = servers.call(leader, Call::GetStatus { shard: id }).await;
                    let leads = matches!(answer, Ok(Answer::Status(it))
                        if it.role == ReplicaRole::Leader && it.term == shard.term);
                    leads.then_some((id, office))
                });
            }
        }
        let heard: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        missing -= heard.len();
        self.heard.extend(heard);
        missing == 0 && !self.heard.is_empty()
    }

    /// Returns whether this leader is to be asked now, and takes it as asked.
    fn is_due(&mut self, shard: ShardId, office: &Office) -> bool {
        let now = Instant::now();
        let last = self.asked.get(&shard);
        let due = last.is_none_or(|(asked, at)| asked != office || now - *at >= AGAIN);
        if due {
            self.asked.insert(shard, (office.clone(), now));
        }
        due
    }
}
