//! Replicas that have more than they tell when they are fenced.

use super::forgetting::{blocked, fenced, status};
use super::{LIFE, SHARD, calls_of_shard, head, leader, others, promotions, replica, start};
use crate::Term;
use crate::call::{Call, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus};
use crate::scripted::World;

/// Whom something was cut off, in which term, and after what.
fn cut(world: &World) -> Vec<(String, Term, EntryId)> {
    let calls = calls_of_shard(world).into_iter();
    let cut = calls.filter_map(|(_, server, call)| match call {
        Call::Truncate(call) => Some((server, call.term, call.head)),
        _ => None,
    });
    cut.collect()
}

/// The leader is to go. One of its followers has two entries more than it tells of.
fn with_more() -> (World, String, String, String) {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (more, other) = others(&led_by);
    for server in [&more, &other] {
        world.heads.insert(server.clone(), head(0, 5));
    }
    world.replicas.insert(more.clone(), status(0, 7));
    world.replicas.insert(other.clone(), status(0, 5));
    (world, led_by, more, other)
}

#[test]
fn what_a_follower_has_more_than_it_tells_is_cut_off_before_anybody_leads() {
    let (mut world, led_by, more, _) = with_more();
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    assert_eq!(cut(&world), [(more.clone(), Term(1), head(0, 5))]);
    let calls = calls_of_shard(&world).into_iter();
    let kinds = calls.filter(|(kind, server, _)| *server == more || *kind == "BecomeLeader");
    let kinds: Vec<_> = kinds.map(|(kind, ..)| kind).collect();
    let expected = [
        "NewTerm",
        "GetStatus",
        "Truncate",
        "NewTerm",
        "GetStatus",
        "BecomeLeader",
    ];
    let from = kinds.iter().position(|kind| *kind == "NewTerm").unwrap();
    assert_eq!(kinds[from..from + expected.len()], expected);
}

#[test]
fn one_that_can_not_be_cut_off_does_not_vote() {
    let (mut world, led_by, more, _) = with_more();
    let key = (more.clone(), "Truncate");
    world.failing.insert(key.clone(), CallErrorKind::Other);
    world.lose(&led_by, &LIFE);
    world.run_for(20_000);
    assert!(promotions(&world).is_empty(), "{:?}", promotions(&world));
    world.failing.remove(&key);
    world.run_for(60_000);
    assert!(!promotions(&world).is_empty(), "{:?}", blocked(&world));
}

/// It might be cut off once it leads.
#[test]
fn one_that_was_not_heard_of_since_it_was_to_be_cut_off_does_not_vote_in_that_term() {
    let (mut world, led_by, more, other) = with_more();
    world.edit(SHARD, |shard| shard.leader = None);
    let mut world = world.restarted_alone();
    world.silent.insert((more.clone(), "Truncate"));
    for server in [&led_by, &other] {
        world.silent.insert((server.clone(), "NewTerm"));
    }
    start(&mut world);
    world.run_for(1_000);
    assert_eq!(cut(&world).len(), 1);
    world.observe(&more, false);
    world.observe(&more, true);
    world.run_for(1_000);
    assert_eq!(fenced(&world, &more), [Term(1)]);
}

#[test]
fn one_that_was_fed_by_a_snapshot_has_no_more_than_it_tells() {
    let (mut world, led_by, more, _) = with_more();
    world.heads.insert(more, EntryId::NONE);
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    assert_eq!(cut(&world), []);
}

/// What it has not synced is not to be seen.
#[test]
fn one_that_led_is_cut_off_in_any_case() {
    let world = World::steady();
    let led_by = leader(&world);
    let (one, other) = others(&led_by);
    let mut world = world.restarted();
    world.edit(SHARD, |shard| {
        shard.term = Term(1);
        shard.leader = None;
    });
    let leads = ReplicaStatus {
        head_offset: 5,
        commit_offset: 5,
        ..replica(0, ReplicaRole::Leader)
    };
    world.replicas.insert(led_by.clone(), leads);
    for server in [&led_by, &one, &other] {
        world.heads.insert(server.clone(), head(0, 5));
    }
    for server in [&one, &other] {
        world.replicas.insert(server.clone(), status(0, 5));
    }
    start(&mut world);
    world.run_for(10_000);
    assert_eq!(cut(&world), [(led_by, Term(2), head(0, 5))]);
    assert_eq!(promotions(&world).len(), 1);
}

/// As it would be had a call reached it late.
#[test]
fn one_that_may_have_led_since_it_was_asked_is_cut_off_in_any_case() {
    let (mut world, led_by, more, other) = with_more();
    for server in [&more, &other] {
        world
            .replicas
            .insert(server.clone(), replica(0, ReplicaRole::Fenced));
    }
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    let cut: Vec<_> = cut(&world).into_iter().map(|(server, ..)| server).collect();
    assert_eq!(cut, [more, other]);
    assert_eq!(promotions(&world).len(), 1);
}

#[test]
fn one_that_was_opened_to_be_asked_has_no_more_than_it_tells() {
    let (mut world, led_by, more, other) = with_more();
    for server in [&more, &other] {
        world
            .replicas
            .insert(server.clone(), replica(0, ReplicaRole::Fenced));
        world.closed.insert((server.clone(), SHARD));
    }
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    assert_eq!(cut(&world), []);
    assert_eq!(promotions(&world).len(), 1);
}

#[test]
fn one_that_is_taken_in_later_is_cut_off_before() {
    let (mut world, led_by, more, other) = with_more();
    world.lose(&more, &LIFE);
    world.run_for(10_000);
    world.heads.insert(led_by.clone(), head(0, 5));
    world.replicas.insert(led_by.clone(), status(0, 5));
    world.break_watch(&led_by);
    world.run_for(10_000);
    assert!(leader(&world) == led_by || leader(&world) == other);
    assert_eq!(cut(&world), []);
    world.failing.clear();
    world.observe(&more, true);
    world.run_for(20_000);
    let cut: Vec<_> = cut(&world).into_iter().map(|(server, ..)| server).collect();
    assert_eq!(cut, [more]);
}
