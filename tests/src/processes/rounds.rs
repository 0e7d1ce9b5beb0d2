//! Carries out rounds. Each begins and ends with a steady cluster.

use std::fs;
use std::time::Duration;

use stepdown_core::Epoch;
use tokio::time::{Instant, sleep};

use super::{Afterwards, FirstLineIs, LIMIT, Phase, Rig, Round, Stimulus};

/// Enough for each candidate to have tried the lock many times.
const ATTEMPTS: u64 = 20;
/// More shards would only keep the machine busy.
const NAMESPACES: usize = 6;

impl Rig {
    /// Carries out one round.
    pub async fn carry_out(&mut self, round: Round) {
        match round {
            Round::Kill {
                stimulus,
                after,
                successor,
            } => {
                self.kill_leader(stimulus, after, successor).await;
            }
            Round::Stop {
                stimulus,
                after,
                then,
            } => self.stop_leader(stimulus, after, then).await,
            Round::Foreign {
                phase,
                after,
                line,
                skipped,
            } => {
                self.write_in(phase, after, line, skipped).await;
            }
        }
        self.mend();
        self.steady().await;
    }

    async fn kill_leader(&mut self, stimulus: Stimulus, after: Duration, successor: bool) {
        let leader = self.steady().await;
        self.stimulate(stimulus);
        sleep(after).await;
        let epoch = self.onlooker.epoch();
        self.kill_coordinator(leader);
        let next = self.leader_after(epoch).await;
        if successor {
            let epoch = self.onlooker.epoch();
            self.kill_coordinator(next);
            self.leader_after(epoch).await;
        }
    }

    async fn stop_leader(&mut self, stimulus: Stimulus, after: Duration, then: Afterwards) {
        let leader = self.steady().await;
        self.stimulate(stimulus);
        sleep(after).await;
        self.pause_coordinator(leader).await;
        let document = self.document();
        let epoch = self.onlooker.epoch();
        let attempts = self.onlooker.attempts() + ATTEMPTS;
        self.until("the others to try the lock again and again", async |rig| {
            if rig.somebody_leads().await {
                rig.fail("another leads while the leader is paused");
            }
            (rig.onlooker.attempts() >= attempts).then_some(())
        })
        .await;
        if self.document() != document {
            self.fail("the status file was written while its leader was paused");
        }
        match then {
            Afterwards::Wakes => {
                let resumed = self.coordinator(leader).resume();
                self.done(resumed);
            }
            Afterwards::Dies => {
                self.kill_coordinator(leader);
                self.leader_after(epoch).await;
            }
        }
    }

    async fn write_in(&mut self, phase: Phase, after: Duration, line: FirstLineIs, skipped: i64) {
        let leader = self.steady().await;
        let conflicts = self.metric(leader, CONFLICTS).await;
        let epoch = self.onlooker.epoch();
        match phase {
            Phase::Load => {
                self.kill_coordinator(leader);
                sleep(after).await;
            }
            Phase::Fencing => {
                self.kill_coordinator(leader);
                self.until("another coordinator's first write", async |rig| {
                    (rig.onlooker.epoch() > epoch).then_some(())
                })
                .await;
            }
            Phase::Election(server) => {
                self.kill_server(server);
                sleep(after).await;
            }
            Phase::Idle => {}
        }
        let written = self.write_as_stranger(line, skipped).await;
        self.leader_after(written.epoch).await;
        let kept = self
            .status()
            .is_some_and(|it| it.shard_id_generator >= written.generator);
        if !kept {
            self.fail(&format!("what the stranger wrote is lost: {written:?}"));
        }
        match phase {
            Phase::Load | Phase::Fencing => {}
            Phase::Election(_) | Phase::Idle => {
                if self.metric(leader, CONFLICTS).await < conflicts + 1.0 {
                    self.fail("the leader has not stepped down for a conflict");
                }
            }
        }
    }

    fn stimulate(&mut self, stimulus: Stimulus) {
        match stimulus {
            Stimulus::Namespace if self.namespaces() < NAMESPACES => self.add_namespace(),
            Stimulus::Namespace | Stimulus::None => {}
            Stimulus::Server(index) => self.kill_server(index),
        }
    }

    /// Waits until a coordinator leads in a later epoch; returns its index.
    async fn leader_after(&mut self, epoch: Epoch) -> usize {
        let what = format!("a coordinator to lead in an epoch after {epoch}");
        self.until(&what, async |rig| {
            if rig.onlooker.epoch() <= epoch {
                return None;
            }
            rig.cluster.leader().await
        })
        .await
    }

    fn document(&self) -> String {
        fs::read_to_string(self.cluster.status_path()).expect("there is a status file")
    }

    /// Pauses every coordinator that runs.
    pub(super) async fn pause_coordinators(&mut self) {
        for index in 0..self.cluster.coordinators.len() {
            if self.coordinator(index).pid().is_some() {
                self.pause_coordinator(index).await;
            }
        }
    }

    /// Lets all go on.
    pub(super) fn resume_coordinators(&mut self) {
        for index in 0..self.cluster.coordinators.len() {
            if self.coordinator(index).is_paused() {
                let resumed = self.coordinator(index).resume();
                self.done(resumed);
            }
        }
    }

    /// Pauses a coordinator, and waits until the last of its threads has stopped.
    async fn pause_coordinator(&mut self, index: usize) {
        let paused = self.coordinator(index).pause();
        self.done(paused);
        let pid = self.coordinator(index).pid().unwrap_or_default();
        let deadline = Instant::now() + LIMIT;
        while !is_stopped(pid) {
            if Instant::now() >= deadline {
                self.fail(&format!("process {pid} does not stop"));
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
}

const CONFLICTS: &str = "stepdown_conflicts_total";

fn is_stopped(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    threads.flatten().all(|thread| {
        // A thread that has ended since writes nothing either.
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        matches!(state, None | Some('T' | 'Z' | 'X'))
    })
}
