//! Carries out rounds. Each begins and ends with a steady cluster.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use tokio::time::sleep;

use super::plan::{Round, Stimulus};
use super::{Fleet, NAMESPACE};
use crate::kubernetes::Stop;
use crate::kubernetes::proxy::{Fault, Kind, Requests, Verb};
use crate::processes::{Ran, run_with, stepdown};

/// More shards would only keep the machine busy.
const NAMESPACES: usize = 6;
const CONFLICTS: &str = "stepdown_conflicts_total";

impl Fleet {
    /// Carries out one round.
    pub async fn carry_out(&mut self, round: &Round) {
        let leader = self.steady().await;
        let epoch = self.onlooker.epoch();
        match round.clone() {
            Round::ApiGone(away) => {
                self.api.stop_api(Stop::Kill).await;
                sleep(away).await;
                self.api.start_api().await;
            }
            Round::ApiPaused(away) => {
                self.api.pause_api();
                sleep(away).await;
                self.api.resume_api();
            }
            Round::EtcdPaused(away) => {
                self.api.pause_etcd();
                sleep(away).await;
                self.api.resume_etcd();
            }
            Round::Ended(stimulus) => {
                self.stimulate(stimulus).await;
                self.end(leader).await;
                self.leader_after(epoch).await;
            }
            Round::Foreign(stimulus, after) => {
                let conflicts = self.metric(leader, CONFLICTS, &[]).await;
                self.stimulate(stimulus).await;
                sleep(after).await;
                let generator = self.documents.write_as_stranger(3).await;
                self.conflict(leader, conflicts).await;
                self.leader_after(epoch).await;
                self.keeps(generator).await;
            }
            Round::Killed(stimulus, after) => {
                self.stimulate(stimulus).await;
                sleep(after).await;
                self.kill(leader);
                self.leader_after(epoch).await;
            }
            Round::Late(kind) => self.deliver_late(leader, kind).await,
            Round::LeaseDeleted(stimulus) => {
                self.stimulate(stimulus).await;
                self.documents.delete_lease().await;
                self.leader_after(epoch).await;
            }
            Round::Paused {
                stimulus,
                after,
                wakes,
            } => {
                self.stimulate(stimulus).await;
                sleep(after).await;
                self.pause(leader);
                self.leader_after(epoch).await;
                if !wakes {
                    self.kill(leader);
                }
            }
            Round::Transferred(stimulus) => {
                self.stimulate(stimulus).await;
                let name = self.process((leader + 1) % 3).name().to_owned();
                let ran = self.transfer(&name, "30s").await;
                if ran.code != Some(0) {
                    self.fail(&format!("no hand-over to {name}: {ran:?}"));
                }
            }
            Round::Trouble {
                stimulus,
                kind,
                times,
                fault,
            } => {
                let writes = Requests::of(kind).verbs(&Verb::WRITES);
                let trouble = self.proxy(leader).strike_next(times, writes, fault);
                self.stimulate(stimulus).await;
                self.until("the trouble to strike", async |_| {
                    (trouble.strikes() > 0).then_some(())
                })
                .await;
            }
        }
        self.mend().await;
        self.steady().await;
    }

    /// Has a write of the leader held until another leads: the API server must refuse it then.
    async fn deliver_late(&mut self, leader: usize, kind: Kind) {
        let epoch = self.onlooker.epoch();
        let writes = Requests::of(kind).verbs(&[Verb::Patch, Verb::Update]);
        let held = self.proxy(leader).strike_next(1, writes, Fault::Hold);
        // Something to write of either kind.
        self.kill_leading_server(0).await;
        self.until("a write to be held", async |_| {
            (held.strikes() > 0).then_some(())
        })
        .await;
        self.pause(leader);
        self.leader_after(epoch).await;
        let delivered = held.deliver().await;
        if delivered.code != 409 {
            self.fail(&format!("a late write was not refused: {delivered:?}"));
        }
    }

    /// Waits until the leader has stepped down for a conflict.
    pub async fn conflict(&mut self, leader: usize, before: f64) {
        self.until("the leader to step down for a conflict", async |fleet| {
            (fleet.metric(leader, CONFLICTS, &[]).await > before).then_some(())
        })
        .await;
    }

    /// Fails if a stranger's write is lost.
    pub async fn keeps(&mut self, generator: i64) {
        let status = self
            .until("the status to be readable", async |fleet| {
                fleet.documents.status().await
            })
            .await;
        if status.shard_id_generator < generator {
            self.fail("what a stranger wrote is lost");
        }
    }

    /// Kills the leader, and writes as a stranger while whoever takes over makes such a request,
    /// which is lost.
    pub async fn kill_and_write_during(&mut self, leader: usize, requests: Requests) -> i64 {
        let others = self.proxies.iter().enumerate();
        let others = others.filter(|(index, _)| *index != leader);
        let held: Vec<_> = others
            .map(|(_, proxy)| proxy.strike_all(requests.clone(), Fault::Hold))
            .collect();
        self.kill(leader);
        self.until("a request to be held", async |_| {
            held.iter().any(|it| it.strikes() > 0).then_some(())
        })
        .await;
        let generator = self.documents.write_as_stranger(3).await;
        for proxy in &self.proxies {
            proxy.clear().await;
        }
        generator
    }

    /// Runs `stepdown transfer`, as an administrator.
    pub async fn transfer(&mut self, name: &str, timeout: &str) -> Ran {
        let kubeconfig = self.administrator();
        let words: Vec<_> = [
            "transfer",
            name,
            "--k8s-namespace",
            NAMESPACE,
            "--timeout",
            timeout,
        ]
        .map(|word| OsStr::new(word).to_owned())
        .into();
        let running = tokio::task::spawn_blocking(move || {
            let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
            run_with(
                &stepdown(),
                &words,
                &[("KUBECONFIG", kubeconfig.as_os_str())],
            )
        });
        running.await.expect("it can be run")
    }

    async fn stimulate(&mut self, stimulus: Stimulus) {
        match stimulus {
            Stimulus::Namespace if self.namespaces() < NAMESPACES => self.add_namespace().await,
            // Every leader has something to write after this.
            Stimulus::Namespace => self.kill_leading_server(0).await,
            Stimulus::None => {}
            Stimulus::Server(index) => self.kill_leading_server(index).await,
        }
    }

    /// Kills a data server, so that there is a leader to write: this one, if it leads a shard that
    /// the others can elect without it, or one that does.
    async fn kill_leading_server(&mut self, preferred: usize) {
        let leaders = self
            .until("a shard that others can lead", async |fleet| {
                let status = fleet.documents.status().await?;
                let shards = status.namespaces.values().flat_map(|it| it.shards.values());
                let replicated = shards.filter(|shard| shard.ensemble.len() > 2);
                let leaders = replicated.filter_map(|shard| shard.leader.as_ref());
                let leaders: BTreeSet<_> = leaders.map(|leader| leader.id().to_string()).collect();
                (!leaders.is_empty()).then_some(leaders)
            })
            .await;
        let count = self.servers.len();
        let leads = |index: &usize| {
            let server = self.servers.get(*index);
            server.is_some_and(|it| leaders.contains(it.process().name()))
        };
        let chosen = (0..count).map(|it| (preferred + it) % count).find(leads);
        self.kill_server(chosen.expect("leaders are data servers of the fleet"));
    }
}
