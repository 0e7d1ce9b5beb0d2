//! Data servers that lose their disks, or fall silent.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use stepdown_core::{ShardId, Term};
use tokio::time::{Instant, sleep};

use super::{Rig, leaders, stepdown};

const LOOK: Duration = Duration::from_secs(1);
/// Time enough to elect among those that are there.
const AWAY: Duration = Duration::from_secs(5);
/// Writes that every shard acknowledges while a data server misses them.
const WRITES: usize = 5;
const BLOCKED: &str = "stepdown_shard_blocked";
const EMPTIED: &str = "stepdown_data_server_emptied_total";
const IN_SYNC: &str = "stepdown_shard_in_sync";

/// Whether the coordinator goes on meanwhile, or is killed and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinator {
    /// It goes on.
    GoesOn,
    /// It is killed (SIGKILL) once the data server is back, and started again.
    Restarts,
}

impl Rig {
    /// Kills a data server, empties its disk, and starts it again; waits until the coordinator says
    /// that every shard is whole.
    pub async fn replace_disk(&mut self, index: usize, coordinator: Coordinator) {
        let began = Instant::now();
        let before = (self.emptied(index).await, self.terms());
        self.empty_server(index);
        match coordinator {
            Coordinator::GoesOn => {
                // Where every shard is being elected just then, it does not say so.
                let what = "the coordinator to find the disk empty, or to elect every leader anew";
                self.until(what, async |rig| {
                    let is_found = rig.emptied(index).await > before.0;
                    let mut terms = before.1.iter().zip(rig.terms());
                    let all_later = terms.all(|(old, new)| *old < new);
                    (is_found || all_later).then_some(())
                })
                .await;
            }
            Coordinator::Restarts => {
                let restarted = self.coordinator(0).restart();
                self.done(restarted);
            }
        }
        self.whole().await;
        println!(
            "disk {index}, {coordinator:?}: whole after {:.1?}",
            began.elapsed()
        );
    }

    /// Kills a data server, empties its disk, and starts it again at once.
    pub fn empty_server(&mut self, index: usize) {
        self.kill_server(index);
        let server = self.cluster.data_servers.get(index);
        let data = server.expect("there is such a data server").data_dir();
        match fs::remove_dir_all(data) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.fail(&format!("{} can't be emptied: {error}", data.display())),
        }
        self.start_server(index);
    }

    /// Starts a data server again.
    pub fn start_server(&mut self, index: usize) {
        let server = self.cluster.data_servers.get_mut(index);
        let started = server.map(|it| it.process_mut().restart());
        self.done(started.expect("there is such a data server"));
    }

    /// Stops a data server where it is (SIGSTOP) for so long.
    pub async fn silence(&mut self, index: usize, time: Duration) {
        self.pause_server(index);
        sleep(time).await;
        self.resume_server(index);
    }

    /// Has one data server miss entries that the two others acknowledge, then empties the disk of
    /// one of these, and takes the other away for a while: only its disk has them.
    pub async fn leave_one_that_knows(&mut self, behind: usize, emptied: usize, knows: usize) {
        self.kill_server(behind);
        for _ in 0..WRITES {
            self.steady().await;
        }
        self.kill_server(knows);
        self.empty_server(emptied);
        self.start_server(behind);
        sleep(AWAY).await;
        self.start_server(knows);
        self.whole().await;
    }

    /// Takes one data server away for good and empties the disk of another one, so that every shard
    /// is blocked. The third has all that is acknowledged.
    pub async fn block(&mut self, gone: usize, emptied: usize) {
        self.kill_server(gone);
        self.steady().await;
        self.empty_server(emptied);
        self.until("every shard to be blocked", async |rig| {
            let shards = rig.status()?.shards().count();
            let blocked = rig.metric(0, BLOCKED).await;
            u32::try_from(shards)
                .is_ok_and(|it| blocked >= f64::from(it))
                .then_some(())
        })
        .await;
    }

    /// Accepts the loss of every shard by name, while the coordinator is down.
    pub async fn accept_losses(&mut self) {
        let status = self.status().expect("there is a status document");
        self.end_coordinator(0).await;
        for (namespace, id, _) in status.shards() {
            let accepted = Command::new(stepdown())
                .arg("accept-loss")
                .arg("--status-file")
                .arg(self.cluster.status_path())
                .args([&**namespace, &id.to_string()])
                .output()
                .expect("it runs");
            if !accepted.status.success() {
                self.fail(&String::from_utf8_lossy(&accepted.stderr));
            }
        }
        let started = self.coordinator(0).restart();
        self.done(started);
    }

    /// Stops a data server where it is (SIGSTOP).
    pub fn pause_server(&mut self, index: usize) {
        let server = self.cluster.data_servers.get_mut(index);
        let paused = server.map(|it| it.process_mut().pause());
        self.done(paused.expect("there is such a data server"));
    }

    /// Lets it go on (SIGCONT).
    pub fn resume_server(&mut self, index: usize) {
        let server = self.cluster.data_servers.get_mut(index);
        let resumed = server.map(|it| it.process_mut().resume());
        self.done(resumed.expect("there is such a data server"));
    }

    /// Waits until the coordinator says that all replicas of every shard are in sync.
    pub async fn whole(&mut self) {
        self.until("every shard to be whole", async |rig| {
            let status = rig.status()?;
            let coordinator = rig.cluster.coordinators.first()?;
            let samples = coordinator.scrape().await.ok()?;
            let is_whole = |id: ShardId, replicas: usize| {
                let id = id.to_string();
                let in_sync = samples.sum(IN_SYNC, &[("shard", &id)]);
                u32::try_from(replicas).is_ok_and(|it| in_sync >= f64::from(it))
            };
            let mut shards = status.shards();
            let all = shards.all(|(_, id, shard)| is_whole(id, shard.ensemble.len()));
            all.then_some(())
        })
        .await;
    }

    /// Waits until every data server has dropped the first segment of every log.
    pub async fn trimmed(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        while self
            .cluster
            .data_servers
            .iter()
            .any(|it| has_first_segment(&it.data_dir().join("wal")))
        {
            self.check();
            if Instant::now() >= deadline {
                self.fail(&format!("no log was trimmed in {} s", within.as_secs()));
            }
            sleep(LOOK).await;
        }
    }

    /// The data server that leads most shards.
    pub fn leads_most(&self) -> usize {
        let status = self.status().unwrap_or_default();
        let led = leaders(&status);
        let servers = self.cluster.data_servers.iter().enumerate();
        let most = servers.max_by_key(|(_, server)| {
            let address = server.public().to_string();
            led.iter()
                .filter(|it| it.address.as_deref() == Some(&*address))
                .count()
        });
        most.map_or(0, |(index, _)| index)
    }

    fn terms(&self) -> Vec<Term> {
        let status = self.status().unwrap_or_default();
        status.shards().map(|(_, _, shard)| shard.term).collect()
    }

    async fn emptied(&self, index: usize) -> f64 {
        let name = format!("server-{}", index + 1);
        match self.cluster.coordinators.first() {
            Some(it) => it.scrape().await.map_or(0.0, |samples| {
                samples.sum(EMPTIED, &[("data_server", &name)])
            }),
            None => 0.0,
        }
    }
}

/// Whether a segment that begins at 0 is in this directory, or in one below.
fn has_first_segment(wal: &Path) -> bool {
    let entries = fs::read_dir(wal).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        let is_first = path.file_stem().is_some_and(|it| it == "0");
        is_first || (path.is_dir() && has_first_segment(&path))
    })
}
