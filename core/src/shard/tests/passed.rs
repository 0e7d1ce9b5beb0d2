//! Who can lead with some followers and not with others is tried with each of them in the end.

use super::late::speak;
use super::turns::{back, five};
use super::{ALL, LIFE, head, leader, others, promotions, replica, stored};
use crate::call::{BecomeLeader, CallErrorKind, ReplicaRole};
use crate::cluster::ShardStatus;
use crate::scripted::World;

const FIVE: [&str; 5] = ["s1:6649", "s2:6649", "s3:6649", "s4:6649", "s5:6649"];

/// So many attempts, or fewer, find who can lead with whom.
const ENOUGH: usize = 60;

/// The leader has lost its office. Whoever is told to lead answers nothing by itself.
fn vacant(mut world: World, members: &[&str], heads: &[i64]) -> World {
    let old = leader(&world);
    for (server, last) in members.iter().zip(heads) {
        world.silent.insert(((*server).to_owned(), "BecomeLeader"));
        world.heads.insert((*server).to_owned(), head(0, *last));
    }
    let fenced = replica(0, ReplicaRole::Fenced);
    world.replicas.insert(old.clone(), fenced);
    world.break_watch(&old);
    world
}

/// The next one that is told to lead, after so many others, and of whom.
fn next(world: &mut World, tried: usize) -> (String, BecomeLeader) {
    for _ in 0..600 {
        if let Some(told) = promotions(world).get(tried) {
            return told.clone();
        }
        world.run_for(200);
    }
    panic!("nobody is told to lead after {tried} others");
}

fn answer(world: &mut World, server: &str, failure: Option<CallErrorKind>) {
    let promotion = (server.to_owned(), "BecomeLeader");
    match failure {
        Some(kind) => drop(world.failing.insert(promotion.clone(), kind)),
        None => drop(world.failing.remove(&promotion)),
    }
    speak(world, server, "BecomeLeader");
    world.silent.insert(promotion);
}

/// Whoever is told to lead fails by this, until one does not. Returns that one.
fn led_at_last(
    world: &mut World,
    tried: usize,
    fails: impl Fn(&str, &BecomeLeader) -> bool,
) -> (String, BecomeLeader) {
    for tried in tried..tried + ENOUGH {
        let (server, call) = next(world, tried);
        let failure = fails(&server, &call).then_some(CallErrorKind::InvalidStatus);
        answer(world, &server, failure);
        if failure.is_none() {
            world.run_for(1_000);
            assert_eq!(stored(world).status, ShardStatus::SteadyState);
            return (server, call);
        }
    }
    panic!(
        "nobody leads after {ENOUGH} attempts: {:?}",
        promotions(world)
    );
}

fn crash(world: &mut World, server: &str) {
    world.lose(server, &LIFE);
    world.run_for(3_000);
    back(world, server);
}

fn is_told_of(call: &BecomeLeader, server: &str) -> bool {
    call.follower_maps.contains_key(server)
}

#[test]
fn two_that_can_lead_only_with_each_other_are_tried_so_though_one_has_failed_and_one_was_away() {
    let world = World::steady();
    let unfit = others(&leader(&world)).1;
    let heads = ALL.map(|it| if *it == *unfit { 5 } else { 9 });
    let mut world = vacant(world, &ALL, &heads);
    let (first, _) = next(&mut world, 0);
    answer(&mut world, &first, Some(CallErrorKind::InvalidStatus));
    world.lose(&first, &LIFE);
    for tried in 1..4 {
        let (server, _) = next(&mut world, tried);
        answer(&mut world, &server, Some(CallErrorKind::InvalidStatus));
    }
    back(&mut world, &first);
    led_at_last(&mut world, 4, |_, call| is_told_of(call, &unfit));
}

/// One of them crashes whenever the other one was tried, so each has its own turn of those left out.
#[test]
fn each_one_is_tried_without_each_other_whoever_is_tried_in_between() {
    let mut world = World::steady();
    let unfit = others(&leader(&world)).1;
    let heads = ALL.map(|it| if *it == *unfit { 5 } else { 9 });
    world.lose(&unfit, &LIFE);
    let mut world = vacant(world, &ALL, &heads);
    let (first, _) = next(&mut world, 0);
    crash(&mut world, &first);
    let (second, _) = next(&mut world, 1);
    assert_ne!(second, first);
    answer(&mut world, &second, Some(CallErrorKind::Unreachable));
    let (third, _) = next(&mut world, 2);
    assert_eq!(third, first);
    crash(&mut world, &first);
    back(&mut world, &unfit);
    led_at_last(&mut world, 3, |_, call| is_told_of(call, &unfit));
}

#[test]
fn the_others_are_tried_again_though_they_failed_as_well_before_they_were_well() {
    let world = World::steady();
    let alone = leader(&world);
    let heads = ALL.map(|it| if *it == *alone { 10 } else { 9 });
    let mut world = vacant(world, &ALL, &heads);
    // Meanwhile nobody can reach anybody.
    for tried in 0..12 {
        let (server, _) = next(&mut world, tried);
        answer(&mut world, &server, Some(CallErrorKind::InvalidStatus));
    }
    let can_not = |server: &str, call: &BecomeLeader| server == alone || is_told_of(call, &alone);
    let (server, _) = led_at_last(&mut world, 12, can_not);
    assert_ne!(server, alone);
}

/// Neither of the two that have most reaches the other three, which reach each other.
#[test]
fn two_that_have_more_are_passed_over_where_the_others_are_a_majority() {
    let heads = [11, 10, 9, 9, 9];
    let mut world = vacant(five(), &FIVE, &heads);
    let far = ["s1:6649", "s2:6649"];
    let can_not = |server: &str, call: &BecomeLeader| {
        far.contains(&server) || far.iter().any(|it| is_told_of(call, it))
    };
    let (_, call) = led_at_last(&mut world, 0, can_not);
    assert_eq!(call.follower_maps.len(), 2);
}

#[test]
fn who_leads_with_one_that_crashes_on_that_is_not_chosen_again_and_again() {
    let mut world = World::steady();
    let away = others(&leader(&world)).1;
    world.lose(&away, &LIFE);
    let mut world = vacant(world, &ALL, &[9; 3]);
    let (first, call) = next(&mut world, 0);
    let crashes = call.follower_maps.keys().next().unwrap().to_string();
    crash(&mut world, &crashes);
    let (second, _) = next(&mut world, 1);
    assert_ne!(second, first);
}

#[test]
fn who_was_passed_over_is_taken_in_by_an_election_once_its_leader_has_written() {
    let world = World::steady();
    let alone = leader(&world);
    let heads = ALL.map(|it| if *it == *alone { 10 } else { 9 });
    let mut world = vacant(world, &ALL, &heads);
    for server in ALL {
        let refuses = (server.to_owned(), "AddFollower");
        world.failing.insert(refuses, CallErrorKind::InvalidTerm);
    }
    let can_not = |server: &str, call: &BecomeLeader| server == alone || is_told_of(call, &alone);
    let (server, call) = led_at_last(&mut world, 0, can_not);
    world.run_for(20_000);
    let before = promotions(&world).len();
    let mut leads = replica(call.term.0, ReplicaRole::Leader);
    (leads.head_offset, leads.commit_offset) = (30, 30);
    world.replicas.insert(server.clone(), leads);
    world.heads.insert(server.clone(), head(call.term.0, 30));
    world.run_for(120_000);
    assert!(promotions(&world).len() > before, "{before}");
}

/// As long as no more are there than are needed, nobody can be left out, and that counts for nothing.
#[test]
fn who_does_not_fit_is_left_out_as_soon_as_another_one_is_there() {
    for before in 1..10 {
        let mut world = five();
        let old = leader(&world);
        let others: Vec<&str> = FIVE.into_iter().filter(|it| *it != old).collect();
        let [unfit, away, dead] = [others[0], others[1], others[2]];
        world.lose(away, &LIFE);
        world.lose(dead, &LIFE);
        world.run_for(3_000);
        world.log.clear();
        // Who was told of before is left out before who has less.
        let heads = FIVE.map(|it| 9 - i64::from(it == unfit) - 2 * i64::from(it == away));
        let mut world = vacant(world, &FIVE, &heads);
        for tried in 0..before {
            let (server, call) = next(&mut world, tried);
            assert!(is_told_of(&call, unfit));
            if tried + 1 == before {
                back(&mut world, away);
            }
            answer(&mut world, &server, Some(CallErrorKind::InvalidStatus));
        }
        let fails = |_: &str, call: &BecomeLeader| is_told_of(call, unfit);
        led_at_last(&mut world, before, fails);
        assert_eq!(promotions(&world).len(), before + 1, "after {before}");
    }
}
