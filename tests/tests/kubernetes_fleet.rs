//! Three coordinator processes around a real API server, one trouble at a time.
#![cfg(target_os = "linux")]

use std::time::Duration;

use stepdown_core::Epoch;
use stepdown_tests::fleet::{Fleet, FleetOptions, Profile};
use stepdown_tests::kubernetes::proxy::{Answer, Fault, Kind, Requests, Verb};
use stepdown_tests::kubernetes::{Grants, Stop};
use tokio::sync::Mutex;

/// One cluster at a time: all want the same processors.
static TURN: Mutex<()> = Mutex::const_new(());

macro_rules! fleet {
    ($options:expr) => {
        match Fleet::start($options).await {
            Some(fleet) => fleet,
            // It has been said that it is skipped.
            None => return,
        }
    };
}

const CONFLICTS: &str = "stepdown_conflicts_total";
const TRANSITIONS: &str = "stepdown_transitions_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over_on_request_and_no_shard_is_elected_anew() {
    let _turn = TURN.lock().await;
    for grants in [Grants::Ours, Grants::Chart] {
        let mut fleet = fleet!(FleetOptions {
            grants,
            ..FleetOptions::default()
        });
        for _ in 0..3 {
            let leader = fleet.steady().await;
            let (epoch, terms) = (fleet.onlooker.epoch(), fleet.terms().await);
            fleet.end(leader).await;
            let next = fleet.leader_after(epoch).await;
            assert_ne!(next, leader);
            fleet.mend().await;
            fleet.steady().await;
            assert_eq!(fleet.terms().await, terms, "needless elections");
        }
        fleet.nothing_is_lost().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_hands_over_to_the_one_that_is_named() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions::default());
    let leader = fleet.steady().await;
    let other = (leader + 2) % 3;
    let name = fleet.process(other).name().to_owned();
    let (epoch, terms) = (fleet.onlooker.epoch(), fleet.terms().await);
    let ran = fleet.transfer(&name, "30s").await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.text.contains(&format!("{name} leads")), "{ran:?}");
    assert_eq!(fleet.leader_after(epoch).await, other);
    assert_eq!(fleet.terms().await, terms, "needless elections");

    let ran = fleet.transfer(&name, "30s").await;
    assert_eq!(
        (ran.code, ran.text.contains("already")),
        (Some(0), true),
        "{ran:?}"
    );

    let ran = fleet.transfer("nobody", "3s").await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.text.contains("nobody does not lead"), "{ran:?}");
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_followed_by_another() {
    let _turn = TURN.lock().await;
    for grants in [Grants::Ours, Grants::Chart] {
        let mut fleet = fleet!(FleetOptions {
            grants,
            ..FleetOptions::default()
        });
        let leader = fleet.steady().await;
        let (epoch, terms) = (fleet.onlooker.epoch(), fleet.terms().await);
        fleet.kill(leader);
        let next = fleet.leader_after(epoch).await;
        assert_ne!(next, leader);
        fleet.mend().await;
        fleet.steady().await;
        assert_eq!(fleet.terms().await, terms, "needless elections");
        fleet.nothing_is_lost().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_restarted_in_the_same_pod_takes_its_lease_back_at_once() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions {
        names: vec!["c1"],
        profile: Profile::Default,
        ..FleetOptions::default()
    });
    let epoch = fleet.onlooker.epoch();
    fleet.kill(0);
    let killed = tokio::time::Instant::now();
    fleet.mend().await;
    fleet.leader_after(epoch).await;
    // The lease of the one before lasts for 15 s; nothing here is timed but that.
    assert!(killed.elapsed() < Duration::from_secs(10));
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_sleeps_beyond_its_lease_steps_down_when_it_wakes() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions::default());
    let leader = fleet.steady().await;
    let epoch = fleet.onlooker.epoch();
    fleet.pause(leader);
    fleet.add_namespace().await;
    let next = fleet.leader_after(epoch).await;
    assert_ne!(next, leader);
    fleet.mend().await;
    fleet
        .until("the sleeper to notice", async |fleet| {
            let expired = [("cause", "authority_expired")];
            let left = fleet
                .metric(leader, "stepdown_transitions_total", &expired)
                .await;
            (left > 0.0).then_some(())
        })
        .await;
    assert_eq!(fleet.steady().await, next);
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_away_for_5_s_costs_no_office_and_one_away_for_30_s_does() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions {
        profile: Profile::Default,
        ..FleetOptions::default()
    });
    let leader = fleet.steady().await;
    let epoch = fleet.onlooker.epoch();
    for short in [true, false] {
        if short {
            fleet.api.pause_api();
        } else {
            fleet.api.stop_api(Stop::Kill).await;
        }
        let away = if short { 5 } else { 30 };
        fleet.live(Duration::from_secs(away)).await;
        if short {
            fleet.api.resume_api();
            assert_eq!(fleet.steady().await, leader);
            assert_eq!(fleet.onlooker.epoch(), epoch);
        } else {
            assert!(
                !fleet.somebody_leads().await,
                "nobody can know that it leads"
            );
            fleet.api.start_api().await;
            fleet.leader_after(epoch).await;
        }
    }
    fleet.nothing_is_lost().await;
}

/// What coordinators do while a stranger writes.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Load,
    Fencing,
    Election,
    Idle,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_write_in_any_phase_is_a_conflict_and_is_not_lost() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions::default());
    for phase in [Phase::Idle, Phase::Election, Phase::Load, Phase::Fencing] {
        let leader = fleet.steady().await;
        let epoch = fleet.onlooker.epoch();
        let conflicts = fleet.metric(leader, CONFLICTS, &[]).await;
        let generator = match phase {
            Phase::Idle => fleet.documents.write_as_stranger(3).await,
            Phase::Election => {
                fleet.kill_server(0);
                fleet.documents.write_as_stranger(3).await
            }
            Phase::Load => {
                let loads = Requests::of(Kind::Status).verbs(&[Verb::Get]);
                fleet.kill_and_write_during(leader, loads).await
            }
            Phase::Fencing => {
                let writes = Requests::of(Kind::Status).verbs(&Verb::WRITES);
                fleet.kill_and_write_during(leader, writes).await
            }
        };
        fleet.leader_after(epoch).await;
        if let Phase::Idle | Phase::Election = phase {
            fleet.conflict(leader, conflicts).await;
        }
        fleet.mend().await;
        fleet.steady().await;
        let status = fleet.documents.status().await.expect("there is a status");
        assert!(
            status.shard_id_generator >= generator,
            "{phase:?}: it is lost"
        );
    }
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_an_old_leader_that_arrives_after_the_take_over_is_refused() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions::default());
    let leader = fleet.steady().await;
    let epoch = fleet.onlooker.epoch();
    let writes = Requests::of(Kind::Status).verbs(&[Verb::Patch]);
    let held = fleet.proxy(leader).strike_next(1, writes, Fault::Hold);
    let renewals = Requests::of(Kind::Lease).verbs(&[Verb::Update]);
    fleet.add_namespace().await;
    held.hit().await;
    // The leader is cut off with its write under way, and so is its lease.
    let renewal = fleet.proxy(leader).strike_next(1, renewals, Fault::Hold);
    renewal.hit().await;
    fleet.pause(leader);
    fleet.leader_after(epoch).await;
    let (document, lease) = (held.deliver().await, renewal.deliver().await);
    assert_eq!(document.code, 409, "{document:?}");
    assert_eq!(lease.code, 409, "{lease:?}");
    fleet.mend().await;
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_leader_whose_last_write_hangs_takes_what_is_handed_over_to_it() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions::default());
    let leader = fleet.steady().await;
    let epoch = fleet.onlooker.epoch();
    let writes = Requests::of(Kind::Status).verbs(&[Verb::Patch]);
    let held = fleet.proxy(leader).strike_next(1, writes, Fault::Hold);
    fleet.add_namespace().await;
    held.hit().await;
    fleet.pause(leader);
    fleet.leader_after(epoch).await;
    fleet.wake(leader);
    // Its write is still under way, though its office is another's by now.
    let name = fleet.process(leader).name().to_owned();
    let ran = fleet.transfer(&name, "3s").await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(held.deliver().await.code, 409);
    fleet.mend().await;
    fleet.steady().await;
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_pods_of_one_name_one_leads_and_the_other_waits() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions {
        names: vec!["twin", "twin"],
        ..FleetOptions::default()
    });
    let leader = fleet.steady().await;
    let epoch = fleet.onlooker.epoch();
    // Longer than a lease: the other knows that its name is held by somebody else.
    fleet.live(Duration::from_secs(5)).await;
    assert_eq!(
        (fleet.leader().await, fleet.onlooker.epoch()),
        (Some(leader), epoch)
    );
    fleet.pause(leader);
    let other = fleet.leader_after(epoch).await;
    assert_ne!(other, leader);
    fleet.mend().await;
    assert_eq!(fleet.steady().await, other);
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_lease_ends_the_office_and_somebody_leads_again() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions::default());
    let leader = fleet.steady().await;
    let (epoch, terms) = (fleet.onlooker.epoch(), fleet.terms().await);
    fleet.documents.delete_lease().await;
    fleet.leader_after(epoch).await;
    let log = std::fs::read_to_string(fleet.process(leader).log()).expect("there is a log");
    let says = "Lease oxia/oxia-cluster-status: the lease was deleted";
    assert!(log.contains(says), "{log}");
    fleet.steady().await;
    assert_eq!(fleet.terms().await, terms, "needless elections");
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_status_makes_no_new_cluster_and_a_restored_one_is_led_again() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions::default());
    fleet.steady().await;
    let instance = fleet
        .documents
        .status()
        .await
        .expect("there is a status")
        .instance_id;
    let epoch = fleet.onlooker.epoch();
    let copy = fleet.documents.delete_status().await;
    fleet
        .until("the loss to be noticed", async |fleet| {
            for index in 0..3 {
                if fleet.metric(index, "stepdown_status_unreadable", &[]).await > 0.0 {
                    return (!fleet.somebody_leads().await).then_some(());
                }
            }
            None
        })
        .await;
    assert_eq!(fleet.documents.status_object().await, None);
    fleet.documents.restore_status(copy).await;
    fleet.leader_after(epoch).await;
    fleet.steady().await;
    let status = fleet.documents.status().await.expect("there is a status");
    assert_eq!(status.instance_id, instance);
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_is_deleted_or_empty_changes_nothing() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions::default());
    let leader = fleet.steady().await;
    let rejected = async |fleet: &mut Fleet, wanted: f64| {
        let what = "the configuration to be judged";
        fleet
            .until(what, async |fleet| {
                let now = fleet
                    .metric(leader, "stepdown_configuration_rejected", &[])
                    .await;
                (now == wanted).then_some(())
            })
            .await;
    };
    fleet.documents.delete_configuration().await;
    rejected(&mut fleet, 1.0).await;
    fleet.configure().await;
    rejected(&mut fleet, 0.0).await;
    fleet.documents.configure("").await;
    rejected(&mut fleet, 1.0).await;
    assert_eq!(fleet.steady().await, leader);
    fleet.configure().await;
    fleet.add_namespace().await;
    fleet.steady().await;
    assert!(fleet.onlooker.epoch() > Epoch(0));
    fleet.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_may_not_read_the_status_gives_the_lease_back_to_one_that_may() {
    let _turn = TURN.lock().await;
    let mut fleet = fleet!(FleetOptions::default());
    let leader = fleet.steady().await;
    let barred = (leader + 1) % 3;
    let name = fleet.process(barred).name().to_owned();
    let epoch = fleet.onlooker.epoch();
    let denied = Answer::status(403, "Forbidden", "not you");
    fleet
        .proxy(barred)
        .strike_all(Requests::of(Kind::Status), Fault::Answer(denied));
    fleet.transfer(&name, "1s").await;
    let next = fleet.leader_after(epoch).await;
    assert_ne!(next, barred);
    let given_back = fleet
        .metric(barred, TRANSITIONS, &[("cause", "not_in_office")])
        .await;
    assert!(given_back > 0.0, "it held the lease, and gave it back");
    fleet.mend().await;
    fleet.steady().await;
    fleet.nothing_is_lost().await;
}
