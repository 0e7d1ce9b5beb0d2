//! Three coordinators that keep their documents among themselves, killed, paused and ended one after
//! another, and all at once, while somebody writes.
//!
//! `PROC_SEED` replays a run's rounds; `STEPDOWN_TESTS=night` makes it long.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::time::{Duration, Instant};

use stepdown_tests::coordinators::{AUTHORITY, Coordinators, TOLD, Writer, name};
use stepdown_tests::fleet::Offices;
use stepdown_tests::processes::seed;
use tokio::time::sleep;

const COUNT: usize = 3;

/// What happens in one round. Whoever is killed, ended or paused runs again after it.
#[derive(Clone, Copy, Debug)]
enum Round {
    /// One is killed.
    Kill(usize),
    /// All are killed at once.
    KillAll,
    /// One stands still for so long.
    Pause(usize, Duration),
    /// The one that leads is asked to end.
    EndLeader,
}

fn draw(seed: u64, rounds: usize) -> Vec<Round> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut one = move || match chance.u8(..) {
        0..150 => Round::Kill(chance.usize(..COUNT)),
        150..190 => Round::KillAll,
        190..230 => {
            let millis = chance.u64(100..4_000);
            Round::Pause(chance.usize(..COUNT), Duration::from_millis(millis))
        }
        230.. => Round::EndLeader,
    };
    (0..rounds).map(|_| one()).collect()
}

async fn carry_out(them: &mut Coordinators, offices: &mut Offices, round: Round) {
    match round {
        Round::Kill(index) => {
            them.kill(index);
            offices.interrupt(&name(index));
            them.restart(index);
        }
        Round::KillAll => {
            for index in 0..COUNT {
                them.kill(index);
                offices.interrupt(&name(index));
            }
            for index in 0..COUNT {
                them.restart(index);
            }
        }
        Round::Pause(index, time) => {
            them.process(index)
                .process_mut()
                .pause()
                .expect("it can be paused");
            offices.interrupt(&name(index));
            sleep(time).await;
            offices.go_on(&name(index));
            them.process(index)
                .process_mut()
                .resume()
                .expect("it can go on");
        }
        Round::EndLeader => {
            let leader = them.leader().await;
            them.end(leader).await;
            them.restart(leader);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_that_are_killed_and_paused_lose_nothing_that_was_acknowledged() {
    let is_night = std::env::var("STEPDOWN_TESTS").is_ok_and(|it| it == "night");
    let seed = seed();
    println!("PROC_SEED={seed}");
    let mut them = Coordinators::new(COUNT);
    them.words = TOLD.map(Into::into).into();
    let mut offices = Offices::with_authority(AUTHORITY);
    for index in 0..COUNT {
        them.start(index);
    }
    them.leader().await;
    let writer = Writer::start(them.client());
    let mut longest = Duration::ZERO;
    for (count, round) in draw(seed, if is_night { 1_000 } else { 100 })
        .into_iter()
        .enumerate()
    {
        println!("round {count}: {round:?}");
        carry_out(&mut them, &mut offices, round).await;
        let since = Instant::now();
        writer.goes_on(&mut them, 1).await;
        longest = longest.max(since.elapsed());
        writer.nothing_is_lost(&mut them).await;
    }
    let acknowledged = writer.acknowledged();
    drop(writer);
    println!(
        "{acknowledged} numbers were written, and the longest that nothing was acknowledged after \
         a round is {longest:?}"
    );
    let count = them.end_all(&offices).await;
    assert!(count > 1, "their logs tell of them");
}
