//! Members that come, go, and fail in turn while somebody else is asked.

use super::forgetting::blocked;
use super::late::{questions, speak};
use super::{ALL, LIFE, SHARD, leader, leader_of, of_shard, others, promotions, replica};
use crate::call::{CallErrorKind, ReplicaRole, ReplicaStatus};
use crate::scripted::{World, name};
use crate::{Effect, Report, Term};

fn in_sync(world: &World) -> Vec<(usize, usize)> {
    let reports = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::ShardInSync {
            shard,
            in_sync,
            replicas,
            ..
        }) if *shard == SHARD => Some((*in_sync, *replicas)),
        _ => None,
    });
    reports.collect()
}

pub(super) fn back(world: &mut World, server: &str) {
    world.failing.retain(|(to, _), _| to != server);
    world.observe(server, true);
}

#[test]
fn a_third_one_is_tried_where_two_can_not_lead() {
    let mut world = World::steady();
    let (a, c) = (leader_of(&world, 0), leader_of(&world, 1));
    let b = ALL.into_iter().find(|it| *it != a && *it != c).unwrap();
    for member in [a.as_str(), b] {
        let call = (member.to_owned(), "BecomeLeader");
        world.failing.insert(call, CallErrorKind::Other);
    }
    world
        .replicas
        .insert(a.clone(), replica(0, ReplicaRole::Fenced));
    world.break_watch(&a);
    world.run_for(120_000);
    let chosen: Vec<_> = promotions(&world).into_iter().map(|(to, _)| to).collect();
    assert!(chosen.contains(&c));
}

#[test]
fn who_crashes_when_it_is_to_lead_is_not_chosen_again_and_again() {
    let mut world = World::steady();
    let (a, b) = (leader_of(&world, 0), leader_of(&world, 1));
    let c = ALL.into_iter().find(|it| *it != a && *it != b).unwrap();
    world.lose(c, &LIFE);
    world.silent.insert((a.clone(), "BecomeLeader"));
    world
        .replicas
        .insert(a.clone(), replica(0, ReplicaRole::Fenced));
    world.break_watch(&a);
    for _ in 0..8 {
        world.run_for(15_000);
        world.lose(&a, &LIFE);
        world.run_for(3_000);
        back(&mut world, &a);
    }
    world.run_for(15_000);
    let chosen: Vec<_> = promotions(&world).into_iter().map(|(to, _)| to).collect();
    assert!(chosen.contains(&b));
}

/// The first shard's leader is asked to take a follower in that was away, and has not answered.
fn joining() -> (World, String, String) {
    let mut world = World::steady();
    world.run_for(30_000);
    world.log.clear();
    let old = leader(&world);
    let (f, _) = others(&old);
    world.lose(&f, &LIFE);
    world
        .replicas
        .insert(old.clone(), replica(0, ReplicaRole::Fenced));
    world.break_watch(&old);
    world.run_for(5_000);
    world.replicas.clear();
    let led_by = leader(&world);
    world.silent.insert((led_by.clone(), "AddFollower"));
    world
        .replicas
        .insert(f.clone(), replica(0, ReplicaRole::Fenced));
    back(&mut world, &f);
    world.run_for(1_000);
    (world, led_by, f)
}

#[test]
fn a_follower_restarted_while_it_is_taken_in_is_asked_what_it_has() {
    let (mut world, led_by, f) = joining();
    // It is restarted on an empty disk.
    world
        .replicas
        .insert(f.clone(), replica(-1, ReplicaRole::NotMember));
    world.break_watch(&f);
    world.run_for(1_000);
    let before = questions(&world, &f);
    speak(&mut world, &led_by, "AddFollower");
    world.run_for(60_000);
    assert!(questions(&world, &f) > before);
}

#[test]
fn a_follower_that_goes_away_while_it_is_taken_in_is_not_in_sync() {
    let (mut world, led_by, f) = joining();
    world.lose(&f, &LIFE);
    speak(&mut world, &led_by, "AddFollower");
    world.run_for(120_000);
    assert_eq!(in_sync(&world).last(), Some(&(2, 3)));
}

const FIVE: &str = "
namespaces:
  - name: default
    initialShardCount: 1
    replicationFactor: 5
servers:
  - {name: s1, public: 's1:6648', internal: 's1:6649'}
  - {name: s2, public: 's2:6648', internal: 's2:6649'}
  - {name: s3, public: 's3:6648', internal: 's3:6649'}
  - {name: s4, public: 's4:6648', internal: 's4:6649'}
  - {name: s5, public: 's5:6648', internal: 's5:6649'}
";

/// A world of five servers whose shard is led.
pub(super) fn five() -> World {
    let mut world = World::new();
    world.configure(Some(FIVE));
    world.settle();
    world.run_for(3_000);
    world
}

#[test]
fn two_followers_that_lost_their_disks_are_told_of_once() {
    let mut world = five();
    world.log.clear();
    let led_by = leader(&world);
    let all = ["s1:6649", "s2:6649", "s3:6649", "s4:6649", "s5:6649"];
    let rest: Vec<_> = all.into_iter().filter(|it| *it != led_by).collect();
    world.lose(rest[2], &LIFE);
    world.lose(rest[3], &LIFE);
    for empty in &rest[..2] {
        world
            .replicas
            .insert((*empty).to_owned(), replica(-1, ReplicaRole::NotMember));
        world.break_watch(empty);
    }
    world.run_for(300_000);
    let told = blocked(&world);
    assert!(told.len() <= 2);
}

/// B and C have voted and A is waited for when C goes away.
fn voter_gone() -> (World, String, String) {
    let mut world = World::steady();
    world.run_for(30_000);
    world.log.clear();
    let a = leader(&world);
    let (b, c) = others(&a);
    world.silent.insert((a.clone(), "NewTerm"));
    world
        .replicas
        .insert(a.clone(), replica(0, ReplicaRole::Fenced));
    world.break_watch(&a);
    world.run_for(20);
    (world, b, c)
}

#[test]
fn a_promotion_does_not_wait_for_a_voter_that_went_away_before() {
    let (mut world, b, c) = voter_gone();
    world.silent.insert((b.clone(), "BecomeLeader"));
    world.cut_off(&c, &LIFE);
    world.break_watch(&c);
    world.run_for(60_000);
    let failed = world.log.iter().filter(|it| {
        matches!(it,
        Effect::Report(Report::ElectionFailed { shard, .. }) if *shard == SHARD)
    });
    assert!(failed.count() > 0);
}

#[test]
fn a_voter_that_went_away_before_the_promotion_is_not_in_sync() {
    let (mut world, _, c) = voter_gone();
    world.cut_off(&c, &LIFE);
    world.break_watch(&c);
    world.run_for(60_000);
    assert!(!in_sync(&world).contains(&(2, 3)));
}

#[test]
fn a_watch_that_breaks_as_soon_as_it_opens_is_slowed_down() {
    let mut world = World::steady();
    let server = others(&leader(&world)).0;
    let (mut breaks, mut seen) = (0, None);
    for _ in 0..600 {
        world.run_for(100);
        let watch = *world.watches.get(&server).unwrap();
        if seen != Some(watch) {
            seen = Some(watch);
            breaks += 1;
            world.break_watch(&server);
        }
    }
    assert!(breaks < 40);
}

fn at(role: ReplicaRole, offset: i64) -> ReplicaStatus {
    ReplicaStatus {
        term: Term(0),
        role,
        head_offset: offset,
        commit_offset: offset,
    }
}

#[test]
fn a_follower_restarted_while_its_leader_is_asked_is_judged_by_what_is_committed_then() {
    let mut world = World::steady();
    world.run_for(30_000);
    world.log.clear();
    let led_by = leader(&world);
    let (f, g) = others(&led_by);
    world.silent.insert((led_by.clone(), "GetStatus"));
    world.break_watch(&led_by);
    world.run_for(3_000);
    // The leader's answer, commit 5, is on its way; the three go on to 12; f comes back with 5.
    world
        .replicas
        .insert(led_by.clone(), at(ReplicaRole::Leader, 5));
    world
        .replicas
        .insert(f.clone(), at(ReplicaRole::Follower, 5));
    world
        .replicas
        .insert(g.clone(), at(ReplicaRole::Follower, 12));
    world.lose(&f, &LIFE);
    back(&mut world, &f);
    let asked = world.log.iter().rev().find(|effect| {
        matches!(effect, Effect::Call { server: to, call, .. }
            if *to.internal == *led_by && name(call) == "GetStatus" && of_shard(call))
    });
    let asked = asked.unwrap().clone();
    world.silent.clear();
    world.answer(asked);
    world
        .replicas
        .insert(led_by.clone(), at(ReplicaRole::Leader, 12));
    world.settle();
    world.run_for(60_000);
    assert_eq!(in_sync(&world).last(), Some(&(2, 3)));
}

#[test]
fn what_was_not_blocked_meanwhile_is_told_of_again() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (empty, away) = others(&led_by);
    world.lose(&away, &LIFE);
    world
        .replicas
        .insert(empty.clone(), replica(-1, ReplicaRole::NotMember));
    world.break_watch(&empty);
    world.run_for(80_000);
    let until = questions(&world, &empty);
    while questions(&world, &empty) == until {
        world.run_for(100);
    }
    let until = questions(&world, &empty);
    world.silent.insert((away.clone(), "GetStatus"));
    back(&mut world, &away);
    world.silent.insert((led_by.clone(), "GetStatus"));
    world.break_watch(&led_by);
    speak(&mut world, &away, "GetStatus");
    speak(&mut world, &led_by, "GetStatus");
    world.lose(&away, &LIFE);
    assert_eq!(questions(&world, &empty), until);
    world.run_for(120_000);
    assert_eq!(promotions(&world).len(), 0);
    assert_eq!(blocked(&world).len(), 2);
}
