//! Asks real data servers, all the time, what they do for each shard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use stepdown::data_servers::{CallOptions, DataServers};
use stepdown_core::ShardId;
use stepdown_core::call::{Answer, Call, ReplicaRole, ReplicaStatus};
use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardStatus};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use super::gaps::{Gaps, Longest};

const EVERY: Duration = Duration::from_millis(40);
const DEADLINE: Duration = Duration::from_secs(1);

/// A running probe; dropping it ends it.
#[derive(Debug)]
pub struct Probe {
    shards: BTreeSet<ShardId>,
    seen: Arc<Mutex<Seen>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Seen {
    gaps: Gaps,
    /// By internal address.
    newest: BTreeMap<(Arc<str>, ShardId), ReplicaStatus>,
}

impl Probe {
    /// Begins to ask these servers, in the cluster's name, about the shards that it has now.
    pub fn start(status: &ClusterStatus, servers: &[DataServerIdentity]) -> Self {
        let options = CallOptions {
            deadline: DEADLINE,
            dial_deadline: DEADLINE,
            ..CallOptions::default()
        };
        let clients = DataServers::new(options, Arc::clone(&status.instance_id));
        let clients = clients.expect("an instance id can be a header");
        let shards: BTreeSet<_> = status.shards().map(|(_, id, _)| id).collect();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut tasks = JoinSet::new();
        for server in servers {
            let (clients, server) = (clients.clone(), server.clone());
            tasks.spawn(ask(clients, server, shards.clone(), Arc::clone(&seen)));
        }
        Self {
            shards,
            seen,
            _tasks: tasks,
        }
    }

    /// Forgets the gaps that have ended.
    pub fn begin(&self) {
        locked(&self.seen).gaps.begin();
    }

    /// The longest gaps since.
    pub fn longest(&self) -> Longest {
        locked(&self.seen).gaps.longest(Instant::now())
    }

    /// Whether a data server has not answered lately.
    pub(crate) fn is_silent(&self, server: &DataServerIdentity) -> bool {
        let seen = locked(&self.seen);
        !seen.newest.keys().any(|(it, _)| *it == server.internal)
    }

    /// Whether, of each shard that is probed, every member of the ensemble does what the document
    /// says: it leads or follows, in that term.
    pub(crate) fn is_in_place(&self, status: &ClusterStatus) -> bool {
        let seen = locked(&self.seen);
        let mut probed = status.shards().filter(|it| self.shards.contains(&it.1));
        probed.all(|(_, id, shard)| {
            let Some(leader) = &shard.leader else {
                return false;
            };
            shard.status == ShardStatus::SteadyState
                && shard.ensemble.iter().all(|member| {
                    let known = seen.newest.get(&(Arc::clone(&member.internal), id));
                    let role = match member.internal == leader.internal {
                        true => ReplicaRole::Leader,
                        false => ReplicaRole::Follower,
                    };
                    known.is_some_and(|it| it.term == shard.term && it.role == role)
                })
        })
    }
}

async fn ask(
    clients: DataServers,
    server: DataServerIdentity,
    shards: BTreeSet<ShardId>,
    seen: Arc<Mutex<Seen>>,
) {
    let mut ticks = interval(EVERY);
    loop {
        ticks.tick().await;
        let sent = Instant::now();
        let asked = shards.iter().map(async |&shard| {
            let answer = clients.call(&server, Call::GetStatus { shard }).await;
            let mut seen = locked(&seen);
            let place = (Arc::clone(&server.internal), shard);
            if let Ok(Answer::Status(status)) = answer {
                seen.gaps.take(shard, status, sent, Instant::now());
                seen.newest.insert(place, status);
            } else {
                seen.newest.remove(&place);
            }
        });
        join_all(asked).await;
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
