//! Three coordinators that keep their documents among themselves, killed one after another and all at
//! once, while data servers are written to: whatever was acknowledged is there at the end.
//!
//! The data servers are the sandbox's, and upstream's (`OXIA_BIN`).
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::path::PathBuf;

use stepdown_sandbox::cluster::{
    Cluster, ClusterOptions, DataServerKind, Metadata, NamespaceOptions,
};
use stepdown_sandbox::workload::Workload;
use stepdown_tests::oxia::{Keys, Pace, oxia};
use stepdown_tests::processes::{Load, Rig, stepdown};
use tokio::sync::Mutex;

/// One cluster at a time: all want the same processors.
static TURN: Mutex<()> = Mutex::const_new(());
const COORDINATORS: usize = 3;
const SHARDS: usize = 4;

async fn rig(oxia: Option<PathBuf>) -> Rig {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let names: Vec<_> = (1..=SHARDS).map(|it| format!("shard-{it}")).collect();
    let namespace = |name: &String| NamespaceOptions {
        name: name.clone(),
        shards: 1,
        replication_factor: 3,
    };
    let kind = match &oxia {
        Some(path) => DataServerKind::Program {
            path: path.clone(),
            words: Vec::new(),
        },
        None => DataServerKind::Sandbox,
    };
    let options = ClusterOptions {
        program: stepdown(),
        dir: dir.path().canonicalize().expect("the directory is there"),
        metadata: Metadata::Raft,
        coordinators: COORDINATORS,
        data_servers: 3,
        data_server_kind: kind,
        namespaces: names.iter().map(namespace).collect(),
        coordinator_words: Vec::new(),
    };
    let load = |cluster: &Cluster| match &oxia {
        Some(oxia) => {
            let servers = cluster.data_servers.iter();
            let addresses = servers.map(|it| it.public().to_string()).collect();
            Load::Keys(Keys::start(oxia, addresses, &names, Pace::default()))
        }
        None => Load::Entries(Workload::new(SHARDS)),
    };
    Rig::with(dir, &options, load).await
}

/// Each is killed in turn, and then all, with a data server beside each.
async fn coordinators_are_killed(oxia: Option<PathBuf>) {
    let _turn = TURN.lock().await;
    let mut rig = rig(oxia).await;
    for index in (0..COORDINATORS).chain(0..COORDINATORS) {
        rig.kill_coordinator(index);
        rig.kill_server(index);
        rig.steady().await;
        rig.mend();
        rig.steady().await;
    }
    for index in 0..COORDINATORS {
        rig.kill_coordinator(index);
    }
    rig.kill_server(0);
    rig.mend();
    rig.steady().await;
    let read_back = rig.nothing_is_lost().await;
    println!("{read_back} acknowledged, all read back");
    rig.end_coordinators().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_that_are_killed_one_after_another_lose_nothing() {
    coordinators_are_killed(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_of_real_servers_that_are_killed_one_after_another_lose_nothing() {
    // It is said where it is skipped.
    if let Some(oxia) = oxia() {
        coordinators_are_killed(Some(oxia)).await;
    }
}
