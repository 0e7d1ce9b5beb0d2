//! Namespaces and shards that are deleted.

use crate::balance::Holdup;
use crate::call::Call;
use crate::scripted::World;
use crate::{ConfigurationText, Effect, Event, Report, Timing};

const TWO: &str = "
namespaces:
  - {name: one, initialShardCount: 1, replicationFactor: 3}
  - {name: two, initialShardCount: 1, replicationFactor: 3}
servers:
  - {name: s1, public: 's1:6648', internal: 's1:6649'}
  - {name: s2, public: 's2:6648', internal: 's2:6649'}
  - {name: s3, public: 's3:6648', internal: 's3:6649'}
";

pub(super) fn without(names: &[&str]) -> String {
    let lines = TWO.lines().filter(|line| {
        !names
            .iter()
            .any(|name| line.contains(&format!("name: {name},")))
    });
    lines.map(|line| format!("{line}\n")).collect()
}

pub(super) fn steady() -> World {
    World::steady_with(Timing::default(), TWO, 2)
}

pub(super) fn namespaces(world: &World) -> Vec<String> {
    let (_, document) = world.stored.as_ref().unwrap();
    document
        .status
        .namespaces
        .keys()
        .map(ToString::to_string)
        .collect()
}

fn read(text: &str) -> Event {
    Event::ConfigurationRead(ConfigurationText {
        source: "cluster.yaml".to_owned(),
        text: Some(text.to_owned()),
    })
}

fn absent() -> Event {
    Event::ConfigurationRead(ConfigurationText {
        source: "cluster.yaml".to_owned(),
        text: None,
    })
}

fn held(world: &World) -> usize {
    let is_it = |effect: &&Effect| matches!(effect, Effect::Report(Report::DeletionHeld { .. }));
    world.log.iter().filter(is_it).count()
}

/// Who was told to delete a shard, and in which term, in order.
fn told_to_delete(world: &World) -> Vec<(String, i64)> {
    let told = world.log.iter().filter_map(|effect| match effect {
        Effect::Call {
            server,
            call: Call::DeleteShard(call),
            ..
        } => Some((server.internal.to_string(), call.term.0)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_namespace_that_is_taken_out_is_deleted_from_every_member() {
    let mut world = steady();
    world.configure(Some(&without(&["two"])));
    world.run_for(2_000);
    assert_eq!(namespaces(&world), ["one"]);
    assert_eq!((world.calls("DeleteShard"), held(&world)), (3, 0));
    let is_gone =
        |effect: &Effect| matches!(effect, Effect::Report(Report::NamespaceDeleted { .. }));
    assert!(world.log.iter().any(is_gone));
}

#[test]
fn nothing_is_deleted_before_it_is_stored_that_it_is_to_be() {
    let mut world = steady();
    world.hold_stores = true;
    world.configure(Some(&without(&["two"])));
    world.run_for(2_000);
    assert_eq!(world.calls("DeleteShard"), 0);
    world.hold_stores = false;
    world.release();
    world.run_for(2_000);
    assert_eq!(namespaces(&world), ["one"]);
}

#[test]
fn a_member_that_is_away_holds_up_only_the_end() {
    let mut world = steady();
    world.take_away("s1:6649");
    world.run_for(20_000);
    world.log.clear();
    world.configure(Some(&without(&["two"])));
    world.run_for(20_000);
    assert_eq!(world.calls("DeleteShard"), 2);
    assert_eq!(namespaces(&world), ["one", "two"]);
    // Whoever comes after goes on with it.
    let mut world = world.restarted();
    world.configure(Some(&without(&["two"])));
    world.settle();
    world.run_for(5_000);
    assert_eq!(namespaces(&world), ["one"]);
}

#[test]
fn what_would_delete_too_much_is_not_put_in_force_where_what_came_in_its_place_is_refused() {
    let cut = without(&["one", "two"]).replace("namespaces:", "namespaces: []");
    let unread = Event::ConfigurationRefused {
        source: "cluster.yaml".to_owned(),
        reason: "an address can't be dialled".to_owned(),
    };
    for refused in [absent(), read(""), read("servers: ["), unread] {
        let mut world = steady();
        world.configure(Some(&cut));
        world.run_for(10_000);
        let told = world.machine.survey().unwrap().held.unwrap();
        let names: Vec<&str> = told.namespaces.iter().map(|it| &**it).collect();
        assert_eq!(names, ["one", "two"]);
        assert_eq!(told.until.since(world.now).as_secs(), 20);
        world.feed(refused.clone());
        world.run_for(120_000);
        assert_eq!((namespaces(&world).len(), held(&world)), (2, 1));
        assert_eq!(world.machine.survey().unwrap().held, None);
        // Whoever campaigns again does not forget that it was refused.
        world.configure(Some(&cut));
        world.overwrite();
        world.feed(refused.clone());
        world.run_for(120_000);
        assert_eq!(namespaces(&world).len(), 2, "{refused:?}");
        world.configure(Some(TWO));
        world.run_for(10_000);
        assert_eq!(world.calls("DeleteShard"), 0);
    }
}

#[test]
fn what_was_refused_when_office_was_taken_deletes_nothing() {
    let cut = without(&["one", "two"]).replace("namespaces:", "namespaces: []");
    for before in [None, Some(TWO)] {
        let mut world = steady().restarted();
        for text in before.into_iter().chain([&*cut, "servers: ["]) {
            world.machine.handle(world.now, read(text));
        }
        world.settle();
        world.run_for(120_000);
        assert_eq!(namespaces(&world).len(), 2);
        let in_force = world
            .machine
            .survey()
            .map(|it| it.configuration.namespaces.len());
        assert_eq!(
            in_force,
            before.map(|_| 2),
            "the good one that was read before that is in force"
        );
    }
}

fn unsure(world: &World) -> usize {
    let is_it = |effect: &&Effect| matches!(effect, Effect::Report(Report::DeletionUnsure { .. }));
    world.log.iter().filter(is_it).count()
}

fn document(text: &str) -> Option<ConfigurationText> {
    let Event::ConfigurationRead(document) = read(text) else {
        return None;
    };
    Some(document)
}

/// One that stood by while the namespace was made, and has not read that yet.
#[test]
fn a_configuration_that_was_read_before_office_was_taken_deletes_nothing_that_the_document_has() {
    let stale = without(&["two"]);
    let bad = Event::ConfigurationRefused {
        source: "cluster.yaml".to_owned(),
        reason: "an address can't be dialled".to_owned(),
    };
    for before in [vec![read(&stale)], vec![read(&stale), bad]] {
        for present in [document(TWO), None] {
            let mut world = steady().restarted();
            for event in &before {
                world.machine.handle(world.now, event.clone());
            }
            world.configured = present;
            world.settle();
            world.run_for(120_000);
            assert_eq!(namespaces(&world), ["one", "two"]);
            assert_eq!(world.calls("DeleteShard"), 0);
            // Once it says so, it is done.
            world.configured = document(&stale);
            world.run_for(10_000);
            assert_eq!(namespaces(&world), ["one"]);
        }
    }
}

#[test]
fn what_is_held_back_is_not_put_in_force_where_the_document_was_mended_a_moment_ago() {
    let mut world = steady();
    let cut = without(&["one", "two"]).replace("namespaces:", "namespaces: []");
    world.configure(Some(&cut));
    world.run_for(29_900);
    // It is not noticed yet.
    world.configured = document(TWO);
    world.run_for(20_000);
    assert_eq!(namespaces(&world).len(), 2);
    // It is waited anew.
    world.configured = document(&cut);
    world.run_for(9_000);
    assert_eq!(namespaces(&world).len(), 2);
    world.run_for(10_000);
    assert_eq!(namespaces(&world), [""; 0]);
}

#[test]
fn nothing_is_deleted_while_the_document_can_not_be_read_and_that_is_said_once() {
    let mut world = steady();
    world.configured = None;
    world.machine.handle(world.now, read(&without(&["two"])));
    world.settle();
    world.run_for(20_000);
    assert_eq!(namespaces(&world).len(), 2);
    assert_eq!(unsure(&world), 1);
    world.configured = document(&without(&["two"]));
    world.run_for(10_000);
    assert_eq!(namespaces(&world), ["one"]);
}

#[test]
fn what_keeps_a_held_configuration_from_being_put_in_force_is_said_once() {
    let mut world = steady();
    world.configure(Some(
        &without(&["one", "two"]).replace("namespaces:", "namespaces: []"),
    ));
    world.configured = None;
    world.run_for(60_000);
    assert_eq!(namespaces(&world).len(), 2);
    assert_eq!(unsure(&world), 1);
}

#[test]
fn what_would_delete_everything_is_put_in_force_only_once_it_has_stayed_so() {
    let mut world = steady();
    world.configure(Some(
        &without(&["one", "two"]).replace("namespaces:", "namespaces: []"),
    ));
    world.run_for(29_000);
    assert_eq!((namespaces(&world).len(), held(&world)), (2, 1));
    // The rest of it is written by then.
    world.configure(Some(TWO));
    world.run_for(60_000);
    assert_eq!(
        (namespaces(&world).len(), world.calls("DeleteShard")),
        (2, 0)
    );
    world.configure(Some(
        &without(&["one", "two"]).replace("namespaces:", "namespaces: []"),
    ));
    world.run_for(33_000);
    assert_eq!(namespaces(&world), Vec::<String>::new());
}

#[test]
fn a_namespace_that_is_configured_again_gets_new_shards() {
    let mut world = steady();
    let ids = |world: &World| -> Vec<i64> {
        let (_, document) = world.stored.as_ref().unwrap();
        document.status.shards().map(|(_, id, _)| id.0).collect()
    };
    let before = ids(&world);
    world.configure(Some(&without(&["two"])));
    world.configure(Some(TWO));
    world.run_for(5_000);
    assert_eq!(namespaces(&world), ["one", "two"]);
    assert_eq!(ids(&world).len(), 2);
    assert_ne!(ids(&world), before);
}

#[test]
fn a_namespace_that_is_configured_again_need_not_wait_for_who_is_away_to_delete_the_old_one() {
    let mut world = steady();
    world.take_away("s1:6649");
    world.run_for(20_000);
    let told = |world: &World| {
        let (_, document) = world.stored.as_ref().unwrap();
        let two = document.status.namespaces.get("two").unwrap();
        let told = two
            .shards
            .iter()
            .map(|(id, it)| format!("{} {:?}", id.0, it.status));
        told.collect::<Vec<_>>()
    };
    let before = told(&world).join("");
    let before = before.split(' ').next().unwrap().to_owned();
    world.configure(Some(&without(&["two"])));
    world.run_for(5_000);
    assert_eq!(told(&world), [format!("{before} Deleting")]);
    world.log.clear();
    world.configure(Some(TWO));
    world.run_for(5_000);
    let both = [format!("{before} Deleting"), "2 SteadyState".to_owned()];
    assert_eq!(told(&world), both);
    let created = Report::NamespaceCreated {
        namespace: "two".into(),
        shards: 1,
    };
    assert!(world.log.contains(&Effect::Report(created)));
    // It may go again, the old one and the new one.
    world.configure(Some(&without(&["two"])));
    world.run_for(5_000);
    let both = [format!("{before} Deleting"), "2 Deleting".to_owned()];
    assert_eq!(told(&world), both);
    let mut world = world.restarted();
    world.configure(Some(TWO));
    world.settle();
    world.run_for(10_000);
    assert_eq!(told(&world), ["3 SteadyState"]);
}

/// One that is told to delete in an older term than its own closes the shard for good, and one that has not opened
/// it since it was started does not tell in which term it is.
#[test]
fn who_deletes_a_shard_is_told_so_in_a_term_that_nobody_is_beyond() {
    let mut world = steady();
    world.log.clear();
    world.configure(Some(&without(&["two"])));
    world.run_for(5_000);
    let told = told_to_delete(&world).into_iter();
    let terms: Vec<i64> = told.map(|(_, term)| term).collect();
    assert_eq!(terms, [i64::MAX; 3]);
}

#[test]
fn who_leads_deletes_before_those_that_it_would_feed_again() {
    let mut world = steady();
    let (_, document) = world.stored.as_ref().unwrap();
    let two = document.status.namespaces.get("two").unwrap();
    let leader = two.shards.values().next().unwrap().leader.clone().unwrap();
    world.log.clear();
    world.configure(Some(&without(&["two"])));
    world.run_for(5_000);
    let told = told_to_delete(&world);
    let first = told.first().map(|(server, _)| server.as_str());
    assert_eq!(first, Some(&*leader.internal));
    assert_eq!(
        (told.len(), namespaces(&world)),
        (3, vec!["one".to_owned()])
    );
}

#[test]
fn who_is_back_and_does_not_serve_yet_holds_up_no_other() {
    let mut world = steady();
    for server in ["s1:6649", "s2:6649"] {
        world.take_away(server);
    }
    world.run_for(20_000);
    world.configure(Some(&without(&["two"])));
    world.run_for(20_000);
    let deleted = |world: &World| world.calls("DeleteShard");
    assert_eq!(deleted(&world), 1);
    let health = |world: &mut World, server: &str| {
        world.failing.retain(|(failing, _), _| failing != server);
    };
    // It answers, and that is all.
    world.not_serving.insert("s1:6649".to_owned());
    health(&mut world, "s1:6649");
    world.run_for(20_000);
    health(&mut world, "s2:6649");
    world.run_for(20_000);
    assert_eq!(deleted(&world), 2);
    let waits = super::given_up::holdups(&world);
    assert_eq!(waits, [("s1".to_owned(), Holdup::NotServing, 1)]);
}
