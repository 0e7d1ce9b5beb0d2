//! Every event in every state; the same events, and the same effects.

use super::steps::{fail_leader, kinds};
use crate::call::CallErrorKind;
use crate::scripted::{World, error};
use crate::store::{HeadOutcome, LoadOutcome, StoreOutcome};
use crate::{
    ConfigurationText, CoordinatorState, Effect, Event, Options, ProcessId, RequestId, Role,
    ServerId, Tenure, Timestamp, Timing,
};

#[test]
fn answers_of_an_older_tenure_change_nothing() {
    let mut world = World::steady();
    let old = world.tenure();
    world.overwrite();
    world.run_for(6_000);
    let role = world.machine.role();
    let before = world.status().clone();
    for event in every_event(old, RequestId(3)) {
        let belongs_to_no_tenure = matches!(
            event,
            Event::ConfigurationRead(_)
                | Event::ConfigurationRefused { .. }
                | Event::ServerGivenUp { .. }
                | Event::ShutdownRequested
                | Event::StatusHinted
                | Event::TimePassed
        );
        if !belongs_to_no_tenure {
            assert_eq!(
                kinds(&world.raw(event.clone())),
                Vec::<String>::new(),
                "{event:?}"
            );
        }
    }
    assert_eq!((world.machine.role(), world.status()), (role, &before));
}

/// Every state, reached by its own way, and every event, of this tenure and of another.
#[test]
fn every_event_has_a_defined_outcome_in_every_state() {
    let states = [
        ("campaigning", Role::Candidate),
        ("loading", Role::Candidate),
        ("fencing", Role::Candidate),
        ("leading", Role::Leader),
        ("stepping down", Role::SteppingDown),
        ("stopped", Role::Candidate),
    ];
    for (state, role) in states {
        let probe = reach(state);
        assert_eq!(probe.machine.role(), role, "{state}");
        let tenure = probe.tenure();
        for tenure in [tenure, Tenure(tenure.0 + 1)] {
            for event in every_event(tenure, RequestId(u64::MAX)) {
                let mut world = reach(state);
                let current = world.tenure() == tenure;
                let effects = kinds(&world.raw(event.clone()));
                let expected = expected_role(state, &event, current, role);
                assert_eq!(world.machine.role(), expected, "{state}: {event:?}");
                if role == Role::SteppingDown {
                    let begins = effects.iter().any(|kind| {
                        !kind.starts_with("Report") && kind != "Release" && kind != "Exit"
                    });
                    assert!(
                        !begins,
                        "{state} begins something at {event:?}: {effects:?}"
                    );
                }
                if state == "stopped" {
                    assert!(effects.is_empty(), "{event:?}: {effects:?}");
                }
            }
        }
    }
}

fn expected_role(state: &str, event: &Event, current: bool, role: Role) -> Role {
    let holds_office = matches!(state, "campaigning" | "loading" | "fencing" | "leading");
    match event {
        Event::ShutdownRequested if holds_office => Role::SteppingDown,
        Event::LeadershipLost { .. } if holds_office && current => Role::SteppingDown,
        Event::Drained { .. } if role == Role::SteppingDown && current => Role::Candidate,
        Event::AuthorityExtended { .. }
        | Event::CallAnswered { .. }
        | Event::ConfigurationFound { .. }
        | Event::ConfigurationRead(_)
        | Event::ConfigurationRefused { .. }
        | Event::Drained { .. }
        | Event::HeadRead { .. }
        | Event::HealthObserved { .. }
        | Event::HealthWatchEnded { .. }
        | Event::LeadershipLost { .. }
        | Event::LeadershipWon { .. }
        | Event::Loaded { .. }
        | Event::PushEnded { .. }
        | Event::ServerGivenUp { .. }
        | Event::ShutdownRequested
        | Event::StatusHinted
        | Event::StoreEnded { .. }
        | Event::TimePassed => role,
    }
}

fn every_event(tenure: Tenure, request: RequestId) -> Vec<Event> {
    let conflict = StoreOutcome::Conflict("another".to_owned());
    let gone = || error(CallErrorKind::Unreachable);
    vec![
        Event::AuthorityExtended {
            tenure,
            authority: Timestamp(u64::MAX),
        },
        Event::CallAnswered {
            tenure,
            request,
            result: Err(gone()),
        },
        Event::ConfigurationFound {
            tenure,
            request,
            found: Err("it can't be read".to_owned()),
        },
        Event::ConfigurationRefused {
            source: "cluster.yaml".to_owned(),
            reason: "an address can't be dialled".to_owned(),
        },
        Event::ConfigurationRead(ConfigurationText {
            source: "f".to_owned(),
            text: None,
        }),
        Event::Drained { tenure },
        Event::ServerGivenUp {
            server: ServerId("s1".into()),
        },
        Event::HeadRead {
            tenure,
            request,
            outcome: HeadOutcome::Absent,
        },
        Event::HealthObserved {
            tenure,
            request,
            serving: false,
        },
        Event::HealthWatchEnded {
            tenure,
            request,
            error: gone(),
        },
        Event::LeadershipLost {
            tenure,
            reason: "taken".to_owned(),
        },
        Event::LeadershipWon {
            tenure,
            authority: None,
        },
        Event::Loaded {
            tenure,
            request,
            outcome: LoadOutcome::Corrupt("torn".to_owned()),
        },
        Event::PushEnded {
            tenure,
            request,
            error: gone(),
        },
        Event::ShutdownRequested,
        Event::StatusHinted,
        Event::StoreEnded {
            tenure,
            request,
            outcome: conflict,
        },
        Event::TimePassed,
    ]
}

fn reach(state: &str) -> World {
    match state {
        "campaigning" => campaigning(),
        "loading" => loading(),
        "fencing" => fencing(),
        "leading" => World::steady(),
        "stepping down" => stepping_down(),
        "stopped" => stopped(),
        other => panic!("no such state: {other}"),
    }
}

fn campaigning() -> World {
    let mut world = World::new();
    world.drain();
    world
}

fn loading() -> World {
    let mut world = campaigning();
    let tenure = world.tenure();
    world.raw(Event::LeadershipWon {
        tenure,
        authority: None,
    });
    world
}

fn fencing() -> World {
    let mut world = World::new();
    world.hold_stores = true;
    world.settle();
    world
}

fn stepping_down() -> World {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.raw(Event::LeadershipLost {
        tenure,
        reason: "taken".to_owned(),
    });
    world
}

fn stopped() -> World {
    let mut world = World::steady();
    world.feed(Event::ShutdownRequested);
    world
}

#[test]
fn the_same_events_give_the_same_effects() {
    let run = || {
        let mut world = World::steady();
        fail_leader(&mut world);
        world.run_for(30_000);
        world.overwrite();
        world.run_for(30_000);
        serde_json::to_string(&world.log).unwrap()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_machine_without_a_driver_waits() {
    let options = Options {
        process: ProcessId(1),
        seed: 1,
        timing: Timing::default(),
    };
    let mut machine = CoordinatorState::new(options, Timestamp(0));
    assert_eq!(
        machine.poll_effect(),
        Some(Effect::Campaign { tenure: Tenure(1) })
    );
    assert_eq!(
        (machine.poll_effect(), machine.poll_deadline()),
        (None, None)
    );
}
