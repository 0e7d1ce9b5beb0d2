//! Replicas that are not open: nobody opens more of them than it needs.

use super::forgetting::{fenced, term};
use super::{LIFE, SHARD, calls_of_shard, leader, others, promotions};
use crate::Term;
use crate::call::{Call, CallErrorKind};
use crate::scripted::World;

/// A steady world in which all servers but the leader's were restarted.
fn restarted() -> (World, String, [String; 2]) {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (one, other) = others(&led_by);
    for server in [&one, &other] {
        world.closed.insert((server.clone(), SHARD));
    }
    world.log.clear();
    (world, led_by, [one, other])
}

/// The leader's server says that it does not serve, though it answers.
fn elect(world: &mut World, led_by: &str) {
    world.lose(led_by, &["CheckHealth"]);
}

fn opened(world: &World, servers: &[String; 2]) -> usize {
    let opened = servers.iter();
    opened.filter(|it| !fenced(world, it).is_empty()).count()
}

#[test]
fn an_election_opens_no_more_replicas_than_a_majority_takes() {
    let (mut world, led_by, closed) = restarted();
    elect(&mut world, &led_by);
    world.run_for(900);
    assert_eq!((term(&world), promotions(&world).len()), (Term(1), 1));
    assert_eq!(opened(&world, &closed), 1);
    // The new leader takes the other in, once shards that need theirs more have had theirs.
    world.run_for(3_000);
    assert_eq!(opened(&world, &closed), 2);
    let added = |(_, _, call): &(_, _, Call)| matches!(call, Call::AddFollower(_));
    assert!(calls_of_shard(&world).iter().any(added));
    assert_eq!(term(&world), Term(1));
}

#[test]
fn a_replica_that_does_not_open_in_time_is_not_waited_for() {
    let (mut world, led_by, closed) = restarted();
    for server in &closed {
        world.silent.insert((server.clone(), "NewTerm"));
    }
    elect(&mut world, &led_by);
    world.run_for(900);
    assert_eq!(opened(&world, &closed), 1);
    let stuck = closed.iter().position(|it| !fenced(&world, it).is_empty());
    world.silent.clear();
    world.run_for(2_000);
    assert_eq!((term(&world), promotions(&world).len()), (Term(1), 1));
    assert_eq!(opened(&world, &closed), 2);
    let stuck = &closed[stuck.unwrap()];
    assert_eq!(fenced(&world, stuck).first(), Some(&Term::NEVER));
}

#[test]
fn who_was_spared_is_asked_when_one_that_was_opened_has_forgotten() {
    let (mut world, led_by, closed) = restarted();
    world.forgetful.insert(closed[0].clone());
    elect(&mut world, &led_by);
    world.run_for(900);
    assert_eq!((term(&world), promotions(&world).len()), (Term(1), 1));
    assert!(fenced(&world, &closed[1]).contains(&Term(1)));
}

#[test]
fn who_was_spared_votes_when_one_that_was_opened_is_not_fenced() {
    let (mut world, led_by, closed) = restarted();
    world.hold_stores = true;
    elect(&mut world, &led_by);
    world.run_for(300);
    assert_eq!(opened(&world, &closed), 1);
    let (open, spared) = if fenced(&world, &closed[0]).is_empty() {
        (&closed[1], &closed[0])
    } else {
        (&closed[0], &closed[1])
    };
    world
        .failing
        .insert((open.clone(), "NewTerm"), CallErrorKind::Other);
    world.hold_stores = false;
    world.release(); // the term
    world.run_for(500);
    assert_eq!((term(&world), promotions(&world).len()), (Term(1), 1));
    assert_eq!(fenced(&world, spared), [Term::NEVER, Term(1)]);
}

#[test]
fn one_that_goes_away_while_it_is_spared_is_not_opened() {
    let (mut world, led_by, closed) = restarted();
    world.hold_stores = true;
    elect(&mut world, &led_by);
    world.run_for(300);
    let spared = closed.iter().find(|it| fenced(&world, it).is_empty());
    let spared = spared.unwrap().clone();
    world.lose(&spared, &LIFE);
    world.run_for(200);
    world.hold_stores = false;
    world.release(); // the term
    world.run_for(3_000);
    assert_eq!((term(&world), promotions(&world).len()), (Term(1), 1));
    assert_eq!(fenced(&world, &spared), []);
}

#[test]
fn a_follower_that_is_not_open_is_left_to_its_leader_for_a_moment() {
    let (mut world, led_by, [one, other]) = restarted();
    for server in [&one, &other] {
        world.observe(server, false);
        world.observe(server, true);
    }
    // One is opened by its leader's stream.
    world.run_for(400);
    assert!(fenced(&world, &one).is_empty() && fenced(&world, &other).is_empty());
    world.closed.remove(&(one.clone(), SHARD));
    world.run_for(3_000);
    assert_eq!(fenced(&world, &one), []);
    assert_eq!(fenced(&world, &other), [Term::NEVER]);
    assert_eq!((leader(&world), term(&world)), (led_by, Term(0)));
}
