//! Servers that are restarted, and answers that come, while a leader is being made or verified.

use super::forgetting::fenced;
use super::{
    LIFE, calls_of_shard, leader, of_shard, others, promotions, recording, replica, start,
};
use crate::call::ReplicaRole;
use crate::scripted::{World, name};
use crate::{Effect, Term};

/// How often the server was asked what it has.
pub(super) fn questions(world: &World, server: &str) -> usize {
    let calls = calls_of_shard(world);
    let calls = calls.iter();
    let asked = calls.filter(|(kind, to, _)| *kind == "GetStatus" && to == server);
    asked.count()
}

/// The server answers at last what it was asked, and from now on.
pub(super) fn speak(world: &mut World, server: &str, kind: &'static str) {
    let asked = world.log.iter().rev().find(|effect| {
        matches!(effect, Effect::Call { server: to, call, .. }
            if &*to.internal == server && name(call) == kind && of_shard(call))
    });
    let asked = asked.unwrap().clone();
    world.silent.remove(&(server.to_owned(), kind));
    world.answer(asked);
    world.settle();
}

#[test]
fn a_leader_restarted_while_it_is_being_recorded_is_asked_whether_it_still_leads() {
    let mut world = recording();
    let (chosen, _) = promotions(&world).remove(0);
    world.break_watch(&chosen);
    let before = questions(&world, &chosen);
    world.release();
    assert!(questions(&world, &chosen) > before);
}

#[test]
fn a_follower_restarted_while_its_leader_is_being_promoted_is_asked_what_it_has() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (one, other) = others(&led_by);
    for member in [&one, &other] {
        world.silent.insert((member.clone(), "BecomeLeader"));
    }
    world.lose(&led_by, &LIFE);
    world.run_for(50);
    let (chosen, _) = promotions(&world).remove(0);
    let follower = if chosen == one { other } else { one };
    world.break_watch(&follower);
    world.settle();
    let before = questions(&world, &follower);
    speak(&mut world, &chosen, "BecomeLeader");
    assert!(questions(&world, &follower) > before);
}

#[test]
fn a_greater_term_reported_while_the_leader_is_verified_is_exceeded() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (ahead, _) = others(&led_by);
    let in_5 = replica(5, ReplicaRole::Fenced);
    world.replicas.insert(ahead.clone(), in_5);
    world.silent.insert((ahead.clone(), "GetStatus"));
    world.break_watch(&ahead);
    world.run_for(1_000);
    world.silent.insert((led_by.clone(), "GetStatus"));
    world.break_watch(&led_by);
    world.settle();
    speak(&mut world, &ahead, "GetStatus");
    // A majority is heard without it.
    world.silent.insert((ahead, "GetStatus"));
    let deposed = replica(0, ReplicaRole::Fenced);
    world.replicas.insert(led_by.clone(), deposed);
    speak(&mut world, &led_by, "GetStatus");
    world.run_for(1_000);
    let (_, first) = promotions(&world).remove(0);
    assert_eq!(first.term, Term(6));
}

/// The first shard's leader is being verified, and its follower has said meanwhile what it has.
fn verifying() -> (World, String, String) {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (follower, _) = others(&led_by);
    world.silent.insert((follower.clone(), "GetStatus"));
    world.break_watch(&follower);
    world.run_for(1_000);
    world.silent.insert((led_by.clone(), "GetStatus"));
    world.break_watch(&led_by);
    speak(&mut world, &follower, "GetStatus");
    (world, led_by, follower)
}

#[test]
fn a_follower_that_goes_away_while_its_leader_is_verified_is_asked_what_it_has() {
    let (mut world, led_by, follower) = verifying();
    world.lose(&follower, &["CheckHealth"]);
    let before = questions(&world, &follower);
    speak(&mut world, &led_by, "GetStatus");
    assert!(questions(&world, &follower) > before);
}

#[test]
fn a_follower_that_is_restarted_while_its_leader_is_verified_is_asked_what_it_has() {
    let (mut world, led_by, follower) = verifying();
    world.break_watch(&follower);
    let before = questions(&world, &follower);
    speak(&mut world, &led_by, "GetStatus");
    assert!(questions(&world, &follower) > before);
}

/// The first shard's leader does not answer whether it leads; its watch has broken so often since it was asked.
fn unheard(breaks: usize) -> (World, String) {
    let mut world = World::steady();
    let led_by = leader(&world);
    world.silent.insert((led_by.clone(), "GetStatus"));
    for _ in 0..=breaks {
        world.break_watch(&led_by);
        world.run_for(1_000);
    }
    assert_eq!(questions(&world, &led_by), 1);
    (world, led_by)
}

#[test]
fn a_leader_whose_connection_broke_after_it_was_asked_is_asked_again_before_the_answer_is_due() {
    let (mut world, led_by) = unheard(1);
    world.silent.clear();
    world.run_for(5_000);
    assert_eq!(questions(&world, &led_by), 2);
    assert_eq!(promotions(&world), []);
}

#[test]
fn a_leader_that_is_slow_and_stays_connected_is_waited_for() {
    let (mut world, led_by) = unheard(0);
    world.run_for(20_000);
    assert_eq!(questions(&world, &led_by), 1);
    assert_eq!(promotions(&world), []);
}

#[test]
fn a_leader_that_is_slow_is_waited_for_whichever_follower_breaks() {
    let (mut world, led_by) = unheard(0);
    let (follower, _) = others(&led_by);
    for _ in 0..5 {
        world.break_watch(&follower);
        world.run_for(2_000);
    }
    assert_eq!(questions(&world, &led_by), 1);
}

#[test]
fn a_leader_that_breaks_again_and_again_is_asked_a_few_times_and_then_waited_for() {
    let (mut world, led_by) = unheard(1);
    for _ in 0..20 {
        world.run_for(6_000);
        world.break_watch(&led_by);
    }
    assert_eq!(questions(&world, &led_by), 6);
    assert_eq!(promotions(&world), []);
    speak(&mut world, &led_by, "GetStatus");
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

/// Its leader may have a place for it in its log, which it does not move back for one that is fenced.
#[test]
fn a_follower_that_loses_its_disk_while_its_leader_is_verified_is_not_fenced_in_that_term() {
    let world = World::steady();
    let led_by = leader(&world);
    let (follower, _) = others(&led_by);
    let mut world = world.restarted_alone();
    world.silent.insert((follower.clone(), "GetStatus"));
    start(&mut world);
    world.silent.insert((led_by.clone(), "GetStatus"));
    world.break_watch(&led_by);
    let idle = replica(0, ReplicaRole::Fenced);
    world.replicas.insert(follower.clone(), idle);
    speak(&mut world, &follower, "GetStatus");
    world.bound.remove(&follower);
    world.replicas.remove(&follower);
    world.forgetful.insert(follower.clone());
    world.observe(&follower, false);
    world.observe(&follower, true);
    let before = questions(&world, &follower);
    speak(&mut world, &led_by, "GetStatus");
    assert!(questions(&world, &follower) > before);
    world.run_for(20_000);
    let fenced = fenced(&world, &follower);
    assert!(!fenced.contains(&Term(0)), "{fenced:?}");
}

#[test]
fn a_follower_that_goes_away_while_its_leader_is_recorded_is_asked_what_it_has() {
    let mut world = recording();
    let (_, call) = promotions(&world).remove(0);
    let follower = call.follower_maps.keys().next().unwrap().to_string();
    world.lose(&follower, &["CheckHealth"]);
    let before = questions(&world, &follower);
    world.release();
    assert!(questions(&world, &follower) > before);
}
