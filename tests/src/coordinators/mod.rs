//! Coordinators as processes that keep their documents among themselves, and nothing beside them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may fail the test"
)]

mod acknowledged;
mod slow;
mod small;
mod wires;
mod writer;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

pub use acknowledged::Acknowledged;
pub use slow::{SlowDisk, can_be_slow};
pub use small::SmallDisk;
pub use wires::{Wires, is_within};
pub use writer::Writer;

use stepdown_backends::raft::admin::AdminClient;
use stepdown_sandbox::cluster::{CoordinatorProcess, CoordinatorProcessOptions, free_addresses};
use stepdown_wire::raft::StatusResponse;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::fleet::Offices;
use crate::processes::stepdown;

/// What coordinators are to log, for [`Coordinators::end_all`] to look at.
pub const TOLD: [&str; 2] = ["--log-json", "--log-level=debug"];
/// As long as a coordinator may act without an answer of the others.
pub const AUTHORITY: Duration = Duration::from_millis(950);
/// How long anything may take before it counts as hung. Nothing waits for it otherwise.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

/// The name of one.
#[must_use]
pub fn name(index: usize) -> String {
    format!("coordinator-{index}")
}

/// Coordinators, some of which run.
#[derive(Debug)]
pub struct Coordinators {
    dir: TempDir,
    /// Where their nodes are.
    pub addresses: Vec<String>,
    /// The program of each.
    programs: Vec<PathBuf>,
    /// Further flags of each.
    pub words: Vec<OsString>,
    started: Vec<Option<CoordinatorProcess>>,
}

impl Coordinators {
    /// So many that form a cluster, once all are started.
    pub fn new(count: usize) -> Self {
        let addresses = free_addresses(count).expect("free ports");
        let mut addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        addresses.sort();
        let programs = vec![stepdown(); count];
        Self::with(directory(), addresses, programs)
    }

    /// One on each of these hosts.
    pub fn on(wires: &Wires, count: usize) -> Self {
        let dir = directory();
        let addresses = (0..count).map(|index| format!("{}:6651", wires.address(index)));
        let programs = (0..count).map(|index| wires.program(dir.path(), index));
        let (addresses, programs) = (addresses.collect(), programs.collect());
        Self::with(dir, addresses, programs)
    }

    fn with(dir: TempDir, addresses: Vec<String>, programs: Vec<PathBuf>) -> Self {
        Self {
            dir,
            started: programs.iter().map(|_| None).collect(),
            addresses,
            programs,
            words: Vec::new(),
        }
    }

    /// Where one has its node's file.
    pub fn data_dir(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("raft-{index}"))
    }

    /// For the first time.
    pub fn start(&mut self, index: usize) {
        let options = CoordinatorProcessOptions {
            name: name(index),
            program: self.programs[index].clone(),
            dir: self.dir.path().to_path_buf(),
            metadata: serde_json::json!({
                "providerName": "raft",
                "raft": {
                    "address": self.addresses[index],
                    "bootstrapNodes": self.addresses,
                    "dataDir": self.data_dir(index),
                },
            }),
            words: self.words.clone(),
            environment: Vec::new(),
        };
        let started = CoordinatorProcess::start(options).expect("it can be started");
        self.started[index] = Some(started);
    }

    /// One that was started.
    pub fn process(&mut self, index: usize) -> &mut CoordinatorProcess {
        self.started[index].as_mut().expect("it was started")
    }

    /// Kills one, without notice.
    pub fn kill(&mut self, index: usize) {
        let killed = self.process(index).process_mut().kill();
        killed.expect("it can be killed");
    }

    /// Asks one to end, and waits until it has, in order.
    pub async fn end(&mut self, index: usize) {
        let asked = self.process(index).process_mut().terminate();
        asked.expect("it can be asked to end");
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            let ended = self.process(index).process_mut().ended();
            if let Some(status) = ended.expect("it is asked") {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "{index} does not end:\n{}",
                self.log(index)
            );
            sleep(LOOK).await;
        };
        assert!(status.success(), "{status}:\n{}", self.log(index));
    }

    /// Ends all in order, and says how often one was in office. Fails if two were at once, or if a
    /// store is lost that one of them was told to be done.
    pub async fn end_all(mut self, offices: &Offices) -> usize {
        let logs: Vec<_> = (0..self.started.len())
            .map(|it| self.log_file(it))
            .collect();
        let acknowledged = Acknowledged::read(logs.iter().map(PathBuf::as_path));
        let acknowledged = acknowledged.expect("no store is lost");
        let client = self.client();
        let exported = self
            .until("an export", async |_| client.export().await.ok())
            .await;
        let version = exported.status.and_then(|it| it.version);
        let version = version.map_or(0, |it| it.version);
        acknowledged.are_in(version).expect("no store is lost");
        println!(
            "{} stores were acknowledged, and the status is at {version}",
            acknowledged.count()
        );
        assert!(acknowledged.count() > 0, "their logs tell of them");
        for index in 0..self.started.len() {
            self.end(index).await;
        }
        let logs = (0..self.started.len()).map(|index| (name(index), self.log_file(index)));
        let logs: Vec<_> = logs.collect();
        let logs = logs
            .iter()
            .map(|(name, log)| (name.as_str(), log.as_path()));
        let count = offices.check(logs).expect("never two in office at once");
        println!("{count} times in office, never two at once");
        count
    }

    /// Starts one again that was killed, or has ended.
    pub fn restart(&mut self, index: usize) {
        let restarted = self.process(index).process_mut().restart();
        restarted.expect("it can be started again");
    }

    /// What one has said.
    pub fn log(&self, index: usize) -> String {
        fs::read_to_string(self.log_file(index)).unwrap_or_default()
    }

    /// Where one says it.
    #[must_use]
    pub fn log_file(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("{}.log", name(index)))
    }

    /// Waits until this is there; fails if it takes too long, or if one ends unasked.
    pub async fn until<T>(
        &mut self,
        what: &str,
        mut look: impl AsyncFnMut(&mut Self) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            for index in 0..self.started.len() {
                let Some(coordinator) = &mut self.started[index] else {
                    continue;
                };
                if let Some(status) = coordinator.process_mut().ended().expect("it is asked") {
                    panic!("{index} ended unasked ({status}):\n{}", self.log(index));
                }
            }
            if Instant::now() >= deadline {
                let logs = (0..self.started.len()).map(|index| self.log(index));
                panic!(
                    "waited for {what}\n{}",
                    Vec::from_iter(logs).join("\n---\n")
                );
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until one has said this.
    pub async fn until_log(&mut self, index: usize, words: &str) {
        self.until(words, async |it| {
            it.log(index).contains(words).then_some(())
        })
        .await;
    }

    /// The one that leads, once there is just one that says so.
    pub async fn leader(&mut self) -> usize {
        self.leader_but(None).await
    }

    /// The same, of those that are not this one.
    pub async fn leader_but(&mut self, but: Option<usize>) -> usize {
        self.until("one leader", async |it| {
            let client = it.client();
            let mut leaders = Vec::new();
            for (index, coordinator) in it.started.iter().enumerate() {
                if let Some(coordinator) = coordinator
                    && Some(index) != but
                    && coordinator.process().pid().is_some()
                    && let Ok(status) = client.status_of(&it.addresses[index]).await
                    && status.serves
                {
                    leaders.push(index);
                }
            }
            match leaders.as_slice() {
                [one] => Some(*one),
                [] | [..] => None,
            }
        })
        .await
    }

    /// Whoever asks the one that leads.
    #[must_use]
    pub fn client(&self) -> AdminClient {
        AdminClient::new(self.addresses.clone(), None).expect("no TLS")
    }

    /// What the node there says of itself, once `is_so`.
    pub async fn status(
        &mut self,
        index: usize,
        what: &str,
        is_so: impl Fn(&StatusResponse) -> bool,
    ) -> StatusResponse {
        self.until(what, async |it| {
            let status = it.client().status_of(&it.addresses[index]).await.ok()?;
            is_so(&status).then_some(status)
        })
        .await
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}
