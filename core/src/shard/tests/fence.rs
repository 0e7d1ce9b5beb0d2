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
    // It is given a moment before.
    let expected = [
        "NewTerm",
        "GetStatus",
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

/// Its leader has gone before the first entry was synced there.
#[test]
fn one_that_has_nothing_once_it_is_cut_off_follows_whoever_has_more() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (empty, other) = others(&led_by);
    world.heads.insert(empty.clone(), EntryId::NONE);
    world.heads.insert(other.clone(), head(0, 0));
    let unsynced = ReplicaStatus {
        head_offset: 0,
        ..replica(0, ReplicaRole::Fenced)
    };
    world.replicas.insert(empty.clone(), unsynced);
    world.replicas.insert(other.clone(), unsynced);
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    assert_eq!(cut(&world), [(empty.clone(), Term(1), EntryId::NONE)]);
    let (leads, call) = promotions(&world).remove(0);
    assert_eq!(leads, other);
    let told = call.follower_maps.get(empty.as_str());
    assert_eq!(told, Some(&EntryId::NONE), "{:?}", blocked(&world));
}

#[test]
fn a_sync_that_is_on_its_way_is_waited_for_and_nothing_of_it_is_cut_off() {
    let (mut world, led_by, more, _) = with_more();
    world.lose(&led_by, &LIFE);
    while fenced(&world, &more).is_empty() {
        world.run_for(1);
    }
    assert!(promotions(&world).is_empty());
    world.heads.insert(more, head(0, 7));
    world.run_for(10_000);
    assert_eq!(cut(&world), []);
    assert_eq!(promotions(&world).len(), 1);
}

#[test]
fn one_that_was_cut_off_amid_a_sync_and_can_not_be_fenced_is_cut_off_again() {
    let (mut world, led_by, more, _) = with_more();
    world.syncing.insert(more.clone());
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    let first = (more.clone(), Term(1), head(0, 5));
    let again = (more, Term(1), head(-1, 5));
    assert_eq!(cut(&world), [first, again]);
    assert_eq!(promotions(&world).len(), 1);
}

/// By an earlier coordinator, or by a leader.
#[test]
fn one_that_can_not_tell_its_head_is_cut_off_where_its_log_ends() {
    let (mut world, led_by, more, _) = with_more();
    world.overrun.insert(more.clone());
    world.heads.insert(more.clone(), head(0, 7));
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    assert_eq!(cut(&world), [(more.clone(), Term(1), head(-1, 7))]);
    assert_eq!(fenced(&world, &more), [Term(1); 3]);
    assert_eq!(promotions(&world).len(), 1);
}

/// As one that is open to lead: it tells of nothing, whatever it has.
#[test]
fn one_that_can_not_tell_its_head_nor_where_its_log_ends_is_not_cut_off() {
    let (mut world, led_by, more, _) = with_more();
    world.overrun.insert(more.clone());
    world.replicas.insert(more.clone(), status(0, -1));
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    assert!(fenced(&world, &more).len() > 1);
    assert_eq!(cut(&world), []);
}

/// It was fenced by a coordinator that did not look at what it has, and its leader was elected since.
#[test]
fn a_fenced_follower_with_more_than_it_tells_is_cut_off_though_its_leader_feeds_it() {
    let world = World::steady();
    let (one, other) = others(&leader(&world));
    let mut world = world.restarted();
    world.edit(SHARD, |shard| shard.term = Term(1));
    world.heads.insert(one.clone(), head(0, 5));
    let led_by = leader(&world);
    let leads = ReplicaStatus {
        role: ReplicaRole::Leader,
        commit_offset: 5,
        ..status(1, 9)
    };
    world.replicas.insert(led_by, leads);
    let fenced = ReplicaStatus {
        role: ReplicaRole::Fenced,
        ..status(1, 7)
    };
    world.replicas.insert(one.clone(), fenced);
    world.replicas.insert(other, status(1, 5));
    start(&mut world);
    world.run_for(5_000);
    assert_eq!(cut(&world), [(one, Term(1), head(0, 5))]);
    assert!(promotions(&world).is_empty());
}

#[test]
fn one_that_can_not_be_fenced_is_not_cut_off() {
    let (mut world, led_by, more, _) = with_more();
    let key = (more.clone(), "NewTerm");
    world.failing.insert(key, CallErrorKind::Other);
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    assert_eq!(cut(&world), []);
    assert!(promotions(&world).is_empty());
}

/// It was cut off by a coordinator that took it in no more: it may have what its leader has not.
#[test]
fn a_follower_that_nobody_feeds_is_fenced_and_taken_in_by_the_next_coordinator() {
    let world = World::steady();
    let (one, other) = others(&leader(&world));
    let mut world = world.restarted();
    world.edit(SHARD, |shard| shard.term = Term(1));
    world.unfed.insert(one.clone());
    for server in [&one, &other] {
        let follows = ReplicaStatus {
            role: ReplicaRole::Follower,
            ..status(1, 5)
        };
        world.replicas.insert(server.clone(), follows);
        world.heads.insert(server.clone(), head(0, 5));
    }
    start(&mut world);
    world.run_for(5_000);
    assert_eq!(fenced(&world, &one), [Term(1)]);
    assert_eq!(fenced(&world, &other), []);
    let calls = calls_of_shard(&world).into_iter();
    let added = calls.filter_map(|(_, _, call)| match call {
        Call::AddFollower(call) if *call.follower == *one => Some(call.head),
        _ => None,
    });
    assert_eq!(added.collect::<Vec<_>>(), [head(2, 5), head(0, 5)]);
    assert!(!world.unfed.contains(&one));
    assert!(promotions(&world).is_empty());
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
    let before = fenced(&world, &more);
    world.observe(&more, false);
    world.observe(&more, true);
    world.run_for(1_000);
    assert_eq!(fenced(&world, &more), before);
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
