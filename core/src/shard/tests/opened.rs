//! Who was asked whether it has anything, and did not become a member.

use std::collections::BTreeSet;

use super::exchanged::{configuration, shard, steady};
use super::{LIFE, calls_of_shard, leader};
use crate::Term;
use crate::call::{Call, CallErrorKind};
use crate::scripted::World;

/// A server is to come, and before it has said that it was never fenced all others stay, and elect.
fn asked_in_vain() -> World {
    let mut world = steady();
    world.silent.insert(("s4:6649".to_owned(), "NewTerm"));
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(5_000);
    assert_eq!(told(&world, "NewTerm"), [Term::NEVER]);
    world.configure(Some(&configuration(&[1, 2, 3, 4])));
    let led_by = leader(&world);
    world.lose(&led_by, &LIFE);
    no_answer_in_time(&mut world, "s4:6649", "NewTerm");
    world.run_for(5_000);
    assert_ne!(leader(&world), led_by);
    world.failing.clear();
    world
}

fn no_answer_in_time(world: &mut World, server: &str, kind: &'static str) {
    world.silent.clear();
    let call = (server.to_owned(), kind);
    world.failing.insert(call, CallErrorKind::TimedOut);
}

/// The terms of what the one that was to come was told.
fn told(world: &World, kind: &str) -> Vec<Term> {
    let calls = calls_of_shard(world).into_iter();
    let calls = calls.filter(|(name, to, _)| *name == kind && to == "s4:6649");
    let terms = calls.filter_map(|(_, _, call)| match call {
        Call::DeleteShard(call) => Some(call.term),
        Call::NewTerm(call) => Some(call.term),
        _ => None,
    });
    terms.collect()
}

#[test]
fn who_was_only_asked_whether_it_has_anything_deletes_what_it_opened_for_that() {
    let mut world = asked_in_vain();
    world.run_for(200_000);
    let shard = shard(&world);
    assert_eq!(told(&world, "DeleteShard"), [Term::NEVER]);
    assert_eq!(shard.pending_delete_shard_nodes, []);
    assert!(shard.ensemble.iter().all(|it| it.id().to_string() != "s4"));
}

#[test]
fn what_it_has_of_an_earlier_time_stays() {
    let mut world = asked_in_vain();
    world.known.insert("s4:6649".to_owned());
    world.run_for(200_000);
    assert_eq!(told(&world, "DeleteShard"), []);
    assert_eq!(shard(&world).pending_delete_shard_nodes, []);
}

#[test]
fn it_is_asked_again_where_it_did_not_answer() {
    let mut world = asked_in_vain();
    no_answer_in_time(&mut world, "s4:6649", "NewTerm");
    world.run_for(200_000);
    assert_eq!(told(&world, "DeleteShard"), []);
    world.failing.clear();
    world.run_for(200_000);
    assert_eq!(told(&world, "DeleteShard").len(), 1);
}

#[test]
fn it_deletes_it_with_the_shard_where_that_goes_first() {
    let mut world = asked_in_vain();
    let none = configuration(&[1, 2, 3, 4]);
    let none = none.replace(
        "namespaces: [{name: default, ",
        "namespaces: [{name: other, ",
    );
    no_answer_in_time(&mut world, "s4:6649", "GetStatus");
    world.configure(Some(&none));
    world.run_for(2_000);
    world.failing.clear();
    world.run_for(200_000);
    assert!(!world.status().namespaces.contains_key("default"));
    assert_eq!(told(&world, "DeleteShard").len(), 1);
}

/// A server that was asked, and answers nothing about the shard, while that is deleted.
#[test]
fn members_do_not_wait_for_it_to_delete_what_they_have() {
    let mut world = asked_in_vain();
    no_answer_in_time(&mut world, "s4:6649", "GetStatus");
    for kind in ["NewTerm", "DeleteShard"] {
        let call = ("s4:6649".to_owned(), kind);
        world.failing.insert(call, CallErrorKind::TimedOut);
    }
    let none = configuration(&[1, 2, 3, 4]).replace("name: default", "name: other");
    world.configure(Some(&none));
    world.log.clear();
    world.run_for(60_000);
    let calls = calls_of_shard(&world).into_iter();
    let deletes = calls.filter(|(kind, to, _)| *kind == "DeleteShard" && to != "s4:6649");
    let told: BTreeSet<String> = deletes.map(|(_, to, _)| to).collect();
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn one_that_becomes_a_member_after_all_keeps_it() {
    let mut world = asked_in_vain();
    no_answer_in_time(&mut world, "s4:6649", "NewTerm");
    world.run_for(5_000);
    world.failing.clear();
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(120_000);
    let shard = shard(&world);
    assert!(shard.ensemble.iter().any(|it| it.id().to_string() == "s4"));
    assert_eq!(shard.pending_delete_shard_nodes, []);
}

/// What was opened is no reason why nobody else could take the shard in.
#[test]
fn while_a_member_lacks_something_the_only_one_that_can_come_is_not_kept_from_it() {
    let mut world = steady();
    world.silent.insert(("s4:6649".to_owned(), "NewTerm"));
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(2_000);
    // Who leaves is away for good.
    world.lose("s1:6649", &LIFE);
    world.take_away("s1:6649");
    let led_by = leader(&world);
    world.break_watch(&led_by);
    world.run_for(40_000);
    world.silent.clear();
    world.run_for(400_000);
    let members = shard(&world).ensemble;
    assert!(members.iter().any(|it| it.id().to_string() == "s4"));
}

#[test]
fn while_one_that_has_left_is_away_the_only_one_that_can_come_is_not_kept_from_it() {
    let mut world = steady();
    // It leaves, and never comes back.
    world.lose("s1:6649", &LIFE);
    world.take_away("s1:6649");
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(60_000);
    assert_eq!(shard(&world).pending_delete_shard_nodes.len(), 1);
    // Another one is to leave and stays, before it is heard whether the fifth has anything.
    world.silent.insert(("s5:6649".to_owned(), "NewTerm"));
    world.configure(Some(&configuration(&[3, 4, 5])));
    world.run_for(2_000);
    let calls = calls_of_shard(&world);
    assert!(
        calls
            .iter()
            .any(|(name, to, _)| *name == "NewTerm" && to == "s5:6649")
    );
    world.configure(Some(&configuration(&[2, 3, 4, 5])));
    world.break_watch(&leader(&world));
    let gone = world.failing.clone();
    no_answer_in_time(&mut world, "s5:6649", "NewTerm");
    world.run_for(2_000);
    world.failing = gone;
    world.run_for(200_000);
    assert_eq!(shard(&world).pending_delete_shard_nodes.len(), 1);
    world.configure(Some(&configuration(&[3, 4, 5])));
    world.run_for(60_000);
    let members = shard(&world).ensemble;
    assert!(members.iter().any(|it| it.id().to_string() == "s5"));
}

#[test]
fn what_is_to_be_asked_again_is_no_deadline_once_it_is_known_to_have_data() {
    let mut world = asked_in_vain();
    no_answer_in_time(&mut world, "s4:6649", "NewTerm");
    world.run_for(100_000);
    world.failing.clear();
    world.known.insert("s4:6649".to_owned());
    world.configure(Some(&configuration(&[2, 3, 4])));
    for _ in 0..200 {
        world.run_for(1_000);
        let due = world.machine.poll_deadline().unwrap().0;
        assert!(due > world.now, "{due:?}");
    }
}

#[test]
fn a_server_that_is_gone_does_not_hold_up_the_deletion_of_a_shard_that_it_was_only_asked_of() {
    let mut world = asked_in_vain();
    no_answer_in_time(&mut world, "s4:6649", "GetStatus");
    world.run_for(2_000);
    let none = configuration(&[1, 2, 3]);
    world.configure(Some(&none));
    world.run_for(2_000);
    let none = none.replace(
        "namespaces: [{name: default, ",
        "namespaces: [{name: other, ",
    );
    world.configure(Some(&none));
    world.run_for(200_000);
    assert!(!world.status().namespaces.contains_key("default"));
}

#[test]
fn who_is_told_to_delete_it_becomes_a_member_only_once_it_has_answered() {
    let mut world = asked_in_vain();
    world.silent.insert(("s4:6649".to_owned(), "DeleteShard"));
    world.run_for(20_000);
    assert_eq!(told(&world, "DeleteShard").first(), Some(&Term::NEVER));
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(20_000);
    assert!(
        told(&world, "NewTerm")
            .iter()
            .all(|term| *term == Term::NEVER)
    );
}
