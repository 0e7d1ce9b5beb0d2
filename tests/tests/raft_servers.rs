//! Three coordinators that keep their documents among themselves, killed one after another and all at
//! once, while data servers are written to: whatever was acknowledged is there at the end.
//!
//! The data servers are the sandbox's, and upstream's (`OXIA_BIN`).
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::path::PathBuf;

use stepdown_backends::raft::admin::AdminClient;
use stepdown_sandbox::cluster::{
    Cluster, ClusterOptions, DataServerKind, Metadata, NamespaceOptions,
};
use stepdown_sandbox::workload::Workload;
use stepdown_tests::coordinators::{AUTHORITY, Acknowledged, TOLD};
use stepdown_tests::fleet::Offices;
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
        unlisted: std::collections::BTreeSet::new(),
        namespaces: names.iter().map(namespace).collect(),
        coordinator_words: TOLD.map(Into::into).into(),
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
    let mut offices = Offices::with_authority(AUTHORITY);
    let mut kill = |rig: &mut Rig, index| {
        rig.kill_coordinator(index);
        let name = rig.coordinator(index).name().to_owned();
        offices.interrupt(&name);
    };
    for index in (0..COORDINATORS).chain(0..COORDINATORS) {
        kill(&mut rig, index);
        rig.kill_server(index);
        rig.steady().await;
        rig.mend();
        rig.steady().await;
    }
    for index in 0..COORDINATORS {
        kill(&mut rig, index);
    }
    rig.kill_server(0);
    rig.mend();
    rig.steady().await;
    let read_back = rig.nothing_is_lost().await;
    println!("{read_back} acknowledged, all read back");
    no_store_is_lost(&mut rig).await;
    rig.end_coordinators().await;
    let processes = rig.cluster.coordinators.iter().map(|it| it.process());
    let logs = processes.map(|it| (it.name(), it.log()));
    let count = offices.check(logs).expect("never two in office at once");
    println!("{count} times in office, never two at once");
    assert!(count > 1, "their logs tell of them");
}

/// Every store of the status that a coordinator was told to be done is in what all of them have now.
async fn no_store_is_lost(rig: &mut Rig) {
    let logs = rig.cluster.coordinators.iter().map(|it| it.process().log());
    let acknowledged = Acknowledged::read(logs).expect("no store is lost");
    let client = AdminClient::new(rig.cluster.nodes(), None).expect("no TLS");
    let exported = rig
        .until("an export", async |_| client.export().await.ok())
        .await;
    let version = exported.status.and_then(|it| it.version);
    let version = version.map_or(0, |it| it.version);
    acknowledged.are_in(version).expect("no store is lost");
    let (count, seen) = (acknowledged.count(), rig.onlooker.documents());
    println!("{count} stores acknowledged, {seen} documents seen, the last of version {version}");
    assert!(count > 0 && seen > 0, "they were looked at");
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
