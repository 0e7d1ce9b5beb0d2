//! Three coordinator processes around a real API server, many random troubles one after another.
//!
//! `PROC_SEED` replays a run's rounds; `STEPDOWN_TESTS=night` makes it long.
#![cfg(target_os = "linux")]

use std::time::Instant;

use stepdown_tests::fleet::{Fleet, FleetOptions, Plan};
use stepdown_tests::processes::seed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_trouble_loses_nothing_and_ends_no_process() {
    let is_night = std::env::var("STEPDOWN_TESTS").is_ok_and(|it| it == "night");
    let plan = Plan::draw(seed(), if is_night { 500 } else { 60 });
    println!("PROC_SEED={}", plan.seed);
    let Some(mut fleet) = Fleet::start(FleetOptions::default()).await else {
        // It has been said that it is skipped.
        return;
    };
    for (number, round) in plan.rounds.iter().enumerate() {
        let start = Instant::now();
        println!("round {number}: {round:?}");
        fleet.carry_out(round).await;
        println!("round {number} took {:?}", start.elapsed());
    }
    let entries = fleet.nothing_is_lost().await;
    for index in 0..3 {
        fleet.end(index).await;
    }
    let (documents, epoch) = (fleet.onlooker.documents(), fleet.onlooker.epoch());
    println!("{entries} entries were acknowledged, {documents} documents seen, epoch {epoch}");
}
