//! Data servers that lose their disks one after the other, fall silent or are started again, under
//! writes that never pause: whatever was acknowledged is there at the end.
//!
//! Everything is done to the sandbox's data servers, and to upstream's (`OXIA_BIN`).
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::time::Duration;

use stepdown_sandbox::cluster::{
    Cluster, ClusterOptions, DataServerKind, Metadata, NamespaceOptions,
};
use stepdown_sandbox::workload::Workload;
use stepdown_tests::oxia::{Keys, Pace, oxia};
use stepdown_tests::processes::{Coordinator, Load, Rig, stepdown};
use tokio::sync::Mutex;

/// One cluster at a time: all want the same processors.
static TURN: Mutex<()> = Mutex::const_new(());
const SERVERS: usize = 3;
const SHARDS: usize = 4;

/// The data servers under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Servers {
    Oxia,
    Sandbox,
}

/// A namespace for each shard: upstream's client puts into one namespace, and so into one shard.
async fn rig(servers: Servers) -> Option<Rig> {
    rig_with(servers, SHARDS, Pace::default(), &[]).await
}

async fn rig_with(servers: Servers, shards: usize, pace: Pace, words: &[&str]) -> Option<Rig> {
    let oxia = match servers {
        Servers::Oxia => Some(oxia()?),
        Servers::Sandbox => None,
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let names: Vec<_> = (1..=shards).map(|it| format!("shard-{it}")).collect();
    let namespace = |name: &String| NamespaceOptions {
        name: name.clone(),
        shards: 1,
        replication_factor: 3,
    };
    let options = ClusterOptions {
        program: stepdown(),
        dir: dir.path().canonicalize().expect("the directory is there"),
        metadata: Metadata::File,
        coordinators: 1,
        data_servers: SERVERS,
        data_server_kind: match &oxia {
            Some(path) => DataServerKind::Program {
                path: path.clone(),
                words: words.iter().map(Into::into).collect(),
            },
            None => DataServerKind::Sandbox,
        },
        unlisted: std::collections::BTreeSet::new(),
        namespaces: names.iter().map(namespace).collect(),
        coordinator_words: Vec::new(),
    };
    let load = |cluster: &Cluster| match &oxia {
        Some(oxia) => {
            let servers = cluster.data_servers.iter();
            let addresses = servers.map(|it| it.public().to_string()).collect();
            Load::Keys(Keys::start(oxia, addresses, &names, pace))
        }
        None => Load::Entries(Workload::new(shards)),
    };
    let mut rig = Rig::with(dir, &options, load).await;
    rig.whole().await;
    Some(rig)
}

async fn nothing_is_lost(mut rig: Rig, servers: Servers, what: &str) {
    let read_back = rig.nothing_is_lost().await;
    println!("{what}, {servers:?}: {read_back} acknowledged, all read back");
}

async fn every_disk_is_replaced(servers: Servers, coordinator: Coordinator) {
    let _turn = TURN.lock().await;
    let Some(mut rig) = rig(servers).await else {
        return;
    };
    for index in (0..SERVERS).chain(0..SERVERS) {
        rig.replace_disk(index, coordinator).await;
    }
    let what = format!("every disk replaced, the coordinator {coordinator:?}");
    nothing_is_lost(rig, servers, &what).await;
}

async fn leaders_come_back_empty(servers: Servers) {
    let _turn = TURN.lock().await;
    let Some(mut rig) = rig(servers).await else {
        return;
    };
    for _ in 0..SERVERS {
        let leader = rig.leads_most();
        rig.replace_disk(leader, Coordinator::GoesOn).await;
    }
    nothing_is_lost(rig, servers, "leaders that come back empty").await;
}

async fn one_disk_is_left_that_knows(servers: Servers) {
    let _turn = TURN.lock().await;
    let Some(mut rig) = rig(servers).await else {
        return;
    };
    rig.leave_one_that_knows(0, 1, 2).await;
    nothing_is_lost(rig, servers, "one disk left that knows").await;
}

async fn a_loss_is_accepted(servers: Servers) {
    let _turn = TURN.lock().await;
    let Some(mut rig) = rig(servers).await else {
        return;
    };
    rig.block(2, 0).await;
    rig.accept_losses().await;
    nothing_is_lost(rig, servers, "losses accepted of what was lost twice").await;
}

async fn servers_fall_silent(servers: Servers, seconds: &[u64]) {
    let _turn = TURN.lock().await;
    let Some(mut rig) = rig(servers).await else {
        return;
    };
    for &seconds in seconds {
        let leader = rig.leads_most();
        rig.silence(leader, Duration::from_secs(seconds)).await;
        println!("silent for {seconds} s");
        rig.steady().await;
    }
    rig.whole().await;
    nothing_is_lost(rig, servers, "servers that fell silent").await;
}

async fn every_server_is_restarted(servers: Servers) {
    let _turn = TURN.lock().await;
    let Some(mut rig) = rig(servers).await else {
        return;
    };
    for index in (0..SERVERS).chain(0..SERVERS) {
        rig.kill_server(index);
        rig.start_server(index);
        rig.steady().await;
    }
    rig.whole().await;
    nothing_is_lost(rig, servers, "every server restarted in turn").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disks_that_are_replaced_one_after_the_other_lose_nothing() {
    every_disk_is_replaced(Servers::Sandbox, Coordinator::GoesOn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disks_that_are_replaced_while_the_coordinator_restarts_lose_nothing() {
    every_disk_is_replaced(Servers::Sandbox, Coordinator::Restarts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_that_come_back_empty_lose_nothing() {
    leaders_come_back_empty(Servers::Sandbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_server_that_is_away_still_has_is_not_outvoted() {
    one_disk_is_left_that_knows(Servers::Sandbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_real_server_that_is_away_still_has_is_not_outvoted() {
    one_disk_is_left_that_knows(Servers::Oxia).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_shards_are_led_again_once_their_loss_is_accepted() {
    a_loss_is_accepted(Servers::Sandbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_shards_of_real_servers_are_led_again_once_their_loss_is_accepted() {
    a_loss_is_accepted(Servers::Oxia).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_fall_silent_lose_nothing() {
    servers_fall_silent(Servers::Sandbox, &[1, 8]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_restarted_in_turn_lose_nothing() {
    every_server_is_restarted(Servers::Sandbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_disks_that_are_replaced_one_after_the_other_lose_nothing() {
    every_disk_is_replaced(Servers::Oxia, Coordinator::GoesOn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_disks_that_are_replaced_while_the_coordinator_restarts_lose_nothing() {
    every_disk_is_replaced(Servers::Oxia, Coordinator::Restarts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_leaders_that_come_back_empty_lose_nothing() {
    leaders_come_back_empty(Servers::Oxia).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_disks_with_much_on_them_lose_nothing() {
    let _turn = TURN.lock().await;
    let pace = Pace {
        pause: Duration::from_millis(5),
        bytes: 100_000,
    };
    let Some(mut rig) = rig_with(Servers::Oxia, 1, pace, &[]).await else {
        return;
    };
    rig.has_written(2_500).await;
    for index in 0..SERVERS {
        rig.replace_disk(index, Coordinator::GoesOn).await;
    }
    nothing_is_lost(rig, Servers::Oxia, "every disk replaced, much on them").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_servers_that_fall_silent_lose_nothing() {
    servers_fall_silent(Servers::Oxia, &[1, 8, 30, 60]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_on_while_a_real_server_is_silent() {
    let _turn = TURN.lock().await;
    let Some(mut rig) = rig(Servers::Oxia).await else {
        return;
    };
    let leader = rig.leads_most();
    rig.pause_server(leader);
    rig.steady().await;
    rig.resume_server(leader);
    rig.whole().await;
    nothing_is_lost(rig, Servers::Oxia, "a silent server").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_servers_that_are_restarted_in_turn_lose_nothing() {
    every_server_is_restarted(Servers::Oxia).await;
}

/// Upstream's servers look every ten minutes for segments to drop, of 64 MiB each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_disks_that_are_replaced_once_the_log_was_trimmed_lose_nothing() {
    if std::env::var("STEPDOWN_TESTS").is_ok_and(|it| it == "night") {
        let _turn = TURN.lock().await;
        let pace = Pace {
            pause: Duration::from_millis(200),
            bytes: 100_000,
        };
        let words = ["--wal-retention-time=1s"];
        let Some(mut rig) = rig_with(Servers::Oxia, 1, pace, &words).await else {
            return;
        };
        rig.trimmed(Duration::from_secs(1_500)).await;
        for coordinator in [Coordinator::GoesOn, Coordinator::Restarts] {
            for index in 0..SERVERS {
                rig.replace_disk(index, coordinator).await;
            }
        }
        nothing_is_lost(rig, Servers::Oxia, "every disk replaced, the log trimmed").await;
    }
}
