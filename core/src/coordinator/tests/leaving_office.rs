//! Why and in which order an office is left.

use std::time::Duration;

use super::steps::{fail_leader, kinds, start_election};
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

/// Why offices were left.
fn causes(world: &World) -> Vec<(Cause, &str)> {
    let causes = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::RoleChanged {
            from: Role::Leader,
            cause,
            reason,
            ..
        }) => Some((cause.unwrap(), reason.as_str())),
        _ => None,
    });
    causes.collect()
}

#[test]
fn a_leader_that_can_not_store_anything_gives_way_to_others_and_says_why() {
    let after = Duration::from_millis(10);
    let (forbidden, away) = ("403".to_owned(), "503".to_owned());
    let refusals = [
        ("403", StoreOutcome::Forbidden(forbidden)),
        ("1 MiB", StoreOutcome::TooLarge("1 MiB".to_owned())),
        (
            "503",
            StoreOutcome::Unavailable {
                after,
                reason: away,
            },
        ),
        ("timed out", StoreOutcome::Ambiguous("timed out".to_owned())),
    ];
    for doubtful in [false, true] {
        for (words, refusal) in &refusals {
            let mut world = World::steady();
            let tenure = world.tenure();
            if doubtful {
                let doubt = StoreOutcome::Ambiguous("timed out".to_owned());
                world.script.push(doubt);
            }
            world.script.extend(vec![refusal.clone(); 10_000]);
            fail_leader(&mut world);
            world.run_for(29_000);
            assert_eq!((causes(&world), world.tenure()), (vec![], tenure));
            world.run_for(2_000);
            let reason = format!("nothing could be stored for 30 s: {words}");
            assert_eq!(causes(&world), [(Cause::StoreStalled, reason.as_str())]);
            // Others have a few seconds to go first.
            assert_eq!(world.machine.role(), Role::Candidate);
            world.script.clear();
            world.run_for(20_000);
            assert_eq!(world.machine.steady_shards(), Some((2, 2)));
        }
    }
}

#[test]
fn a_store_that_never_answers_costs_the_office() {
    let mut world = World::steady();
    world.hang = Some(|effect| matches!(effect, Effect::Store { .. }));
    fail_leader(&mut world);
    world.run_for(31_000);
    let reason = "nothing could be stored for 30 s: the store does not answer";
    assert_eq!(causes(&world), [(Cause::StoreStalled, reason)]);
}

#[test]
fn a_leader_with_nothing_to_store_stays_in_office_for_ever() {
    let mut world = World::steady();
    world.run_for(60 * 60_000);
    assert_eq!(causes(&world), []);
}
