//! Coordinators as processes that keep their documents among themselves.
#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may fail the test"
)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use stepdown_backends::raft::admin::AdminClient;
use stepdown_sandbox::cluster::{
    CoordinatorProcess, CoordinatorProcessOptions, free_addresses, leads,
};
use stepdown_tests::processes::stepdown;
use stepdown_wire::raft::{AddRequest, StatusResponse};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// One cluster at a time: all want the same processors.
static TURN: Mutex<()> = Mutex::const_new(());
/// How long anything may take before it counts as hung. Nothing waits for it otherwise.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

/// Coordinators, some of which run.
struct Coordinators {
    dir: TempDir,
    addresses: Vec<String>,
    started: Vec<Option<CoordinatorProcess>>,
}

impl Coordinators {
    fn new(count: usize) -> Self {
        let addresses = free_addresses(count).expect("free ports");
        let mut addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        addresses.sort();
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
            addresses,
            started: (0..count).map(|_| None).collect(),
        }
    }

    fn data_dir(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("raft-{index}"))
    }

    /// For the first time.
    fn start(&mut self, index: usize) {
        let options = CoordinatorProcessOptions {
            name: format!("coordinator-{index}"),
            program: stepdown(),
            dir: self.dir.path().to_path_buf(),
            metadata: serde_json::json!({
                "providerName": "raft",
                "raft": {
                    "address": self.addresses[index],
                    "bootstrapNodes": self.addresses,
                    "dataDir": self.data_dir(index),
                },
            }),
            words: Vec::new(),
            environment: Vec::new(),
        };
        let started = CoordinatorProcess::start(options).expect("it can be started");
        self.started[index] = Some(started);
    }

    fn process(&mut self, index: usize) -> &mut CoordinatorProcess {
        self.started[index].as_mut().expect("it was started")
    }

    fn kill(&mut self, index: usize) {
        let killed = self.process(index).process_mut().kill();
        killed.expect("it can be killed");
    }

    fn restart(&mut self, index: usize) {
        let restarted = self.process(index).process_mut().restart();
        restarted.expect("it can be started again");
    }

    fn log(&self, index: usize) -> String {
        let log = self.dir.path().join(format!("coordinator-{index}.log"));
        fs::read_to_string(log).unwrap_or_default()
    }

    async fn until<T>(
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

    async fn until_log(&mut self, index: usize, words: &str) {
        self.until(words, async |it| {
            it.log(index).contains(words).then_some(())
        })
        .await;
    }

    /// The one that leads, once there is just one that says so.
    async fn leader(&mut self) -> usize {
        self.until("one leader", async |it| {
            let mut leaders = Vec::new();
            for (index, coordinator) in it.started.iter().enumerate() {
                if let Some(coordinator) = coordinator
                    && coordinator.process().pid().is_some()
                    && let Ok(samples) = coordinator.scrape().await
                    && leads(&samples)
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

    fn client(&self) -> AdminClient {
        AdminClient::new(self.addresses.clone(), None).expect("no TLS")
    }

    /// What the node there says of itself, once `is_so`.
    async fn status(
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_that_are_started_one_by_one_form_one_cluster_and_outlive_any_of_them() {
    let _turn = TURN.lock().await;
    let mut them = Coordinators::new(3);
    them.start(2);
    them.until_log(2, "to form the cluster; if one is gone for good")
        .await;
    them.start(1);
    them.start(0);
    let leader = them.leader().await;
    let cluster = them
        .status(0, "an id", |it| !it.cluster.is_empty())
        .await
        .cluster;

    them.kill(leader);
    let next = them.leader().await;
    assert_ne!(next, leader);
    them.restart(leader);
    let back = them
        .status(leader, "the old leader to follow", |it| {
            it.leader.is_some() && it.members.len() == 3
        })
        .await;
    assert_eq!(back.cluster, cluster);

    for index in 0..3 {
        them.kill(index);
    }
    for index in 0..3 {
        them.restart(index);
    }
    them.leader().await;
    for index in 0..3 {
        let again = them.status(index, "the same cluster", |it| it.cluster == cluster);
        assert_eq!(again.await.members.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_whose_disk_was_emptied_waits_to_be_added_and_is_taken_in_then() {
    let _turn = TURN.lock().await;
    let mut them = Coordinators::new(3);
    for index in 0..3 {
        them.start(index);
    }
    them.leader().await;
    let before = them.status(0, "an id", |it| !it.cluster.is_empty()).await;
    them.kill(0);
    let data_dir = them.data_dir(0);
    fs::rename(&data_dir, data_dir.with_extension("lost")).expect("it was there");
    them.restart(0);
    them.until_log(0, "run `stepdown raft add ").await;
    let emptied = them.status(0, "an answer", |_| true).await;
    assert_ne!(emptied.node, before.node);
    assert_eq!(emptied.members.len(), 0, "{emptied:?}");
    them.leader().await;
    let known = them
        .status(1, "a member each", |it| it.members.len() == 3)
        .await;
    assert!(known.members.iter().any(|it| it.node == before.node));

    let address = them.addresses[0].clone();
    them.until("the node to be added", async |it| {
        let request = AddRequest {
            address: address.clone(),
            learner: false,
        };
        let added = it.client().add(request).await.ok()?;
        added.catching_up.is_none().then_some(())
    })
    .await;
    let added = them
        .status(0, "the cluster to know it", |it| {
            it.cluster == before.cluster
        })
        .await;
    assert_eq!(added.members.len(), 3, "{added:?}");
    assert!(
        added
            .members
            .iter()
            .all(|it| it.node != before.node && it.votes)
    );

    // It votes: without it there would be no majority.
    them.kill(1);
    let leader = them.leader().await;
    assert_ne!(leader, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_coordinator_alone_leads_and_a_second_on_its_directory_is_refused_in_words() {
    let _turn = TURN.lock().await;
    let mut them = Coordinators::new(1);
    them.start(0);
    assert_eq!(them.leader().await, 0);
    let elsewhere = free_addresses(4).expect("free ports");
    let words = [
        "coordinator".to_owned(),
        "--metadata=raft".to_owned(),
        format!("--raft-address={}", elsewhere[0]),
        format!("--raft-data-dir={}", them.data_dir(0).display()),
        format!("--internal-addr={}", elsewhere[1]),
        format!("--public-addr={}", elsewhere[2]),
        format!("--metrics-addr={}", elsewhere[3]),
    ];
    let words: Vec<_> = words.iter().map(std::ffi::OsStr::new).collect();
    let ran = stepdown_tests::processes::run(&stepdown(), &words);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.text.contains("another process uses this directory"),
        "{ran:?}"
    );
}
