//! What a store that does not succeed costs.

use std::time::Duration;

use super::steps::{fail_leader, kinds, last_store, start_election};
use crate::cluster::ClusterStatus;
use crate::scripted::{CONFIGURATION, World};
use crate::store::{StatusDocument, StoreOutcome};
use crate::{Effect, Event, Report, Role};

#[test]
fn an_ambiguous_store_holds_every_call_back_until_the_head_was_read() {
    let mut world = World::steady();
    let tenure = world.tenure();
    let store = start_election(&mut world);
    let (expected, document) = last_store(&world);
    world.apply(expected, document);
    let outcome = StoreOutcome::Ambiguous("timed out".to_owned());
    let effects = world.raw(Event::StoreEnded {
        tenure,
        request: store,
        outcome,
    });
    assert_eq!(kinds(&effects), ["Report(StoreConcluded)", "ReadHead"]);
    let Some(Effect::ReadHead { request, .. }) = effects.last() else {
        panic!()
    };
    let request = *request;

    world.now = world.now.after(Duration::from_secs(2));
    assert_eq!(kinds(&world.raw(Event::TimePassed)), Vec::<String>::new());
    let outcome = world.head();
    let effects = kinds(&world.raw(Event::HeadRead {
        tenure,
        request,
        outcome,
    }));
    assert!(effects.contains(&"Call(NewTerm)".to_owned()), "{effects:?}");
    assert!(
        effects.contains(&"Call(CheckHealth)".to_owned()),
        "{effects:?}"
    );
}

#[test]
fn an_ambiguous_store_that_was_not_applied_is_sent_again_with_the_same_write_id() {
    let mut world = World::steady();
    let tenure = world.tenure();
    let store = start_election(&mut world);
    let before = last_store(&world);
    world
        .script
        .push(StoreOutcome::Ambiguous("timed out".to_owned()));
    world.script.push(StoreOutcome::Conflict(
        "an earlier try came first".to_owned(),
    ));
    world.hold_stores = false;
    world.log.clear();
    let (expected, document) = before.clone();
    let outcome = world.store(expected, document);
    world.feed(Event::StoreEnded {
        tenure,
        request: store,
        outcome,
    });
    let again = last_store(&world);
    assert_eq!(before, again);
    assert_eq!(
        world.machine.role(),
        Role::Leader,
        "a false conflict costs no leadership"
    );
    world.run_for(1_000);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_store_that_stays_ambiguous_is_not_sent_again_without_a_pause() {
    let mut world = World::steady();
    world.script = vec![StoreOutcome::Ambiguous("500".to_owned()); 50];
    fail_leader(&mut world);
    world.run_for(1_000);
    assert!(
        (2..20).contains(&world.stores()),
        "{} stores",
        world.stores()
    );
}

#[test]
fn an_ambiguous_store_that_somebody_else_overtook_is_a_conflict() {
    let mut world = World::steady();
    let tenure = world.tenure();
    let store = start_election(&mut world);
    world.overwrite();
    world.hold_stores = false;
    let outcome = StoreOutcome::Ambiguous("409".to_owned());
    world.feed(Event::StoreEnded {
        tenure,
        request: store,
        outcome,
    });
    assert!(world.tenure() > tenure);
    assert_eq!(
        world.calls("NewTerm"),
        0,
        "no term was fenced that is not stored"
    );
}

#[test]
fn a_new_namespace_that_is_too_large_after_a_doubtful_try_costs_the_office_and_not_the_gate() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world
        .script
        .push(StoreOutcome::Ambiguous("timed out".to_owned()));
    world
        .script
        .push(StoreOutcome::TooLarge("1 MiB".to_owned()));
    let more = "namespaces:\n  - {name: more, initialShardCount: 1, replicationFactor: 3}\n";
    world.configure(Some(&CONFIGURATION.replace("\nnamespaces:\n", more)));
    assert!(world.tenure() > tenure);
    world.run_for(10_000);
    assert_eq!(world.machine.role(), Role::Leader);
}

#[test]
fn a_store_that_is_not_available_is_tried_again_and_leadership_stays() {
    let mut world = World::steady();
    let tenure = world.tenure();
    let after = Duration::from_millis(10);
    for _ in 0..5 {
        world.script.push(StoreOutcome::Unavailable {
            after,
            reason: "503".to_owned(),
        });
    }
    fail_leader(&mut world);
    world.run_for(20_000);
    assert_eq!(
        (world.tenure(), world.machine.steady_shards()),
        (tenure, Some((2, 2)))
    );
}

/// The configuration with these namespaces and their numbers of shards on top.
fn with_more(more: &[(&str, u32)]) -> String {
    let more = more.iter().map(|(name, shards)| {
        format!("  - {{name: {name}, initialShardCount: {shards}, replicationFactor: 3}}\n")
    });
    let more = format!("\nnamespaces:\n{}", more.collect::<String>());
    CONFIGURATION.replace("\nnamespaces:\n", &more)
}

/// A store that has room for so many leaders.
fn with_room_for(leaders: usize) -> impl Fn(&StatusDocument) -> Option<StoreOutcome> {
    move |document| {
        let led = |status: &ClusterStatus| {
            let shards = status.shards();
            shards.filter(|(_, _, it)| it.leader.is_some()).count()
        };
        let fits = led(&document.status) <= leaders
            && !(document.admits && led(&document.status.grown()) > leaders);
        (!fits).then(|| StoreOutcome::TooLarge("1 MiB".to_owned()))
    }
}

fn refused(world: &World) -> Vec<&str> {
    let refused = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::NamespaceRefused { namespace, .. }) => Some(&**namespace),
        _ => None,
    });
    refused.collect()
}

#[test]
fn a_namespace_that_would_not_fit_with_its_leaders_is_refused_and_ends_no_fail_over() {
    let mut world = World::steady();
    world.hold_stores = true;
    world.configure(Some(&with_more(&[("more", 20)])));
    world.run_refusing(30_000, with_room_for(10));
    assert_eq!(refused(&world), ["more"]);
    fail_leader(&mut world);
    world.run_refusing(10_000, with_room_for(10));
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_namespace_that_fits_is_created_whatever_does_not_fit_beside_it() {
    let mut world = World::steady();
    world.hold_stores = true;
    let more = [("a", 3), ("huge", 20), ("b", 3), ("large", 9), ("c", 1)];
    world.configure(Some(&with_more(&more)));
    world.run_refusing(10_000, with_room_for(10));
    let names: Vec<&str> = world.status().namespaces.keys().map(|it| &**it).collect();
    assert_eq!(names, ["a", "b", "c", "default"]);
    assert_eq!(refused(&world), ["huge", "large"]);
    assert_eq!(world.machine.steady_shards(), Some((9, 9)));
}

#[test]
fn a_namespace_that_the_store_calls_malformed_is_refused_and_costs_no_office() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.hold_stores = true;
    world.configure(Some(&with_more(&[("good", 1), ("bad", 1)])));
    world.run_refusing(10_000, |document| {
        let is_bad = document.status.namespaces.contains_key("bad");
        is_bad.then(|| StoreOutcome::Invalid("no".to_owned()))
    });
    assert_eq!(world.tenure(), tenure);
    assert_eq!(refused(&world), ["bad"]);
    assert_eq!(world.machine.steady_shards(), Some((3, 3)));
}

#[test]
fn a_change_that_the_store_calls_malformed_costs_the_office() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.script.push(StoreOutcome::Invalid("no".to_owned()));
    fail_leader(&mut world);
    assert!(world.tenure() > tenure);
}
