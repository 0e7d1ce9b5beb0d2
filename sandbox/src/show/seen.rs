//! What can be seen of a cluster from outside: its status and its metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use stepdown_core::Role;

use super::shards::{Part, SeenShard, parts, see_shards};
use crate::cluster::{Cluster, CoordinatorProcess, Samples, SandboxError, Stamp};

const RUNNING: &str = "oxia_coordinator_node_running";

/// One look at everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) coordinators: Vec<SeenCoordinator>,
    pub(super) servers: Vec<SeenServer>,
    pub(super) shards: Arc<Vec<SeenShard>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenCoordinator {
    pub(super) name: String,
    pub(super) pid: Option<u32>,
    pub(super) paused: bool,
    /// `None` while it doesn't answer.
    pub(super) answer: Option<Answer>,
    /// Its last answer, whether or not it answers now.
    pub(super) known: Option<Answer>,
}

/// What a coordinator's metrics say; counters are those of its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) role: Role,
    pub(super) epoch: u64,
    pub(super) tenure: u64,
    pub(super) counts: Counts,
    /// Whether it finds data servers available, of those it has heard of.
    pub(super) servers: BTreeMap<String, bool>,
}

/// What a coordinator counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) conflicts: u64,
    pub(super) step_downs: u64,
    pub(super) offices: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenServer {
    pub(super) name: String,
    pub(super) pid: Option<u32>,
    /// What the leading coordinator says; `None` while it says nothing.
    pub(super) up: Option<bool>,
    /// What was said last.
    pub(super) known: Option<bool>,
    /// Whether it is to be emptied.
    pub(super) draining: bool,
    pub(super) part: Part,
}

impl Seen {
    /// The index of the coordinator that leads, if just one says so.
    pub(super) fn leader(&self) -> Option<usize> {
        let mut leaders = self
            .coordinators
            .iter()
            .enumerate()
            .filter(|(_, it)| it.leads());
        let (index, _) = leaders.next()?;
        leaders.next().is_none().then_some(index)
    }

    /// The greatest epoch that anybody has led in.
    pub(super) fn epoch(&self) -> u64 {
        let answers = self.coordinators.iter().filter_map(|it| it.answer.as_ref());
        answers.map(|it| it.epoch).max().unwrap_or_default()
    }
}

impl SeenCoordinator {
    pub(super) fn leads(&self) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|it| it.role == Role::Leader)
    }
}

/// Looks at a cluster again and again.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    stamp: Option<Stamp>,
    shards: Arc<Vec<SeenShard>>,
    parts: BTreeMap<Arc<str>, Part>,
    up: BTreeMap<String, bool>,
    known: BTreeMap<u32, Answer>,
}

impl Lookout {
    /// Looks once.
    pub(super) async fn look(&mut self, cluster: &Cluster) -> Result<Seen, SandboxError> {
        let mut coordinators = join_all(cluster.coordinators.iter().map(see_coordinator)).await;
        for coordinator in &mut coordinators {
            if let (Some(pid), Some(answer)) = (coordinator.pid, &coordinator.answer) {
                self.known.insert(pid, answer.clone());
            }
            let pid = coordinator.pid.as_ref();
            coordinator.known = pid.and_then(|pid| self.known.get(pid)).cloned();
        }
        let mut seen = Seen {
            coordinators,
            servers: Vec::new(),
            shards: self.shards(cluster).await?,
        };
        let leader = seen.leader().and_then(|index| seen.coordinators.get(index));
        let leading = leader.and_then(|it| it.answer.as_ref());
        for (index, server) in cluster.data_servers.iter().enumerate() {
            let name = server.process().name().to_owned();
            let up = leading.and_then(|it| it.servers.get(&name)).copied();
            if let Some(up) = up {
                self.up.insert(name.clone(), up);
            }
            seen.servers.push(SeenServer {
                pid: server.process().pid(),
                up,
                known: self.up.get(&name).copied(),
                draining: !cluster.is_listed(index),
                part: self.parts.get(&*name).copied().unwrap_or_default(),
                name,
            });
        }
        Ok(seen)
    }

    /// Reads the status if it is another than before.
    async fn shards(&mut self, cluster: &Cluster) -> Result<Arc<Vec<SeenShard>>, SandboxError> {
        if let Some((stamp, status)) = cluster.changed_status(self.stamp.as_ref()).await? {
            self.shards = Arc::new(see_shards(&status));
            self.parts = parts(&status);
            self.stamp = Some(stamp);
        }
        Ok(self.shards.clone())
    }
}

async fn see_coordinator(coordinator: &CoordinatorProcess) -> SeenCoordinator {
    let process = coordinator.process();
    let (pid, paused) = (process.pid(), process.is_paused());
    let answer = if pid.is_some() && !paused {
        coordinator
            .scrape()
            .await
            .ok()
            .map(|samples| Answer::read(&samples))
    } else {
        None
    };
    SeenCoordinator {
        name: process.name().to_owned(),
        pid,
        paused,
        answer,
        known: None,
    }
}

impl Answer {
    fn read(samples: &Samples) -> Self {
        let moved =
            |labels: &[(&str, &str)]| whole(samples.sum("stepdown_transitions_total", labels));
        let is = |role: &str| samples.sum("stepdown_role", &[("role", role)]) > 0.0;
        Self {
            role: if is("leader") {
                Role::Leader
            } else if is("stepping_down") {
                Role::SteppingDown
            } else {
                Role::Candidate
            },
            epoch: whole(samples.sum("stepdown_epoch", &[])),
            tenure: 1 + moved(&[("to", "candidate")]),
            counts: Counts {
                conflicts: whole(samples.sum("stepdown_conflicts_total", &[])),
                step_downs: moved(&[("from", "leader"), ("to", "stepping_down")]),
                offices: moved(&[("to", "leader")]),
            },
            servers: [0.0, 1.0]
                .into_iter()
                .flat_map(|value| {
                    let names = samples.labels_at(RUNNING, "data_server", value);
                    names.map(move |name| (name.to_owned(), value > 0.0))
                })
                .collect(),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Prometheus knows only floats; these are small counts"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}
