//! Coordinators as processes that keep their documents among themselves.
#![cfg(target_os = "linux")]

use std::fs;

use stepdown_sandbox::cluster::free_addresses;
use stepdown_tests::coordinators::Coordinators;
use stepdown_tests::processes::stepdown;
use stepdown_wire::raft::AddRequest;
use tokio::sync::Mutex;

/// One cluster at a time: all want the same processors.
static TURN: Mutex<()> = Mutex::const_new(());

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
