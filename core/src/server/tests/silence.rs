//! What is told of a server that runs, and does not answer in time.

use std::time::Duration;

use super::{SERVER, states};
use crate::call::{Answer, CallErrorKind};
use crate::scripted::World;
use crate::{Effect, Event, Report, ServerState};

/// What is told of the server's silence, in order: a reason, or that it answers again; and for how long
/// it was not heard of.
fn told(world: &World) -> Vec<(Option<&str>, Duration)> {
    let told = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::ServerSilent {
            server,
            silent_for,
            reason,
        }) if &*server.0 == "s1" => Some((Some(reason.as_str()), *silent_for)),
        Effect::Report(Report::ServerAnswers { server, silent_for }) if &*server.0 == "s1" => {
            Some((None, *silent_for))
        }
        _ => None,
    });
    told.collect()
}

/// A server whose checks are not answered.
fn stopped() -> World {
    let mut world = World::steady();
    world.run_for(10_000);
    world.log.clear();
    world.silent.insert((SERVER.to_owned(), "CheckHealth"));
    world
}

/// The check that is not answered is answered at last.
fn answer_late(world: &mut World, result: Result<Answer, crate::call::CallError>) {
    let check = world.log.iter().rev().find_map(|effect| match effect {
        Effect::Call {
            tenure,
            request,
            server,
            call: crate::call::Call::CheckHealth,
        } if &*server.internal == SERVER => Some((*tenure, *request)),
        _ => None,
    });
    let (tenure, request) = check.expect("a check of the server");
    world.feed(Event::CallAnswered {
        tenure,
        request,
        result,
    });
}

#[test]
fn an_answer_that_is_overdue_is_told_once_and_nothing_follows_from_it() {
    let mut world = stopped();
    world.run_for(60_000);
    let told = told(&world);
    let [(Some("no answer to a health check for 2 s"), silent_for)] = told.as_slice() else {
        panic!("{told:?}");
    };
    // The last answer is as old as a check, and the wait between two.
    assert_eq!(*silent_for, Duration::from_secs(4));
    assert_eq!(states(&world), []);
}

#[test]
fn a_server_that_answers_in_time_again_is_said_to() {
    let mut world = stopped();
    world.run_for(7_000);
    world.silent.clear();
    let late = Ok(Answer::Health { serving: true });
    answer_late(&mut world, late);
    assert_eq!(told(&world).len(), 1, "this one came late");
    world.run_for(30_000);
    let told = told(&world);
    assert!(
        matches!(told.as_slice(), [(Some(_), _), (None, _)]),
        "{told:?}"
    );
    assert_eq!(states(&world), []);
}

#[test]
fn a_server_that_is_slow_again_and_again_is_told_of_once() {
    let mut world = stopped();
    for _ in 0..10 {
        world.run_for(5_000);
        answer_late(&mut world, Ok(Answer::Health { serving: true }));
    }
    assert_eq!(told(&world).len(), 1);
}

#[test]
fn a_check_that_fails_is_told_before_it_is_taken_to_be_unavailable_and_that_ends_the_silence() {
    let mut world = stopped();
    world.silent.clear();
    let call = (SERVER.to_owned(), "CheckHealth");
    world.failing.insert(call, CallErrorKind::TimedOut);
    world.run_for(2_500);
    let [(Some("told to fail"), _)] = told(&world).as_slice() else {
        panic!("{:?}", told(&world));
    };
    assert_eq!(states(&world), []);
    world.run_for(5_000);
    assert_eq!(states(&world), [ServerState::Unavailable]);
    world.failing.clear();
    world.run_for(5_000);
    assert_eq!(
        states(&world),
        [ServerState::Unavailable, ServerState::Running]
    );
    assert_eq!(told(&world).len(), 1);
}
