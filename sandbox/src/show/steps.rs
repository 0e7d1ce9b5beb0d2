//! The steps of a script, and what each must lead to.

use std::time::Duration;

use stepdown_core::ShardId;
use tokio::time::Instant;

use super::operation::Operation;
use super::script::Step;
use super::state::{Show, shards};
use super::watch::{Halt, wanted};
use crate::cluster::SandboxError;

/// How long a paused leader is paused.
const PAUSE: Duration = Duration::from_secs(3);

impl Show {
    /// Does one step, and waits until it has had its effect.
    pub(super) async fn perform(&mut self, step: Step) -> Result<(), Halt> {
        self.tell(&format!("step {step}"));
        match step {
            Step::Conflict => self.provoke_conflict().await,
            Step::KillDataServer => self.lose_data_server().await,
            Step::KillLeader => self.lose_leader().await,
            Step::Operate(operation) => self.operate(operation).await,
            Step::PauseLeader => self.pause_leader().await,
            Step::Wait(time) => self.look_on(time).await,
        }
    }

    /// The leader must step down, in the same process, and somebody must lead after it.
    async fn provoke_conflict(&mut self) -> Result<(), Halt> {
        let Some(index) = self.seen.leader() else {
            return Ok(());
        };
        let epoch = self.seen.epoch();
        let before = self.seen.coordinators.get(index).cloned();
        self.conflict().await?;
        let pid = before.as_ref().and_then(|it| it.pid);
        let counts = before
            .and_then(|it| it.answer)
            .map(|it| it.counts)
            .unwrap_or_default();
        self.wait(move |show| {
            let now = show.seen.coordinators.get(index)?;
            let stepped_down = now.pid == pid
                && now.answer.as_ref().is_some_and(|it| {
                    it.counts.conflicts > counts.conflicts
                        && it.counts.step_downs > counts.step_downs
                });
            if stepped_down {
                new_leader(show, epoch)
            } else {
                Some(format!(
                    "{} to meet the conflict and to step down",
                    now.name
                ))
            }
        })
        .await
    }

    async fn lose_leader(&mut self) -> Result<(), Halt> {
        let epoch = self.seen.epoch();
        self.kill_leader()?;
        self.wait(|show| new_leader(show, epoch)).await
    }

    /// Every shard that it led must get a leader in a newer term.
    async fn lose_data_server(&mut self) -> Result<(), Halt> {
        let Some(name) = self.kill_data_server()? else {
            return Ok(());
        };
        let led = |leader: &Option<(std::sync::Arc<str>, _)>| {
            leader.as_ref().is_some_and(|(leader, _)| **leader == *name)
        };
        let shards = self.seen.shards.iter();
        let terms: Vec<(ShardId, i64)> = shards
            .filter(|it| led(&it.leader))
            .map(|it| (it.id, it.term))
            .collect();
        self.wait(|show| {
            let old = |(shard, term): &&(ShardId, i64)| {
                show.seen
                    .shards
                    .iter()
                    .any(|it| it.id == *shard && it.term <= *term)
            };
            match terms.iter().filter(old).count() {
                0 => None,
                left => Some(format!("elections of {left} shards that {name} led")),
            }
        })
        .await
    }

    async fn operate(&mut self, operation: Operation) -> Result<(), Halt> {
        self.begin(operation)?;
        self.wait(Self::left).await
    }

    /// A paused coordinator keeps the lock, so nobody else may lead, unless they elect one another;
    /// shards go on without.
    async fn pause_leader(&mut self) -> Result<(), Halt> {
        let Some(index) = self.seen.leader() else {
            return Ok(());
        };
        self.pause(index, true)?;
        let paused = Instant::now();
        self.look_on(PAUSE).await?;
        if !self.cluster.follows_paused_leaders()
            && let Some(one) = self
                .seen
                .leader()
                .and_then(|it| self.seen.coordinators.get(it))
        {
            let other = self.seen.coordinators.get(index);
            return Err(Halt::Failed(SandboxError::TwoLeaders {
                one: one.name.clone(),
                other: other.map(|it| it.name.clone()).unwrap_or_default(),
            }));
        }
        let silent = self.workload.silent_since(paused);
        if !silent.is_empty() {
            self.tell(&format!("meanwhile silent: {}", silent.join(", ")));
        }
        self.pause(index, false)?;
        Ok(())
    }

    async fn look_on(&mut self, time: Duration) -> Result<(), Halt> {
        let ends = Instant::now() + time;
        while Instant::now() < ends {
            self.tick().await?;
        }
        Ok(())
    }

    /// Waits until somebody leads, every process runs, and every shard has acknowledged a write
    /// that was sent after now.
    pub(super) async fn steady(&mut self) -> Result<(), Halt> {
        let since = Instant::now();
        self.wait(move |show| show.missing(since)).await
    }

    fn missing(&self, since: Instant) -> Option<String> {
        let seen = &self.seen;
        if let Some(mute) = seen.coordinators.iter().find(|it| it.answer.is_none()) {
            return Some(format!("{} to answer at /metrics", mute.name));
        }
        if seen.leader().is_none() {
            return Some("a coordinator to lead".to_owned());
        }
        let mut stay = seen.servers.iter().filter(|it| !it.draining);
        if let Some(down) = stay.find(|it| it.up != Some(true)) {
            return Some(format!("the leader to find {} available", down.name));
        }
        let wanted = || wanted(seen, &self.namespaces);
        let (have, want) = (wanted().count(), shards(&self.namespaces));
        if have < want {
            return Some(format!("shards to be made: there are {have} of {want}"));
        }
        let leaderless = wanted().filter(|it| it.leader.is_none()).count();
        if leaderless > 0 {
            return Some(format!("leaders of {leaderless} of {have} shards"));
        }
        let silent = self.workload.silent_since(since);
        let first = silent.first()?;
        let many = silent.len();
        Some(format!(
            "{many} of {have} shards to acknowledge a write, such as {first}"
        ))
    }
}

fn new_leader(show: &Show, epoch: u64) -> Option<String> {
    let leader = show
        .seen
        .leader()
        .and_then(|it| show.seen.coordinators.get(it));
    let leads = leader
        .and_then(|it| it.answer.as_ref())
        .is_some_and(|it| it.epoch > epoch);
    (!leads).then(|| format!("a coordinator to lead after epoch {epoch}"))
}
