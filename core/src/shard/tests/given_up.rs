//! Data servers that never come back, and of which a person has said so.

use super::deleted::{namespaces, steady as with_two_namespaces, without};
use super::exchanged::{configuration, forgotten, shard, steady};
use crate::balance::Holdup;
use crate::cluster::DataServerIdentity;
use crate::scripted::World;
use crate::{Effect, Event, Report};

fn give_up(world: &mut World, server: &str) {
    let server = crate::ServerId(server.into());
    world.feed(Event::ServerGivenUp { server });
}

fn is_told(world: &World) -> bool {
    let is_it = |effect: &Effect| matches!(effect, Effect::Report(Report::ServerGivenUp { .. }));
    world.log.iter().any(is_it)
}

/// One has left while it was away.
fn left() -> World {
    let mut world = steady();
    world.take_away("s1:6649");
    world.run_for(20_000);
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(20_000);
    assert_eq!(pending(&world), ["s1"]);
    assert!(!forgotten(&world));
    assert_eq!(holdups(&world), [("s1".to_owned(), Holdup::Away, 1)]);
    world
}

/// Why what is to be deleted is still there.
pub(super) fn holdups(world: &World) -> Vec<(String, Holdup, usize)> {
    let waiting = world.machine.survey().unwrap().waiting.into_iter();
    waiting
        .map(|it| (it.server.to_string(), it.reason, it.shards))
        .collect()
}

fn pending(world: &World) -> Vec<String> {
    let pending = shard(world).pending_delete_shard_nodes;
    let pending = pending.iter().map(DataServerIdentity::id);
    pending.map(|id| id.to_string()).collect()
}

#[test]
fn nobody_waits_for_the_data_of_who_left_and_never_comes_back() {
    let mut world = left();
    give_up(&mut world, "s1");
    world.run_for(1_000);
    assert!(is_told(&world));
    assert_eq!(pending(&world), Vec::<String>::new());
    assert_eq!(holdups(&world), []);
    assert!(forgotten(&world));
}

#[test]
fn who_is_there_deletes_what_it_has_whatever_a_person_says() {
    let mut world = left();
    world.hold_stores = true;
    world.failing.clear();
    world.run_for(20_000);
    assert_eq!(world.calls("DeleteShard"), 1);
    give_up(&mut world, "s1");
    assert!(!is_told(&world));
}

#[test]
fn who_is_configured_is_not_given_up() {
    let mut world = steady();
    world.take_away("s1:6649");
    world.run_for(20_000);
    give_up(&mut world, "s1");
    world.run_for(1_000);
    assert!(!is_told(&world));
}

#[test]
fn a_shard_is_gone_once_all_have_deleted_it_but_those_that_never_come_back() {
    let mut world = with_two_namespaces();
    for server in ["s1:6649", "s2:6649"] {
        world.take_away(server);
    }
    world.run_for(20_000);
    let without_them =
        without(&["two", "s1", "s2"]).replace("replicationFactor: 3", "replicationFactor: 1");
    world.configure(Some(&without_them));
    world.run_for(20_000);
    assert_eq!(namespaces(&world), ["one", "two"]);
    let away = |server: &str| (server.to_owned(), Holdup::Away, 1);
    assert_eq!(holdups(&world), [away("s1"), away("s2")]);
    give_up(&mut world, "s1");
    world.run_for(2_000);
    let holders = |world: &World| {
        let (_, document) = world.stored.as_ref().unwrap();
        let two = document.status.namespaces.get("two")?;
        let shard = two.shards.values().next()?;
        Some(
            shard
                .ensemble
                .iter()
                .map(|it| it.id().to_string())
                .collect::<Vec<_>>(),
        )
    };
    // Whoever comes after knows it too.
    let holders_left = holders(&world).unwrap();
    assert!(holders_left.contains(&"s2".to_owned()) && !holders_left.contains(&"s1".to_owned()));
    give_up(&mut world, "s2");
    world.run_for(2_000);
    assert_eq!(namespaces(&world), ["one"]);
}

#[test]
fn who_left_and_at_whose_address_another_one_is_by_now_may_be_given_up() {
    let mut world = left();
    let there = configuration(&[2, 3, 4]).replace("s4:6649", "s1:6649");
    world.failing.clear();
    world.configure(Some(&there));
    world.run_for(20_000);
    let replaced = Holdup::Replaced(crate::ServerId("s4".into()));
    assert_eq!(holdups(&world), [("s1".to_owned(), replaced, 1)]);
    give_up(&mut world, "s1");
    world.run_for(20_000);
    assert_eq!(pending(&world), Vec::<String>::new());
}
