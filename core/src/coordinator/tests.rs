//! The role machine, end to end: what it asks for in every state, and in which order.

use std::sync::Arc;
use std::time::Duration;

use crate::call::CallErrorKind;
use crate::cluster::ShardStatus;
use crate::scripted::{CONFIGURATION, World, error};
use crate::store::{HeadOutcome, LoadOutcome, StoreOutcome};
use crate::{
    Cause, ConfigurationText, CoordinatorState, Effect, Event, Options, ProcessId, Reason, Report,
    RequestId, Role, Tenure, Timestamp, Timing,
};

#[test]
fn a_candidate_loads_and_fences_before_it_leads() {
    let mut world = World::new();
    world.settle();
    let order: Vec<_> = kinds(&world.log)
        .into_iter()
        .filter(|kind| !kind.starts_with("Report"))
        .collect();
    assert_eq!(order, ["Campaign", "Load", "Store", "OpenOffice"]);
    assert_eq!(world.machine.role(), Role::Leader);
    let (_, document) = world.stored.as_ref().unwrap();
    assert_eq!(
        (document.epoch.0, document.status.instance_id.len()),
        (1, 36)
    );
}

#[test]
fn a_new_cluster_elects_every_shard_with_two_stores_after_the_fencing_write() {
    let world = World::steady();
    let status = world.status();
    let shards: Vec<_> = status.shards().collect();
    assert_eq!(shards.len(), 2);
    for (_, _, shard) in shards {
        assert_eq!((shard.status, shard.term.0), (ShardStatus::SteadyState, 0));
        assert!(shard.ensemble.contains(shard.leader.as_ref().unwrap()));
    }
    assert_eq!(status.shard_id_generator, 2);
}

#[test]
fn a_conflict_closes_the_office_in_the_same_step_and_the_same_process_leads_again() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.overwrite();
    let store = start_election(&mut world);
    let outcome = StoreOutcome::Conflict("version 9".to_owned());
    let effects = world.raw(Event::StoreEnded {
        tenure,
        request: store,
        outcome,
    });
    assert_eq!(
        kinds(&effects),
        [
            "Report(StoreConcluded)",
            "Report(RoleChanged)",
            "CloseOffice"
        ]
    );
    assert_eq!(world.machine.role(), Role::SteppingDown);
    assert_eq!(world.machine.poll_deadline(), None);

    let effects = world.raw(Event::Drained { tenure });
    assert_eq!(kinds(&effects), ["Report(RoleChanged)", "Release"]);
    assert_eq!(
        (world.machine.role(), world.tenure()),
        (Role::Candidate, tenure.next())
    );
    world.hold_stores = false;
    world.run_for(5_000);
    assert_eq!(world.machine.role(), Role::Leader);
    assert_eq!(world.stored.as_ref().unwrap().1.epoch.0, 2);
}

#[test]
fn an_idle_leader_notices_a_foreign_write_and_steps_down() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.overwrite();
    world.run_for(6_000);
    assert!(world.tenure() > tenure);
    assert_eq!(world.machine.role(), Role::Leader);
}

#[test]
fn a_hint_makes_an_idle_leader_look_at_once() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.overwrite();
    world.feed(Event::StatusHinted);
    world.run_for(100);
    assert!(world.tenure() > tenure);
}

#[test]
fn an_ambiguous_store_holds_every_call_back_until_the_head_was_read() {
    let mut world = World::steady();
    let tenure = world.tenure();
    let store = start_election(&mut world);
    let (expected, document) = last_store(&world);
    world.apply(expected, document);
    let outcome = StoreOutcome::Ambiguous("timed out".to_owned());
    let effects = world.raw(Event::StoreEnded {
        tenure,
        request: store,
        outcome,
    });
    assert_eq!(kinds(&effects), ["Report(StoreConcluded)", "ReadHead"]);
    let Some(Effect::ReadHead { request, .. }) = effects.last() else {
        panic!()
    };
    let request = *request;

    world.now = world.now.after(Duration::from_secs(2));
    assert_eq!(kinds(&world.raw(Event::TimePassed)), Vec::<String>::new());
    let outcome = world.head();
    let effects = kinds(&world.raw(Event::HeadRead {
        tenure,
        request,
        outcome,
    }));
    assert!(effects.contains(&"Call(NewTerm)".to_owned()), "{effects:?}");
    assert!(
        effects.contains(&"Call(CheckHealth)".to_owned()),
        "{effects:?}"
    );
}

#[test]
fn an_ambiguous_store_that_was_not_applied_is_sent_again_with_the_same_write_id() {
    let mut world = World::steady();
    let tenure = world.tenure();
    let store = start_election(&mut world);
    let before = last_store(&world);
    world
        .script
        .push(StoreOutcome::Ambiguous("timed out".to_owned()));
    world.script.push(StoreOutcome::Conflict(
        "an earlier try came first".to_owned(),
    ));
    world.hold_stores = false;
    world.log.clear();
    let (expected, document) = before.clone();
    let outcome = world.store(expected, document);
    world.feed(Event::StoreEnded {
        tenure,
        request: store,
        outcome,
    });
    let again = last_store(&world);
    assert_eq!(before, again);
    assert_eq!(
        world.machine.role(),
        Role::Leader,
        "a false conflict costs no leadership"
    );
    world.run_for(1_000);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_store_that_stays_ambiguous_is_not_sent_again_without_a_pause() {
    let mut world = World::steady();
    world.script = vec![StoreOutcome::Ambiguous("500".to_owned()); 50];
    fail_leader(&mut world);
    world.run_for(1_000);
    assert!(
        (2..20).contains(&world.stores()),
        "{} stores",
        world.stores()
    );
}

#[test]
fn an_ambiguous_store_that_somebody_else_overtook_is_a_conflict() {
    let mut world = World::steady();
    let tenure = world.tenure();
    let store = start_election(&mut world);
    world.overwrite();
    world.hold_stores = false;
    let outcome = StoreOutcome::Ambiguous("409".to_owned());
    world.feed(Event::StoreEnded {
        tenure,
        request: store,
        outcome,
    });
    assert!(world.tenure() > tenure);
    assert_eq!(
        world.calls("NewTerm"),
        0,
        "no term was fenced that is not stored"
    );
}

#[test]
fn a_new_namespace_that_is_too_large_after_a_doubtful_try_costs_the_office_and_not_the_gate() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world
        .script
        .push(StoreOutcome::Ambiguous("timed out".to_owned()));
    world
        .script
        .push(StoreOutcome::TooLarge("1 MiB".to_owned()));
    let more = "namespaces:\n  - {name: more, initialShardCount: 1, replicationFactor: 3}\n";
    world.configure(Some(&CONFIGURATION.replace("\nnamespaces:\n", more)));
    assert!(world.tenure() > tenure);
    world.run_for(10_000);
    assert_eq!(world.machine.role(), Role::Leader);
}

#[test]
fn a_store_that_is_not_available_is_tried_again_and_leadership_stays() {
    let mut world = World::steady();
    let tenure = world.tenure();
    let after = Duration::from_millis(10);
    for _ in 0..5 {
        world.script.push(StoreOutcome::Unavailable {
            after,
            reason: "503".to_owned(),
        });
    }
    fail_leader(&mut world);
    world.run_for(20_000);
    assert_eq!(
        (world.tenure(), world.machine.steady_shards()),
        (tenure, Some((2, 2)))
    );
}

#[test]
fn a_fencing_write_that_is_refused_loads_again_and_gives_up_after_five_tries() {
    let mut world = World::new();
    world.script = (0..5)
        .map(|_| StoreOutcome::Conflict("another".to_owned()))
        .collect();
    world.settle();
    assert_eq!(world.stores(), 5);
    assert_eq!(
        world
            .log
            .iter()
            .filter(|effect| matches!(effect, Effect::Load { .. }))
            .count(),
        5
    );
    assert!(world.tenure() > Tenure(1));
    world.run_for(5_000);
    assert_eq!(world.machine.role(), Role::Leader);
}

#[test]
fn an_unreadable_document_keeps_the_candidate_out_of_office() {
    let mut world = World::new();
    let effects = world.drain();
    let Some(Effect::Campaign { tenure }) = effects.last().cloned() else {
        panic!()
    };
    let effects = world.raw(Event::LeadershipWon {
        tenure,
        authority: None,
    });
    let Some(Effect::Load { request, .. }) = effects.last().cloned() else {
        panic!()
    };
    let outcome = LoadOutcome::Corrupt("torn".to_owned());
    let effects = world.raw(Event::Loaded {
        tenure,
        request,
        outcome,
    });
    assert_eq!(kinds(&effects), ["Report(StatusUnreadable)"]);
    assert_eq!(world.machine.role(), Role::Candidate);
    assert_eq!(
        world.machine.poll_deadline().map(|(_, reason)| reason),
        Some(Reason::Load)
    );
}

#[test]
fn leadership_without_an_office_is_given_back_and_others_go_first() {
    let mut world = World::new();
    world.unreadable = Some(LoadOutcome::Corrupt("torn".to_owned()));
    world.settle();
    world.run_for(29_999);
    assert_eq!(world.tenure(), Tenure(1));
    world.log.clear();
    world.run_for(1);
    let given_up = world.log.iter().find_map(|effect| match effect {
        Effect::Report(Report::RoleChanged {
            cause: Some(cause),
            reason,
            ..
        }) => Some((*cause, reason.as_str())),
        _ => None,
    });
    let (cause, reason) = given_up.expect("it gives up");
    assert_eq!(cause, Cause::NotInOffice);
    assert!(reason.contains("torn"), "{reason}");
    assert!(kinds(&world.log).contains(&"Release".to_owned()));
    world.log.clear();
    world.run_for(4_999);
    assert_eq!(kinds(&world.log), [""; 0]);
    world.run_for(1);
    assert!(kinds(&world.log).contains(&"Campaign".to_owned()));
}

#[test]
fn a_document_that_is_mended_in_time_is_led_on_for_good() {
    let mut world = World::steady().restarted();
    world.unreadable = Some(LoadOutcome::Forbidden("no rights".to_owned()));
    world.settle();
    world.run_for(20_000);
    world.unreadable = None;
    world.run_for(60_000);
    assert_eq!(world.machine.role(), Role::Leader);
    assert_eq!(world.tenure(), Tenure(1));
}

#[test]
fn a_fencing_write_that_never_succeeds_gives_leadership_back() {
    let mut world = World::new();
    world.script = vec![StoreOutcome::TooLarge("1 MiB".to_owned()); 1_000];
    world.settle();
    world.run_for(30_000);
    assert_eq!(world.tenure(), Tenure(2));
    let told = world.log.iter().any(|effect| {
        matches!(effect, Effect::Report(Report::RoleChanged { reason, .. })
            if reason.contains("1 MiB"))
    });
    assert!(told, "{:?}", kinds(&world.log));
}

#[test]
fn a_slow_fencing_write_is_waited_for_as_long_as_nothing_is_in_its_way() {
    let mut world = World::new();
    world.hold_stores = true;
    world.settle();
    world.run_for(60_000);
    world.release();
    assert_eq!(world.machine.role(), Role::Leader);
    assert_eq!(world.tenure(), Tenure(1));
}

#[test]
fn a_shutdown_and_a_configuration_are_heard_by_whoever_has_to_leave_at_the_same_moment() {
    let overdue = || {
        let mut world = World::new();
        world.unreadable = Some(LoadOutcome::Corrupt("torn".to_owned()));
        world.settle();
        world.run_for(29_999);
        world
    };
    let expired = || {
        let mut world = World::new();
        let tenure = world.tenure();
        world.drain();
        let authority = Some(world.now.after(Duration::from_secs(10)));
        world.feed(Event::LeadershipWon { tenure, authority });
        world.run_for(9_999);
        world
    };
    for mut world in [overdue(), expired()] {
        world.now = world.now.after(Duration::from_millis(1));
        world.log.clear();
        world.feed(Event::ShutdownRequested);
        assert!(kinds(&world.log).contains(&"Exit".to_owned()));
    }
    for mut world in [overdue(), expired()] {
        world.now = world.now.after(Duration::from_millis(1));
        world.unreadable = None;
        world.configure(Some(CONFIGURATION));
        assert_eq!(world.tenure(), Tenure(2));
        world.run_for(10_000);
        assert_eq!(world.machine.steady_shards(), Some((2, 2)));
    }
}

#[test]
fn authority_that_ends_closes_the_office_before_anything_else_leaves() {
    let mut world = World::new();
    let Some(Effect::Campaign { tenure }) = world.drain().last().cloned() else {
        panic!()
    };
    let authority = world.now.after(Duration::from_secs(10));
    world.feed(Event::LeadershipWon {
        tenure,
        authority: Some(authority),
    });
    assert_eq!(world.machine.role(), Role::Leader);
    let later = authority.after(Duration::from_secs(5));
    world.feed(Event::AuthorityExtended {
        tenure,
        authority: later,
    });
    world.now = authority;
    world.feed(Event::TimePassed);
    assert_eq!(world.machine.role(), Role::Leader);
    world.now = later;
    let effects = world.raw(Event::TimePassed);
    assert_eq!(kinds(&effects), ["Report(RoleChanged)", "CloseOffice"]);
    let Some(Effect::Report(Report::RoleChanged { cause, .. })) = effects.first() else {
        panic!()
    };
    assert_eq!(*cause, Some(Cause::AuthorityExpired));
}

#[test]
fn a_shutdown_drains_releases_and_exits_in_this_order() {
    let mut world = World::steady();
    let tenure = world.tenure();
    assert_eq!(
        kinds(&world.raw(Event::ShutdownRequested)),
        ["Report(RoleChanged)", "CloseOffice"]
    );
    let effects = world.raw(Event::Drained { tenure });
    assert_eq!(kinds(&effects), ["Report(RoleChanged)", "Release", "Exit"]);
    world.run_for(60_000);
    assert!(world.drain().is_empty());
}

#[test]
fn a_configuration_that_is_empty_missing_or_broken_deletes_nothing() {
    let mut world = World::steady();
    let before = world.status().clone();
    for text in [
        None,
        Some(""),
        Some("# nothing\n"),
        Some("{}"),
        Some("namespaces: ["),
    ] {
        world.configure(text);
        world.run_for(10_000);
        assert_eq!(*world.status(), before, "{text:?}");
        let rejected = |effect: &Effect| {
            matches!(effect, Effect::Report(Report::ConfigurationRejected { .. }))
        };
        assert!(
            world.log.drain(..).any(|effect| rejected(&effect)),
            "{text:?}"
        );
    }
}

#[test]
fn a_server_that_moves_is_reached_and_stored_at_its_new_address() {
    let mut world = World::steady();
    world.configure(Some(&CONFIGURATION.replace("s2:6649", "s9:6649")));
    world.run_for(5_000);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
    for (_, _, shard) in world.status().shards() {
        assert_eq!(shard.term.0, 1);
        assert!(
            shard
                .ensemble
                .iter()
                .any(|member| &*member.internal == "s9:6649")
        );
    }
}

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
        | Event::ConfigurationRead(_)
        | Event::Drained { .. }
        | Event::HeadRead { .. }
        | Event::HealthObserved { .. }
        | Event::HealthWatchEnded { .. }
        | Event::LeadershipLost { .. }
        | Event::LeadershipWon { .. }
        | Event::Loaded { .. }
        | Event::PushEnded { .. }
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
        Event::ConfigurationRead(ConfigurationText {
            source: "f".to_owned(),
            text: None,
        }),
        Event::Drained { tenure },
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

/// Makes the leader of shard 0 unavailable, so that it is elected again.
fn fail_leader(world: &mut World) {
    let leader = {
        let (_, _, shard) = world.status().shards().next().unwrap();
        Arc::clone(&shard.leader.as_ref().unwrap().internal)
    };
    let tenure = world.tenure();
    let request = *world.watches.get(&*leader).unwrap();
    for call in ["CheckHealth", "NewTerm", "Handshake", "GetStatus"] {
        world
            .failing
            .insert((leader.to_string(), call), CallErrorKind::Unreachable);
    }
    world.feed(Event::HealthObserved {
        tenure,
        request,
        serving: false,
    });
}

/// The same, with the store of the new term held back; returns its request.
fn start_election(world: &mut World) -> RequestId {
    world.hold_stores = true;
    fail_leader(world);
    world
        .log
        .retain(|effect| matches!(effect, Effect::Store { .. }));
    match world.held.last() {
        Some(Effect::Store { request, .. }) => *request,
        other => panic!("no store is in flight: {other:?}"),
    }
}

fn last_store(world: &World) -> (Option<crate::Version>, crate::store::StatusDocument) {
    let last = world.log.iter().rev().find_map(|effect| match effect {
        Effect::Store {
            expected, document, ..
        } => Some((expected.clone(), document.clone())),
        _ => None,
    });
    last.unwrap()
}

fn kinds(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(kind).collect()
}

fn kind(effect: &Effect) -> String {
    let first_word = |text: String| {
        text.split(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    match effect {
        Effect::Call { call, .. } => format!("Call({})", crate::scripted::name(call)),
        Effect::Report(report) => format!("Report({})", first_word(format!("{report:?}"))),
        other => first_word(format!("{other:?}")),
    }
}
