//! Measures hand-overs, take-overs, conflicts and idle traffic on a real API server, and prints the
//! figures. Nothing here fails for being slow.
//!
//! `cargo build --release -p stepdown && cargo test --release -p stepdown-tests --test
//! kubernetes_figures -- --ignored --nocapture`, and one of the names below.
#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

use std::fs;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::Value;
use stepdown_tests::fleet::{Fleet, FleetOptions, Profile};
use stepdown_tests::kubernetes::Grants;
use tokio::sync::Mutex;
use tokio::time::sleep;

static TURN: Mutex<()> = Mutex::const_new(());
const HANDOVERS: usize = 50;
const CRASHES: usize = 10;
const CONFLICTS: usize = 50;
const IDLE: Duration = Duration::from_secs(300);

macro_rules! fleet {
    ($options:expr) => {
        match Fleet::start($options).await {
            Some(fleet) => fleet,
            None => return,
        }
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures"]
async fn planned_hand_overs() {
    let _turn = TURN.lock().await;
    for (grants, what) in [
        (Grants::Ours, "watch on leases"),
        (Grants::Chart, "the chart's role"),
    ] {
        let mut fleet = fleet!(FleetOptions {
            grants,
            profile: Profile::Default,
            ..FleetOptions::default()
        });
        let mut took = Vec::new();
        let terms = fleet.terms().await;
        for _ in 0..HANDOVERS {
            let leader = fleet.steady().await;
            let epoch = fleet.onlooker.epoch();
            let asked = now();
            fleet.end(leader).await;
            let next = fleet.leader_after(epoch).await;
            took.push(since(asked, became_leader(&fleet, next)));
            fleet.mend().await;
            fleet.steady().await;
        }
        let elections = fleet.terms().await - terms;
        println!(
            "planned hand-over, {what}: {}, needless elections {elections}",
            told(took)
        );
        fleet.nothing_is_lost().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures"]
async fn take_overs_after_a_crash() {
    let _turn = TURN.lock().await;
    for (grants, what) in [
        (Grants::Ours, "watch on leases"),
        (Grants::Chart, "the chart's role"),
    ] {
        let mut fleet = fleet!(FleetOptions {
            grants,
            profile: Profile::Default,
            ..FleetOptions::default()
        });
        let (mut after_expiry, mut after_kill) = (Vec::new(), Vec::new());
        let terms = fleet.terms().await;
        for _ in 0..CRASHES {
            let leader = fleet.steady().await;
            let epoch = fleet.onlooker.epoch();
            // At any time between two renewals; right after an election all have just looked.
            sleep(Duration::from_millis(fastrand::u64(4_000..8_000))).await;
            fleet.kill(leader);
            let killed = now();
            let expires = fleet.documents.renewed().await + Duration::from_secs(15);
            let next = fleet.leader_after(epoch).await;
            let led = became_leader(&fleet, next);
            after_expiry.push(since(expires, led));
            after_kill.push(since(killed, led));
            fleet.mend().await;
            fleet.steady().await;
        }
        let elections = fleet.terms().await - terms;
        println!(
            "take-over after kill -9, {what}: after the lease's expiry {}; after the kill {}; needless elections {elections}",
            told(after_expiry),
            told(after_kill)
        );
        fleet.nothing_is_lost().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures"]
async fn conflicts() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions {
        profile: Profile::Default,
        // One conflict after another is what it is there for.
        flap_limit: 0,
        ..FleetOptions::default()
    });
    let (mut noticed, mut emptied, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..CONFLICTS {
        let leader = fleet.steady().await;
        let epoch = fleet.onlooker.epoch();
        fleet.documents.write_as_stranger(1).await;
        let written = now();
        let next = fleet.leader_after(epoch).await;
        let led = became_leader(&fleet, next);
        let (left, took) = left_office(&fleet, leader);
        noticed.push(since(written, left));
        emptied.push(took);
        again.push(since(written, led));
    }
    println!(
        "conflict of an idle leader, from the foreign write to the step-down: {}",
        told(noticed)
    );
    println!(
        "conflict, from the step-down to a candidate with nothing in flight: {}",
        told(emptied)
    );
    println!(
        "conflict, from the foreign write to a leader: {}",
        told(again)
    );
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures"]
async fn idle_traffic() {
    let _turn = TURN.lock().await;
    for (grants, what) in [
        (Grants::Ours, "watch on leases"),
        (Grants::Chart, "the chart's role"),
    ] {
        let mut fleet = fleet!(FleetOptions {
            grants,
            profile: Profile::Default,
            ..FleetOptions::default()
        });
        let leader = fleet.steady().await;
        // Watches settle.
        sleep(Duration::from_secs(10)).await;
        let before: Vec<_> = fleet.proxies.iter().map(|it| it.counts()).collect();
        sleep(IDLE).await;
        let hours = IDLE.as_secs_f64() / 3_600.0;
        for (index, before) in before.iter().enumerate() {
            let counts = fleet.proxies[index].counts().since(before);
            let role = if index == leader { "leader" } else { "standby" };
            let hourly = counts.total() as f64 / hours;
            println!(
                "idle {role}, {what}: {hourly:.0} requests per hour, of which in {IDLE:?}:\n{counts}"
            );
        }
        assert_eq!(fleet.steady().await, leader);
    }
}

fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).expect("it is a time")
}

fn since(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64() * 1_000.0
}

/// When the coordinator became the leader last, by its own log.
fn became_leader(fleet: &Fleet, index: usize) -> Timestamp {
    let lines = changes(fleet, index);
    let led = lines.iter().rev().find(|line| said(line, "to") == "leader");
    said(led.expect("it leads"), "time")
        .parse()
        .expect("it is a time")
}

/// When it left office last, and how long it took to be a candidate again, in milliseconds.
fn left_office(fleet: &Fleet, index: usize) -> (Timestamp, f64) {
    let lines = changes(fleet, index);
    let left = lines
        .iter()
        .rev()
        .find(|line| said(line, "from") == "leader");
    let emptied = lines
        .iter()
        .rev()
        .find(|line| said(line, "to") == "candidate");
    let left = said(left.expect("it has left"), "time").parse();
    let took = emptied
        .expect("it is empty")
        .get("took-ms")
        .and_then(Value::as_f64);
    (left.expect("it is a time"), took.expect("it says how long"))
}

fn changes(fleet: &Fleet, index: usize) -> Vec<Value> {
    let log = fs::read_to_string(fleet.coordinators[index].process().log());
    let log = log.expect("there is a log");
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| said(line, "message") == "Changed role")
        .collect()
}

fn said<'a>(line: &'a Value, key: &str) -> &'a str {
    line.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// In milliseconds.
fn told(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let last = figures.len().saturating_sub(1);
        figures[((last as f64) * part).round() as usize]
    };
    let count = figures.len();
    format!(
        "p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms ({count})",
        at(0.5),
        at(0.99),
        at(1.0)
    )
}
