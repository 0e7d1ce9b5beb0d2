//! A data server's life, seen from outside.

mod silence;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::call::{Answer, Binding, Call, CallError, CallErrorKind};
use crate::scripted::{CONFIGURATION, World, error};
use crate::{Effect, Event, Report, RequestId, ServerState};

const SERVER: &str = "s1:6649";

fn check_of(world: &World, effects: &[Effect]) -> RequestId {
    let tenure = world.tenure();
    let check = effects.iter().find_map(|effect| match effect {
        Effect::Call {
            tenure: of,
            request,
            server,
            call: crate::call::Call::CheckHealth,
        } if *of == tenure && &*server.internal == SERVER => Some(*request),
        _ => None,
    });
    check.expect("a check of the server")
}

fn states(world: &World) -> Vec<ServerState> {
    let states = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::ServerChanged { server, state, .. }) if &*server.0 == "s1" => {
            Some(*state)
        }
        _ => None,
    });
    states.collect()
}

fn pushes(effects: &[Effect]) -> usize {
    effects
        .iter()
        .filter(|effect| matches!(effect, Effect::PushAssignments { .. }))
        .count()
}

/// Feeds one failed check, with whatever it says.
fn fail_check(world: &mut World, kind: CallErrorKind) {
    let tenure = world.tenure();
    world.now = world.now.after(Duration::from_secs(2));
    let effects = world.raw(Event::TimePassed);
    let request = check_of(world, &effects);
    let rest = effects
        .into_iter()
        .filter(|effect| !matches!(effect, Effect::Call { request: of, .. } if *of == request));
    for effect in rest {
        world.answer(effect);
    }
    world.feed(Event::CallAnswered {
        tenure,
        request,
        result: Err(error(kind)),
    });
}

#[test]
fn three_failed_checks_make_a_server_unavailable_and_two_do_not() {
    let mut world = World::steady();
    fail_check(&mut world, CallErrorKind::TimedOut);
    fail_check(&mut world, CallErrorKind::TimedOut);
    assert_eq!(states(&world), []);
    fail_check(&mut world, CallErrorKind::TimedOut);
    assert_eq!(states(&world), [ServerState::Unavailable]);
}

#[test]
fn a_success_between_failures_starts_the_count_again() {
    let mut world = World::steady();
    for _ in 0..3 {
        fail_check(&mut world, CallErrorKind::Unreachable);
        fail_check(&mut world, CallErrorKind::Unreachable);
        world.run_for(2_500);
    }
    assert_eq!(states(&world), []);
}

#[test]
fn not_serving_makes_a_server_unavailable_at_once_and_serving_brings_it_back() {
    let mut world = World::steady();
    let (tenure, request) = (world.tenure(), *world.watches.get(SERVER).unwrap());
    world.raw(Event::HealthObserved {
        tenure,
        request,
        serving: false,
    });
    world.feed(Event::HealthObserved {
        tenure,
        request,
        serving: true,
    });
    assert_eq!(states(&world), [ServerState::Running]);
    assert!(world.calls("Handshake") > 0);
}

#[test]
fn a_broken_watch_and_a_refused_connection_together_are_enough() {
    let mut world = World::steady();
    world.failing.insert(
        (SERVER.to_owned(), "CheckHealth"),
        CallErrorKind::Unreachable,
    );
    let (tenure, request) = (world.tenure(), *world.watches.get(SERVER).unwrap());
    let gone = error(CallErrorKind::Unreachable);
    world.feed(Event::HealthWatchEnded {
        tenure,
        request,
        error: gone,
    });
    assert_eq!(states(&world), [ServerState::Unavailable]);
}

#[test]
fn a_broken_watch_of_a_server_that_answers_makes_sure_of_its_shards() {
    let mut world = World::steady();
    let (tenure, request) = (world.tenure(), *world.watches.get(SERVER).unwrap());
    let gone = error(CallErrorKind::Unreachable);
    world.feed(Event::HealthWatchEnded {
        tenure,
        request,
        error: gone,
    });
    assert_eq!(states(&world), []);
    assert!(world.calls("GetStatus") > 0);
    assert_eq!(world.calls("BecomeLeader"), 0);
}

#[test]
fn a_watch_that_opens_makes_sure_of_what_happened_while_nobody_watched() {
    let mut world = World::steady();
    world.break_watch(SERVER);
    world.log.clear();
    world.run_for(500);
    assert_eq!(states(&world), []);
    assert!(world.calls("GetStatus") > 0);
    assert_eq!(world.calls("BecomeLeader"), 0);
}

#[test]
fn a_leader_that_was_restarted_before_its_watch_opened_is_elected_again() {
    let mut world = World::steady();
    world.hang = Some(|effect| matches!(effect, Effect::WatchHealth { .. }));
    world.break_watch(SERVER);
    world.run_for(500);
    // From here on nothing is heard of the restart but that it leads no more.
    world
        .failing
        .insert((SERVER.to_owned(), "GetStatus"), CallErrorKind::NotMember);
    let opening = world.log.iter().rev().find_map(|effect| match effect {
        Effect::WatchHealth {
            request, server, ..
        } if &*server.internal == SERVER => Some(*request),
        _ => None,
    });
    world.log.clear();
    let tenure = world.tenure();
    world.feed(Event::HealthObserved {
        tenure,
        request: opening.expect("a watch that is opened again"),
        serving: true,
    });
    assert_eq!(states(&world), []);
    assert!(world.calls("BecomeLeader") > 0);
}

#[test]
fn a_watch_that_is_open_again_ends_the_suspicion() {
    let mut world = World::steady();
    world.silent.insert((SERVER.to_owned(), "CheckHealth"));
    world.break_watch(SERVER);
    world.run_for(500);
    let (tenure, request) = (world.tenure(), check_of(&world, &world.log));
    world.feed(Event::CallAnswered {
        tenure,
        request,
        result: Err(error(CallErrorKind::Unreachable)),
    });
    assert_eq!(states(&world), []);
}

#[test]
fn an_open_watch_makes_sure_of_nothing_twice() {
    let mut world = World::steady();
    world.observe(SERVER, true);
    assert_eq!(world.calls("GetStatus"), 0);
}

#[test]
fn a_broken_watch_is_not_forgotten_because_the_next_check_times_out() {
    let mut world = World::steady();
    world
        .failing
        .insert((SERVER.to_owned(), "CheckHealth"), CallErrorKind::TimedOut);
    world.break_watch(SERVER);
    world.failing.clear();
    world.run_for(2_500);
    assert_eq!(states(&world), []);
    assert!(world.calls("GetStatus") > 0);
}

/// Its checks and watches of this server are not answered any more; the watch is broken.
fn hang(world: &mut World) {
    world.hang = Some(|effect| match effect {
        Effect::Call { server, call, .. } => {
            &*server.internal == SERVER && *call == Call::CheckHealth
        }
        Effect::WatchHealth { server, .. } => &*server.internal == SERVER,
        _ => false,
    });
    world.break_watch(SERVER);
}

fn last_watch(world: &World) -> RequestId {
    let mut effects = world.log.iter().rev();
    let watch = effects.find_map(|effect| match effect {
        Effect::WatchHealth {
            request, server, ..
        } if &*server.internal == SERVER => Some(*request),
        _ => None,
    });
    watch.unwrap()
}

/// The watch that was begun last fails.
fn fail_watch(world: &mut World) {
    world.run_for(3_000);
    let (tenure, request) = (world.tenure(), last_watch(world));
    world.feed(Event::HealthWatchEnded {
        tenure,
        request,
        error: error(CallErrorKind::Unreachable),
    });
}

/// Whether the server serves, by the watch that was begun last.
fn open_watch(world: &mut World) {
    let (tenure, request) = (world.tenure(), last_watch(world));
    world.log.clear();
    world.feed(Event::HealthObserved {
        tenure,
        request,
        serving: true,
    });
}

#[test]
fn a_watch_that_opens_late_makes_sure_of_followers_too() {
    let mut world = World::steady();
    world.hang = Some(
        |effect| matches!(effect, Effect::WatchHealth { server, .. } if &*server.internal == SERVER),
    );
    world.break_watch(SERVER);
    world.run_for(5_000);
    open_watch(&mut world);
    let asked = world.log.iter().filter_map(|effect| match effect {
        Effect::Call {
            server,
            call: Call::GetStatus { shard },
            ..
        } if &*server.internal == SERVER => Some(*shard),
        _ => None,
    });
    assert_eq!(asked.collect::<BTreeSet<_>>().len(), 2);
}

fn answer_check(world: &mut World, result: Result<Answer, CallError>) {
    let (tenure, request) = (world.tenure(), check_of(world, &world.log));
    world.log.clear();
    world.feed(Event::CallAnswered {
        tenure,
        request,
        result,
    });
}

#[test]
fn a_watch_that_breaks_again_and_again_does_not_hide_that_checks_hang() {
    let mut world = World::steady();
    hang(&mut world);
    for _ in 0..3 {
        for _ in 0..2 {
            fail_watch(&mut world);
        }
        answer_check(&mut world, Err(error(CallErrorKind::TimedOut)));
        world.run_for(2_000);
    }
    assert_eq!(states(&world), [ServerState::Unavailable]);
}

#[test]
fn a_server_that_breaks_while_it_is_checked_is_checked_once_more() {
    let mut world = World::steady();
    hang(&mut world);
    fail_watch(&mut world);
    let before = check_of(&world, &world.log);
    answer_check(&mut world, Ok(Answer::Health { serving: true }));
    assert_ne!(check_of(&world, &world.log), before);
}

#[test]
fn a_server_of_another_cluster_gets_handshakes_and_checks_only() {
    let mut world = World::new();
    world.mismatched.insert(SERVER.to_owned());
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(10_000);
    assert_eq!(states(&world), [ServerState::Unavailable]);
    let pushed = world.log.iter().any(|effect| {
        matches!(effect, Effect::PushAssignments { server, .. } if &*server.internal == SERVER)
    });
    assert!(!pushed);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_server_of_another_cluster_is_no_reason_to_wipe_it_before_the_status_was_looked_at() {
    for is_refused in [false, true] {
        let mut world = World::new();
        world.mismatched.insert(SERVER.to_owned());
        if is_refused {
            let call = (SERVER.to_owned(), "Handshake");
            world.failing.insert(call, CallErrorKind::Refused);
        }
        world.configure(Some(CONFIGURATION));
        world.settle();
        let said = world.log.iter().find_map(|effect| match effect {
            Effect::Report(Report::ServerChanged { server, reason, .. }) if &*server.0 == "s1" => {
                Some(reason.as_str())
            }
            _ => None,
        });
        let (says, advice) = said.unwrap().split_once(": ").unwrap();
        let expected = ["it is bound to another cluster", "told to fail"];
        assert_eq!(says, expected[usize::from(is_refused)]);
        assert!(advice.starts_with("is this the right status"), "{advice}");
        assert!(advice.contains(&*world.status().instance_id), "{advice}");
        assert!(advice.ends_with("wipe nothing before"), "{advice}");
    }
}

#[test]
fn a_server_that_has_become_another_clusters_is_not_elected_with() {
    let mut world = World::steady();
    world.mismatched.insert(SERVER.to_owned());
    for server in ["s1:6649", "s2:6649", "s3:6649"] {
        world.observe(server, false);
    }
    let before = world.log.len();
    world.run_for(30_000);
    let after = world.log.iter().skip(before);
    let asked = after.filter(|effect| match effect {
        Effect::Call { server, call, .. } => {
            let harmless = matches!(call, Call::CheckHealth | Call::Handshake);
            &*server.internal == SERVER && !harmless
        }
        _ => false,
    });
    assert_eq!(asked.count(), 0);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_handshake_starts_the_count_of_failed_checks_again() {
    let mut world = World::steady();
    let check = (SERVER.to_owned(), "CheckHealth");
    let handshake = (SERVER.to_owned(), "Handshake");
    world.silent.insert(handshake);
    let tenure = world.tenure();
    for serving in [false, true] {
        world.observe(SERVER, serving);
    }
    let shaking = world.log.iter().rev().find_map(|effect| match effect {
        Effect::Call {
            request,
            call: Call::Handshake,
            ..
        } => Some(*request),
        _ => None,
    });
    world.failing.insert(check, CallErrorKind::TimedOut);
    let checks = |world: &World| {
        let to_it = world.log.iter().filter(|effect| match effect {
            Effect::Call { server, call, .. } => {
                &*server.internal == SERVER && *call == Call::CheckHealth
            }
            _ => false,
        });
        to_it.count()
    };
    let before = checks(&world);
    while checks(&world) < before + 2 {
        world.run_for(100);
    }
    world.feed(Event::CallAnswered {
        tenure,
        request: shaking.expect("a handshake"),
        result: Ok(Answer::Handshaken {
            binding: Binding::AlreadyBound,
            features: BTreeSet::new(),
        }),
    });
    world.log.clear();
    world.run_for(1_500);
    assert!(checks(&world) > 0);
    assert_eq!(states(&world), []);
}

#[test]
fn the_first_assignments_name_a_namespace() {
    let world = {
        let mut world = World::new();
        world.settle();
        world.configure(Some(CONFIGURATION));
        world.run_for(1_000);
        world
    };
    let first = world.log.iter().find_map(|effect| match effect {
        Effect::PushAssignments { assignments, .. } => Some(assignments.clone()),
        _ => None,
    });
    let first = first.unwrap();
    assert_eq!(first.namespaces.len(), 1);
    assert!(
        first
            .allowed_authorities
            .iter()
            .any(|authority| &**authority == "s3:6648")
    );
}

#[test]
fn assignments_are_sent_again_after_a_lease_and_then_every_minute() {
    let mut world = World::steady();
    world.run_for(15_000);
    assert_eq!(pushes(&world.log), 3);
    world.log.clear();
    world.run_for(60_000);
    assert_eq!(pushes(&world.log), 3);
}

#[test]
fn a_stream_that_ends_is_opened_again() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.run_for(15_000);
    let stream = world.log.iter().find_map(|effect| match effect {
        Effect::PushAssignments { request, .. } => Some(*request),
        _ => None,
    });
    let request = stream.unwrap();
    world.log.clear();
    let gone = error(CallErrorKind::Unreachable);
    world.feed(Event::PushEnded {
        tenure,
        request,
        error: gone,
    });
    world.run_for(1_000);
    assert_eq!(pushes(&world.log), 1);
}

#[test]
fn a_server_that_was_never_seen_is_asked_more_often() {
    let mut world = World::new();
    world.failing.insert(
        (SERVER.to_owned(), "CheckHealth"),
        CallErrorKind::Unreachable,
    );
    world.hang = Some(|effect| matches!(effect, Effect::WatchHealth { .. }));
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(10_000);
    let checks = world.log.iter().filter(|effect| {
        matches!(effect, Effect::Call { server, call: crate::call::Call::CheckHealth, .. }
            if &*server.internal == SERVER)
    });
    assert!(checks.count() >= 20);
}

#[test]
fn a_server_that_leaves_the_configuration_but_holds_shards_is_kept() {
    let mut world = World::steady();
    let without = CONFIGURATION
        .replace(
            "  - {name: s1, public: 's1:6648', internal: 's1:6649'}\n",
            "",
        )
        .replace("replicationFactor: 3", "replicationFactor: 2");
    world.configure(Some(&without));
    world.run_for(10_000);
    assert_eq!(states(&world), [ServerState::Draining]);
    let forgotten = |effect: &Effect| matches!(effect, Effect::ForgetServer { .. });
    assert!(!world.log.iter().any(forgotten));
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn an_answer_of_another_kind_is_no_handshake() {
    let mut world = World::new();
    world.hang = Some(|effect| {
        matches!(
            effect,
            Effect::Call {
                call: crate::call::Call::Handshake,
                ..
            }
        )
    });
    world.configure(Some(CONFIGURATION));
    world.settle();
    let handshakes: Vec<_> = world
        .log
        .iter()
        .filter_map(|effect| match effect {
            Effect::Call {
                request,
                call: crate::call::Call::Handshake,
                ..
            } => Some(*request),
            _ => None,
        })
        .collect();
    let tenure = world.tenure();
    let odd: Result<Answer, CallError> = Ok(Answer::BecameLeader);
    for request in handshakes {
        world.feed(Event::CallAnswered {
            tenure,
            request,
            result: odd.clone(),
        });
    }
    assert_eq!(states(&world), []);
}

#[test]
fn without_a_configuration_the_first_assignments_wait_for_one_but_not_for_ever() {
    let mut world = World::steady().restarted();
    world.settle();
    world.run_for(4_000);
    assert_eq!(pushes(&world.log), 0);
    world.run_for(2_000);
    assert_eq!(pushes(&world.log), 3);
}

fn lose_data(world: &mut World, server: &str) {
    world.bound.remove(server);
    for call in ["GetStatus", "NewTerm", "BecomeLeader", "AddFollower"] {
        let place = (server.to_owned(), call);
        world.failing.insert(place, CallErrorKind::NotInitialized);
    }
}

fn leader(world: &World) -> String {
    let (_, _, shard) = world.status().shards().next().unwrap();
    shard.leader.as_ref().unwrap().internal.to_string()
}

fn shakes(world: &World, server: &str) -> usize {
    let shakes = world.log.iter().filter(|effect| {
        matches!(effect, Effect::Call { call: Call::Handshake, server: to, .. }
            if &*to.internal == server)
    });
    shakes.count()
}

/// Who was found empty, and how many shards ought to have been there.
fn emptied(world: &World) -> Vec<(String, u32)> {
    let reports = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::ServerEmptied { server, shards }) => {
            Some((server.0.to_string(), *shards))
        }
        _ => None,
    });
    reports.collect()
}

#[test]
fn a_server_that_says_to_a_shard_that_it_is_not_bound_is_shaken_hands_with_at_once() {
    let mut world = World::steady();
    let led_by = leader(&world);
    lose_data(&mut world, &led_by);
    world.break_watch(&led_by);
    assert_eq!(shakes(&world, &led_by), 1);
    assert_eq!(emptied(&world), [(led_by[..2].to_owned(), 2)]);
    // Bound again, it knows no shard any more.
    world.failing.clear();
    let place = (led_by.clone(), "GetStatus");
    world.failing.insert(place, CallErrorKind::NotMember);
    world.run_for(5_000);
    assert!(world.calls("BecomeLeader") > 0);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_server_that_goes_on_saying_that_it_is_not_bound_is_shaken_hands_with_now_and_then() {
    let mut world = World::steady();
    let led_by = leader(&world);
    lose_data(&mut world, &led_by);
    world.break_watch(&led_by);
    for _ in 0..600 {
        world.bound.remove(&led_by);
        world.run_for(1_000);
    }
    let shakes = shakes(&world, &led_by);
    assert!((10..400).contains(&shakes), "{shakes}");
    assert_eq!(emptied(&world).len(), 1, "it is said once");
}

#[test]
fn a_stream_that_says_that_the_server_is_not_bound_leads_to_a_handshake_too() {
    for is_watch in [true, false] {
        let mut world = World::steady();
        let tenure = world.tenure();
        world.run_for(15_000);
        let push = world.log.iter().find_map(|effect| match effect {
            Effect::PushAssignments {
                request, server, ..
            } if &*server.internal == SERVER => Some(*request),
            _ => None,
        });
        let error = error(CallErrorKind::NotInitialized);
        world.feed(if is_watch {
            Event::HealthWatchEnded {
                tenure,
                request: *world.watches.get(SERVER).unwrap(),
                error,
            }
        } else {
            Event::PushEnded {
                tenure,
                request: push.unwrap(),
                error,
            }
        });
        assert_eq!(shakes(&world, SERVER), 1, "{is_watch}");
        assert_eq!(emptied(&world), [], "it was bound all the time");
    }
}

#[test]
fn what_was_asked_before_the_handshake_says_nothing_against_it() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let tenure = world.tenure();
    world.hang = Some(|effect| {
        matches!(
            effect,
            Effect::Call {
                call: Call::GetStatus { .. },
                ..
            }
        )
    });
    world.break_watch(&led_by);
    let asked: Vec<RequestId> = world
        .log
        .iter()
        .filter_map(|effect| match effect {
            Effect::Call {
                request,
                server,
                call: Call::GetStatus { .. },
                ..
            } if *server.internal == *led_by => Some(*request),
            _ => None,
        })
        .collect();
    for request in asked {
        world.feed(Event::CallAnswered {
            tenure,
            request,
            result: Err(error(CallErrorKind::NotInitialized)),
        });
    }
    assert_eq!(shakes(&world, &led_by), 1);
    world.run_for(60);
    assert_eq!(shakes(&world, &led_by), 1);
}

#[test]
fn a_new_server_that_no_led_shard_is_on_is_not_said_to_be_empty() {
    let mut world = World::new();
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(3_000);
    let more = format!("{CONFIGURATION}  - {{name: s4, public: 's4:1', internal: 's4:2'}}\n");
    world.configure(Some(&more));
    world.run_for(3_000);
    assert_eq!(shakes(&world, "s4:2"), 1);
    assert_eq!(emptied(&world), []);
}

/// Breaks the assignments stream of the server; how long it takes until it is opened again.
fn break_stream(world: &mut World) -> Duration {
    let is_push = |effect: &&Effect| matches!(effect, Effect::PushAssignments { server, .. } if &*server.internal == SERVER);
    while !world.log.iter().any(|effect| is_push(&effect)) {
        world.run_for(50);
    }
    let Some(Effect::PushAssignments {
        tenure, request, ..
    }) = world.log.iter().rev().find(is_push).cloned()
    else {
        panic!()
    };
    world.log.clear();
    world.feed(Event::PushEnded {
        tenure,
        request,
        error: error(CallErrorKind::Unreachable),
    });
    let broke = world.now;
    while !world.log.iter().any(|effect| is_push(&effect)) {
        world.run_for(50);
    }
    world.now.since(broke)
}

#[test]
fn the_wait_before_a_stream_is_opened_again_starts_over_once_one_has_lasted() {
    let mut world = World::steady();
    for _ in 0..12 {
        break_stream(&mut world);
    }
    assert!(break_stream(&mut world) > Duration::from_secs(2));
    world.run_for(600_000);
    for _ in 0..12 {
        let wait = break_stream(&mut world);
        assert!(wait < Duration::from_millis(500), "{wait:?}");
        world.run_for(600_000);
    }
}

#[test]
fn a_server_that_a_shard_can_not_reach_is_looked_at_before_terms_are_used_up() {
    let mut world = World::steady();
    for call in ["CheckHealth", "GetStatus", "NewTerm", "BecomeLeader"] {
        for server in ["s1:6649", "s2:6649"] {
            world
                .failing
                .insert((server.to_owned(), call), CallErrorKind::Unreachable);
        }
    }
    let term = |world: &World| {
        let terms = world.status().shards().map(|(_, _, shard)| shard.term.0);
        terms.max().unwrap()
    };
    let before = term(&world);
    // Only one is known to be gone; the other one's watch is still open.
    world.observe("s1:6649", false);
    world.run_for(60_000);
    assert!(term(&world) <= before + 1, "{} -> {}", before, term(&world));
}
