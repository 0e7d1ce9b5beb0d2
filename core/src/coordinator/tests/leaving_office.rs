//! Why and in which order an office is left.

use std::time::Duration;

use super::steps::{kinds, start_election};
use crate::scripted::World;
use crate::store::StoreOutcome;
use crate::{Cause, Effect, Event, Report, Role};

#[test]
fn a_conflict_closes_the_office_in_the_same_step_and_the_same_process_leads_again() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.overwrite();
    let store = start_election(&mut world);
    let outcome = StoreOutcome::Conflict("version 9".to_owned());
    let effects = world.raw(Event::StoreEnded {
        tenure,
        request: store,
        outcome,
    });
    assert_eq!(
        kinds(&effects),
        [
            "Report(StoreConcluded)",
            "Report(RoleChanged)",
            "CloseOffice"
        ]
    );
    assert_eq!(world.machine.role(), Role::SteppingDown);
    assert_eq!(world.machine.poll_deadline(), None);

    let effects = world.raw(Event::Drained { tenure });
    assert_eq!(kinds(&effects), ["Report(RoleChanged)", "Release"]);
    assert_eq!(
        (world.machine.role(), world.tenure()),
        (Role::Candidate, tenure.next())
    );
    world.hold_stores = false;
    world.run_for(5_000);
    assert_eq!(world.machine.role(), Role::Leader);
    assert_eq!(world.stored.as_ref().unwrap().1.epoch.0, 2);
}

#[test]
fn an_idle_leader_notices_a_foreign_write_and_steps_down() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.overwrite();
    world.run_for(6_000);
    assert!(world.tenure() > tenure);
    assert_eq!(world.machine.role(), Role::Leader);
}

#[test]
fn a_hint_makes_an_idle_leader_look_at_once() {
    let mut world = World::steady();
    let tenure = world.tenure();
    world.overwrite();
    world.feed(Event::StatusHinted);
    world.run_for(100);
    assert!(world.tenure() > tenure);
}

#[test]
fn authority_that_ends_closes_the_office_before_anything_else_leaves() {
    let mut world = World::new();
    let Some(Effect::Campaign { tenure }) = world.drain().last().cloned() else {
        panic!()
    };
    let authority = world.now.after(Duration::from_secs(10));
    world.feed(Event::LeadershipWon {
        tenure,
        authority: Some(authority),
    });
    assert_eq!(world.machine.role(), Role::Leader);
    let later = authority.after(Duration::from_secs(5));
    world.feed(Event::AuthorityExtended {
        tenure,
        authority: later,
    });
    world.now = authority;
    world.feed(Event::TimePassed);
    assert_eq!(world.machine.role(), Role::Leader);
    world.now = later;
    let effects = world.raw(Event::TimePassed);
    assert_eq!(kinds(&effects), ["Report(RoleChanged)", "CloseOffice"]);
    let Some(Effect::Report(Report::RoleChanged { cause, .. })) = effects.first() else {
        panic!()
    };
    assert_eq!(*cause, Some(Cause::AuthorityExpired));
}

#[test]
fn a_shutdown_drains_releases_and_exits_in_this_order() {
    let mut world = World::steady();
    let tenure = world.tenure();
    assert_eq!(
        kinds(&world.raw(Event::ShutdownRequested)),
        ["Report(RoleChanged)", "CloseOffice"]
    );
    let effects = world.raw(Event::Drained { tenure });
    assert_eq!(kinds(&effects), ["Report(RoleChanged)", "Release", "Exit"]);
    world.run_for(60_000);
    assert!(world.drain().is_empty());
}
