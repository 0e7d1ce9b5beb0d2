//! Real processes that are killed, paused and written over.
//!
//! `PROC_SEED` replays a run's rounds; `STEPDOWN_TESTS=night` makes it long.
#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::time::Instant;

use stepdown_tests::processes::{Crowd, Plan, Rig, as_oxia, run, seed, stepdown, with_few_files};
use tokio::sync::Mutex;

/// One cluster at a time: all want the same processors.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_that_are_killed_paused_and_written_over_lose_nothing() {
    let _turn = TURN.lock().await;
    let is_night = std::env::var("STEPDOWN_TESTS").is_ok_and(|it| it == "night");
    let (kills, stops, foreign) = if is_night {
        (500, 200, 200)
    } else {
        (60, 24, 36)
    };
    let plan = Plan::draw(seed(), kills, stops, foreign);
    println!("PROC_SEED={}", plan.seed);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut rig = Rig::start(dir, stepdown(), 3, 3).await;
    for (number, round) in plan.rounds.iter().enumerate() {
        let start = Instant::now();
        println!("round {number}: {round:?}");
        rig.carry_out(*round).await;
        println!("round {number} took {:?}", start.elapsed());
    }
    let entries = rig.nothing_is_lost().await;
    rig.end_coordinators().await;
    let (documents, epoch) = (rig.onlooker.documents(), rig.onlooker.epoch());
    println!("{entries} entries were acknowledged, {documents} documents seen, epoch {epoch}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_asked_to_end_ends_well_and_another_leads() {
    let _turn = TURN.lock().await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let oxia = as_oxia(dir.path());
    let mut rig = Rig::start(dir, oxia.clone(), 2, 1).await;
    let leader = rig.steady().await;
    let health = |rig: &Rig| {
        let port = rig.cluster.coordinators[leader]
            .internal()
            .port()
            .to_string();
        let words = ["health", "--host", "127.0.0.1", "--port", &port];
        run(&oxia, &words.map(OsStr::new))
    };
    assert_eq!(health(&rig).code, Some(0), "{:?}", health(&rig));
    rig.end_coordinator(leader).await;
    assert_ne!(health(&rig).code, Some(0));
    assert_ne!(rig.steady().await, leader);
    rig.mend();
    rig.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_leads_on_a_corrupt_status_file_or_exits_until_it_is_put_right() {
    let _turn = TURN.lock().await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut rig = Rig::start(dir, stepdown(), 3, 1).await;
    let path = rig.cluster.status_path().to_path_buf();
    let status_file = |action: &str| {
        let words = ["status-file".as_ref(), action.as_ref(), path.as_os_str()];
        run(&stepdown(), &words)
    };
    rig.onlooker.look_away();

    let good = rig
        .overwrite(|text| text.split_at(text.len() / 2).0.to_owned())
        .await;
    nobody_leads(&mut rig).await;
    let checked = status_file("check");
    assert_ne!(checked.code, Some(0), "{checked:?}");
    assert!(checked.text.contains("was cut short"), "{checked:?}");
    rig.overwrite(|_| good.clone()).await;
    rig.steady().await;

    rig.end_coordinators().await;
    rig.overwrite(|_| good.clone()).await;
    let checked = status_file("check");
    assert_ne!(checked.code, Some(0), "{checked:?}");
    assert!(checked.text.contains("is an old copy"), "{checked:?}");
    rig.mend();
    nobody_leads(&mut rig).await;
    rig.end_coordinators().await;
    let adopted = status_file("adopt");
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    rig.mend();
    rig.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowds_at_every_port_keep_no_shard_from_its_leader_though_few_files_may_be_open() {
    let _turn = TURN.lock().await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = with_few_files(dir.path(), 160);
    let mut rig = Rig::start(dir, program, 1, 3).await;
    let transitions = rig.metric(0, "stepdown_transitions_total").await;
    let coordinator = rig.cluster.coordinators.first().expect("there is one");
    let crowd = Crowd::at(coordinator, 100);
    rig.until("a crowd to come", async |_| {
        (crowd.came() >= 800).then_some(())
    })
    .await;
    for server in 0..3 {
        rig.kill_server(server);
        rig.steady().await;
        rig.mend();
        rig.steady().await;
    }
    let log = rig.coordinator(0).log().to_path_buf();
    let log = std::fs::read_to_string(log).expect("it has a log");
    let lines = log.lines().filter(|it| it.contains("Too many open files"));
    println!("{} came, {} without a file", crowd.came(), lines.count());
    // It has led all the while.
    let now = rig.metric(0, "stepdown_transitions_total").await;
    assert!(now >= 1.0 && now == transitions, "{now}, {transitions}");
    drop(crowd);
    rig.nothing_is_lost().await;
}

async fn nobody_leads(rig: &mut Rig) {
    rig.ready().await;
    rig.until(
        "a coordinator to find the status unreadable, and none to lead",
        async |rig| {
            for index in 0..rig.cluster.coordinators.len() {
                if rig.metric(index, "stepdown_status_unreadable").await > 0.0 {
                    return (!rig.somebody_leads().await).then_some(());
                }
            }
            None
        },
    )
    .await;
}
