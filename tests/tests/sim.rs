//! Whole clusters, lived through in simulated time: every property of the machine, under every
//! fault that the simulator knows.
//!
//! `STEPDOWN_TESTS=night` makes more and longer runs; `SIM_SEEDS` and `SIM_FIRST` choose seeds, and
//! `SIM_MINUTES` ends where a slow machine would take longer for them;
//! `SIM_SEED=… cargo test -p stepdown-tests --test sim replay -- --nocapture` repeats one,
//! shrunk, with its last `SIM_TRACE` events.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stepdown_tests::sim::{
    Bounds, Factory, Fault, FaultKind, LooksOnce, Overlooked, Plan, Planted, Real, Sometimes, run,
    run_traced, shrink,
};

/// What every run of the suite has to reach.
const REACHED: &[&str] = &[
    "address_changed",
    "ambiguous_was_a_conflict",
    "ambiguous_was_applied",
    "ambiguous_was_not_applied",
    "answer_of_an_older_tenure",
    "asked_whether_it_was_ever_fenced",
    "become_leader_hung",
    "call_duplicated",
    "call_queued",
    "clock_jumped",
    "configuration_broken",
    "configuration_unheard",
    "configuration_unreadable",
    "cooled_down",
    "corrupt_document_loaded",
    "crashed",
    "crashed_with_store_in_flight",
    "cut_both_ways",
    "cut_off_what_was_not_told",
    "cut_one_way",
    "disk_emptied",
    "disk_rolled_back",
    "document_restored",
    "elected_again",
    "elected_by_the_least_majority",
    "exited",
    "follower_fenced_in_the_same_term",
    "foreign_document_loaded",
    "foreign_write",
    "foreign_write_noticed_by_a_look",
    "gate_refused",
    "junk",
    "keepalive_failed",
    "late_lease_write_applied",
    "late_lease_write_refused",
    "leader_ahead",
    "leader_restarted_unwatched",
    "log_trimmed",
    "lease_conflict",
    "lease_lost",
    "lease_message_lost",
    "lease_refused",
    "lease_transferred",
    "lease_unavailable",
    "lease_won_while_the_watch_was_silent",
    "lease_won_without_a_watch",
    "leader_handed",
    "leaver_deleted",
    "majority_away",
    "namespace_deleted",
    "namespace_removed",
    "not_serving",
    "opened_in_vain",
    "old_document_read",
    "older_terms_restored",
    "other_cluster",
    "paused",
    "read_timed_out",
    "released_lease_taken_in_time",
    "replica_left_out",
    "server_added",
    "server_ahead",
    "server_away",
    "server_crashed",
    "server_given_up",
    "server_lost",
    "server_removed",
    "server_restarted",
    "server_silent",
    "shard_deleted",
    "shard_moved",
    "slower_than_the_deadline",
    "slow_syncs",
    "leader_asked_whom_it_feeds",
    "cut_off_where_its_log_ends",
    "head_not_told",
    "stepped_aside_for_a_namesake",
    "stepped_down",
    "stepped_down_with_store_in_flight",
    "store_applied_late",
    "store_applied_unheard",
    "store_conflict",
    "store_conflict_over_a_network",
    "store_dropped_at_the_end_of_the_drain",
    "store_kept_refusing",
    "store_lost_unheard",
    "store_refused",
    "store_stalled",
    "store_unavailable",
    "took_office",
    "two_led_at_once",
    "unled_while_it_could_be_led",
    "unsynced_when_fenced",
    "wrote_alone",
];

/// Enough seeds for every counter of `REACHED` to be hit many times over.
const SEEDS: u64 = 20_000;
const SEEDS_AT_NIGHT: u64 = 800_000;

#[test]
fn no_seed_breaks_a_property_and_everything_is_reached() {
    let (first, count) = (number("SIM_FIRST").unwrap_or(0), seeds());
    let next = AtomicU64::new(first);
    let total = Mutex::new(Total::default());
    let began = Instant::now();
    let until = number("SIM_MINUTES").map(|minutes| began + Duration::from_secs(60 * minutes));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| live_through(&next, first + count, until, &total));
        }
    });
    let total = total.into_inner().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    if total.seeds < count {
        println!("ended by SIM_MINUTES before all {count} seeds were lived through");
    }
    let hours = total.lived.as_secs_f64() / 3_600.0;
    println!(
        "{} seeds, {} events, {hours:.0} cluster-hours in {seconds:.1} s: {:.1} an hour per \
         second on each of 2 cores\n{}",
        total.seeds,
        total.events,
        hours / seconds / 2.0,
        total.sometimes
    );
    if let Some(seed) = total.failing.iter().min() {
        println!("failing: {:?}", total.failing);
        fail(*seed);
    }
    let missing = total.sometimes.missing(REACHED);
    // What is rare takes all of them.
    assert!(
        missing.is_empty() || total.seeds < count,
        "never reached: {missing:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in 0..8 {
        let plan = Plan::of(seed, bounds());
        let (one, other) = (run_traced(&plan, &Real, 1), run_traced(&plan, &Real, 1));
        assert_eq!(one.events, other.events, "seed {seed}");
        assert_eq!(one.hash, other.hash, "seed {seed}");
    }
}

/// Every planted mistake with the properties by which it may be found.
macro_rules! mistakes {
    ($($name:ident: $factory:expr, $($property:literal)+;)+) => {
        $(#[test]
        fn $name() {
            found($factory, &[$($property),+]);
        })+
    };
}

mistakes! {
    a_store_repeated_after_a_conflict_is_found: Planted::RetriesAfterConflict, "S2" "S3" "S4";
    a_new_term_sent_before_it_is_stored_is_found: Planted::FencesBeforeStoring, "T2" "S5";
    a_campaign_that_does_not_wait_for_the_drain_is_found: Planted::ForgetsToDrain, "D3" "D4";
    a_leader_on_an_old_document_is_found: Planted::LeadsOnAnOldDocument, "S4" "S5";
    authority_that_counts_from_the_answer_is_found: Planted::CountsFromTheAnswer, "B1" "B2";
    a_renewal_after_the_close_is_found: Planted::RenewsAfterTheClose, "D1" "L1 meanwhile";
    a_lease_given_back_before_the_drain_is_found: Planted::GivesBackTooEarly, "D4";
    acting_in_doubt_is_found: Planted::ActsInDoubt, "S3" "S4" "S5";
    acting_after_authority_has_ended_is_found: Planted::ActsWithoutAuthority, "D5";
    adopting_another_head_after_a_doubt_is_found: Planted::AdoptsAnotherHead, "A1" "S3" "S5" "S6" "T2";
    closing_twice_is_found: Planted::ClosesTwice, "D8";
    a_vote_less_than_a_majority_is_found: Planted::CountsOneVoteTooFew, "T5";
    a_vote_less_than_a_majority_is_found_by_what_it_loses: Overlooked(Planted::CountsOneVoteTooFew), "E6" "L11";
    a_follower_map_cut_to_one_is_found: Planted::CutsTheFollowerMap, "T7";
    a_leader_that_knows_of_no_follower_is_found: Overlooked(Planted::TellsOfNoFollower), "L11" "L2";
    a_server_forgotten_now_and_then_is_found: Planted::ForgetsAServer, "L7";
    a_shard_of_one_replica_that_is_moved_is_found: Planted::MovesTheLonely, "E3";
    a_server_taken_in_that_can_do_less_is_found: Planted::TakesEveryoneForAble, "E4";
    servers_that_are_never_emptied_are_found: Planted::NeverMoves, "L7";
    deleting_what_is_still_needed_is_found: Planted::DeletesTooEarly, "E5" "S5";
    electing_healthy_leaders_is_found: Planted::ElectsHealthyLeaders, "H2";
    electing_by_the_offset_alone_is_found: Planted::ElectsTheFarthestOffset, "T6" "T7" "T12" "T15";
    electing_the_smallest_head_is_found: Planted::ElectsTheSmallestHead, "T6" "T15" "L1";
    electing_the_smallest_head_is_found_by_what_it_loses: Overlooked(Planted::ElectsTheSmallestHead), "E6" "L1";
    electing_without_a_majority_is_found: Planted::ElectsWithoutAMajority, "E4" "L12" "L1" "L2" "H3";
    deleting_while_one_may_still_lead_is_found: Planted::DeletesUnfenced, "E5";
    forgetting_who_left_is_found: Planted::ForgetsWhoLeft, "E1";
    giving_up_after_one_check_is_found: Planted::GivesUpAfterOneCheck, "H1";
    hearing_an_older_tenure_is_found: Planted::HearsAnOlderTenure, "D7";
    an_outbox_kept_at_the_close_is_found: Planted::KeepsItsOutbox, "D1";
    an_epoch_that_is_not_raised_is_found: Planted::KeepsTheEpoch, "epoch";
    calls_that_leave_after_the_close_are_found: LooksOnce, "D1" "D5";
    followers_that_are_never_brought_back_are_found: Planted::NeverBringsBack, "L2" "L11" "T11";
    never_deleting_anything_is_found: Planted::NeverDeletes, "L6";
    terms_that_climb_where_they_should_jump_are_found: Planted::NeverJumps, "T3" "T13" "L3";
    a_deadline_that_does_not_move_is_found: Planted::NeverPauses, "D10";
    assignments_that_are_never_told_again_are_found: Planted::NeverTellsAgain, "A4" "L4";
    publishing_what_is_not_stored_is_found: Planted::PublishesWhatIsNotStored, "A1";
    recording_a_leader_too_early_is_found: Planted::RecordsTooEarly, "T9";
    repeating_a_store_otherwise_is_found: Planted::RepeatsOtherwise, "S3";
    leading_on_an_older_copy_in_silence_is_found: Planted::SaysNothingOfAnOldCopy, "S10";
    staying_though_useless_is_found: Planted::StaysThoughUseless, "L13";
    a_refusal_taken_for_success_is_found: Planted::TakesARefusalForSuccess, "T11" "L2" "L3";
    any_answer_taken_for_leading_is_found: Planted::TakesAnyAnswerForLeading, "L1" "L1 meanwhile" "T11";
    a_fenced_follower_taken_for_joined_is_found: Planted::TakesFencedForJoined, "T11" "T15" "L1" "L2" "L11" "T7";
    taking_in_a_log_that_would_differ_is_found: Planted::TakesInWhoDiffers, "T12";
    silence_taken_for_a_deletion_is_found: Planted::TakesSilenceForDeleted, "X1" "E5";
    telling_a_foreign_server_is_found: Planted::TellsAForeignServer, "H3";
    going_on_from_the_terms_of_an_older_copy_is_found: Planted::TrustsAnOldCopy, "T3" "T13" "T11";
    taking_what_is_told_for_all_that_there_is_is_found: Planted::TrustsWhatIsTold, "T15";
    undoing_a_deletion_is_found: Planted::UndoesADeletion, "X1" "S3" "E5" "A1";
    uniting_features_is_found: Planted::UnitesFeatures, "T8";
    a_shard_id_used_twice_is_found: Planted::UsesAShardIdTwice, "S9" "H2";
    a_term_used_again_is_found: Planted::UsesATermAgain, "T3" "L1";
    waiting_for_the_dead_is_found: Planted::WaitsForTheDead, "L1" "L1 meanwhile";
    working_with_a_foreign_server_is_found: Planted::WorksWithAForeignServer, "H3";
}

#[test]
fn replay() {
    if let Some(seed) = number("SIM_SEED") {
        fail(seed);
    }
}

#[derive(Default)]
struct Total {
    seeds: u64,
    sometimes: Sometimes,
    lived: Duration,
    events: u64,
    failing: Vec<u64>,
}

fn live_through(next: &AtomicU64, end: u64, until: Option<Instant>, total: &Mutex<Total>) {
    while until.is_none_or(|until| Instant::now() < until) {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let outcome = run(&Plan::of(seed, bounds()), &Real);
        let mut total = total.lock().unwrap();
        total.seeds += 1;
        total.sometimes.merge(&outcome.sometimes);
        total.lived += outcome.lived;
        total.events += outcome.events;
        if let Some(violation) = outcome.violation {
            println!(
                "seed {seed}: {} at {} s: {}",
                violation.property, violation.at, violation.text
            );
            total.failing.push(seed);
        }
    }
}

/// Runs a seed; where it fails, shrinks it, prints the trace of the smallest plan and fails.
fn fail(seed: u64) {
    let Some(shrunk) = shrink(seed, bounds(), &Real, 300) else {
        println!("seed {seed} breaks nothing");
        return;
    };
    let outcome = run_traced(&shrunk.plan, &Real, kept());
    panic!("{}", outcome.describe(&shrunk.plan));
}

#[test]
fn a_vote_of_a_replica_that_has_lost_its_disk_is_found() {
    const KINDS: &[FaultKind] = &[
        FaultKind::DiskEmptied,
        FaultKind::MajorityAway,
        FaultKind::ServerSilent,
        FaultKind::ServerCrash {
            tail_lost: false,
            refuses: false,
        },
    ];
    let mistake = Overlooked(Planted::LetsTheForgetfulVote);
    found_by(mistake, &["E6", "L1", "L2", "L11"], |seed| {
        Plan::of_kinds(seed, KINDS)
    });
}

fn lasting(lasts: u32) -> impl Fn(u32, usize, FaultKind) -> Fault {
    move |permille, target, kind| Fault {
        permille,
        target,
        lasts,
        kind,
    }
}

/// One is not heard of, and leaves; and then another one.
fn leaving_unheard(seed: u64) -> Plan {
    const CUT: FaultKind = FaultKind::Cut { coordinator: 0 };
    // Whoever leads in an earlier term comes to it again.
    const RESTARTS: FaultKind = FaultKind::ServerRestarts {
        times: 3,
        apart_ms: 3_000,
    };
    let servers = 6;
    let of = |seed: u64| usize::try_from(seed % 6).unwrap();
    let fault = lasting(110_000);
    let (one, other) = (of(seed), of(seed / 6));
    Plan {
        coordinators: 1,
        servers,
        chaos: 150,
        faults: vec![
            fault(10, one, CUT),
            fault(300, one, FaultKind::ServerRemoved),
            fault(450, other, FaultKind::ServerRemoved),
            fault(530, other, RESTARTS),
        ],
        ..Plan::of_kinds(seed, &[CUT])
    }
}

/// The same, where much happens at any time.
fn leaving_at_any_time(seed: u64) -> Plan {
    const KINDS: &[FaultKind] = &[
        FaultKind::Cut { coordinator: 0 },
        FaultKind::ServerRemoved,
        FaultKind::WritesAlone { leaders: 3 },
    ];
    Plan {
        coordinators: 1,
        servers: 6,
        ..Plan::of_kinds(seed, KINDS)
    }
}

#[test]
fn who_leaves_unheard_costs_nothing() {
    let unheard = (0..150).map(leaving_unheard);
    for plan in unheard.chain((0..300).map(leaving_at_any_time)) {
        let outcome = run_traced(&plan, &Real, kept());
        let told = outcome.describe(&plan);
        assert_eq!(outcome.violation, None, "seed {}: {told}", plan.seed);
    }
}

/// One of two has not heard of a namespace when it takes office.
fn taking_office_unawares(seed: u64) -> Plan {
    let of = |seed: u64| usize::try_from(seed % 2).unwrap();
    let fault = lasting(90_000);
    Plan {
        coordinators: 2,
        chaos: 400,
        faults: vec![
            fault(10, of(seed), FaultKind::ConfigurationUnheard),
            fault(50, 0, FaultKind::NamespaceAdded),
            fault(500, of(seed / 2), FaultKind::Shutdown),
        ],
        ..Plan::of_kinds(seed, &[FaultKind::NamespaceAdded])
    }
}

#[test]
fn a_configuration_that_is_not_read_once_more_is_found_by_what_it_deletes() {
    found_by(Planted::TrustsWhatItHeard, &["X2"], taking_office_unawares);
}

/// Who leaves stays after all, before it is heard whether the one that was to come has anything.
fn coming_in_vain(seed: u64) -> Plan {
    const LOSSY: FaultKind = FaultKind::Lossy { percent: 30 };
    let fault = lasting(5_000);
    let of = |seed: u64| usize::try_from(seed % 4).unwrap();
    Plan {
        coordinators: 1,
        servers: 4,
        chaos: 100,
        faults: vec![
            fault(300, of(seed), LOSSY),
            fault(301, of(seed / 4), FaultKind::ServerRemoved),
            fault(400, 0, FaultKind::ServerAdded),
        ],
        ..Plan::of_kinds(seed, &[LOSSY])
    }
}

#[test]
fn what_was_opened_in_vain_and_is_kept_is_found() {
    found_by(Planted::KeepsWhatItOpened, &["X3"], coming_in_vain);
}

#[test]
fn taking_what_is_told_for_what_is_on_disk_is_found_by_what_it_loses() {
    const KINDS: &[FaultKind] = &[
        FaultKind::DiesUnsynced { after_ms: 20 },
        FaultKind::MajorityAway,
        FaultKind::SlowSyncs,
        FaultKind::ServerCrash {
            tail_lost: true,
            refuses: false,
        },
        FaultKind::WritesAlone { leaders: 1 },
    ];
    let mistake = Overlooked(Planted::TrustsWhatIsTold);
    found_by(mistake, &["E6", "L11", "L2", "L1"], |seed| {
        Plan::of_kinds(seed, KINDS)
    });
}

fn found(mistake: impl Factory + std::fmt::Debug, properties: &[&str]) {
    found_by(mistake, properties, |seed| {
        Plan::of(seed, Bounds::default())
    });
}

fn found_by(
    mistake: impl Factory + std::fmt::Debug,
    properties: &[&str],
    plan: impl Fn(u64) -> Plan,
) {
    for seed in 0..SEEDS {
        let plan = plan(seed);
        if let Some(violation) = run(&plan, &mistake).violation {
            let real = run_traced(&plan, &Real, kept());
            assert_eq!(
                real.violation,
                None,
                "seed {seed}: {}",
                real.describe(&plan)
            );
            assert!(
                properties.contains(&violation.property),
                "seed {seed}: {violation:?}"
            );
            println!("{mistake:?} is found by seed {seed}: {violation:?}");
            return;
        }
    }
    panic!("{mistake:?} is not found");
}

fn seeds() -> u64 {
    number("SIM_SEEDS").unwrap_or(if at_night() { SEEDS_AT_NIGHT } else { SEEDS })
}

fn bounds() -> Bounds {
    if at_night() {
        Bounds {
            chaos: 3_600,
            shards: 48,
            faults: 80,
        }
    } else {
        Bounds::default()
    }
}

/// How many of the last lines of a trace are kept.
fn kept() -> usize {
    let kept = number("SIM_TRACE").and_then(|kept| usize::try_from(kept).ok());
    kept.unwrap_or(200)
}

fn at_night() -> bool {
    std::env::var("STEPDOWN_TESTS").is_ok_and(|kind| kind == "night")
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
