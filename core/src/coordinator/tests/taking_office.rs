//! From a campaign to the office: loading, fencing, and giving up.

use std::sync::Arc;
use std::time::Duration;

use super::steps::kinds;
use crate::cluster::{ClusterStatus, ShardStatus};
use crate::scripted::{CONFIGURATION, World};
use crate::store::{LoadOutcome, LoadedStatus, StoreOutcome};
use crate::{Cause, Effect, Epoch, Event, Reason, Report, Role, Tenure, Term, Version};

#[test]
fn a_candidate_loads_and_fences_before_it_leads() {
    let mut world = World::new();
    world.settle();
    let order: Vec<_> = kinds(&world.log)
        .into_iter()
        .filter(|kind| !kind.starts_with("Report"))
        .collect();
    assert_eq!(order, ["Campaign", "Load", "Store", "OpenOffice"]);
    assert_eq!(world.machine.role(), Role::Leader);
    let (_, document) = world.stored.as_ref().unwrap();
    assert_eq!(
        (document.epoch.0, document.status.instance_id.len()),
        (1, 36)
    );
}

#[test]
fn a_new_cluster_elects_every_shard_with_two_stores_after_the_fencing_write() {
    let world = World::steady();
    let status = world.status();
    let shards: Vec<_> = status.shards().collect();
    assert_eq!(shards.len(), 2);
    for (_, _, shard) in shards {
        assert_eq!((shard.status, shard.term.0), (ShardStatus::SteadyState, 0));
        assert!(shard.ensemble.contains(shard.leader.as_ref().unwrap()));
    }
    assert_eq!(status.shard_id_generator, 2);
}

#[test]
fn a_fencing_write_that_is_refused_loads_again_and_gives_up_after_five_tries() {
    let mut world = World::new();
    world.script = (0..5)
        .map(|_| StoreOutcome::Conflict("another".to_owned()))
        .collect();
    world.settle();
    assert_eq!(world.stores(), 5);
    assert_eq!(
        world
            .log
            .iter()
            .filter(|effect| matches!(effect, Effect::Load { .. }))
            .count(),
        5
    );
    assert!(world.tenure() > Tenure(1));
    world.run_for(5_000);
    assert_eq!(world.machine.role(), Role::Leader);
}

#[test]
fn an_unreadable_document_keeps_the_candidate_out_of_office() {
    let mut world = World::new();
    let effects = world.drain();
    let Some(Effect::Campaign { tenure }) = effects.last().cloned() else {
        panic!()
    };
    let effects = world.raw(Event::LeadershipWon {
        tenure,
        authority: None,
    });
    let Some(Effect::Load { request, .. }) = effects.last().cloned() else {
        panic!()
    };
    let outcome = LoadOutcome::Corrupt("torn".to_owned());
    let effects = world.raw(Event::Loaded {
        tenure,
        request,
        outcome,
    });
    assert_eq!(kinds(&effects), ["Report(StatusUnreadable)"]);
    assert_eq!(world.machine.role(), Role::Candidate);
    assert_eq!(
        world.machine.poll_deadline().map(|(_, reason)| reason),
        Some(Reason::Load)
    );
}

#[test]
fn leadership_without_an_office_is_given_back_and_others_go_first() {
    let mut world = World::new();
    world.unreadable = Some(LoadOutcome::Corrupt("torn".to_owned()));
    world.settle();
    world.run_for(29_999);
    assert_eq!(world.tenure(), Tenure(1));
    world.log.clear();
    world.run_for(1);
    let given_up = world.log.iter().find_map(|effect| match effect {
        Effect::Report(Report::RoleChanged {
            cause: Some(cause),
            reason,
            ..
        }) => Some((*cause, reason.as_str())),
        _ => None,
    });
    let (cause, reason) = given_up.expect("it gives up");
    assert_eq!(cause, Cause::NotInOffice);
    assert!(reason.contains("torn"), "{reason}");
    assert!(kinds(&world.log).contains(&"Release".to_owned()));
    world.log.clear();
    world.run_for(4_999);
    assert_eq!(kinds(&world.log), [""; 0]);
    world.run_for(1);
    assert!(kinds(&world.log).contains(&"Campaign".to_owned()));
}

#[test]
fn a_document_that_is_mended_in_time_is_led_on_for_good() {
    let mut world = World::steady().restarted();
    world.unreadable = Some(LoadOutcome::Forbidden("no rights".to_owned()));
    world.settle();
    world.run_for(20_000);
    world.unreadable = None;
    world.run_for(60_000);
    assert_eq!(world.machine.role(), Role::Leader);
    assert_eq!(world.tenure(), Tenure(1));
}

#[test]
fn a_fencing_write_that_never_succeeds_gives_leadership_back() {
    let mut world = World::new();
    world.script = vec![StoreOutcome::TooLarge("1 MiB".to_owned()); 1_000];
    world.settle();
    world.run_for(30_000);
    assert_eq!(world.tenure(), Tenure(2));
    let told = world.log.iter().any(|effect| {
        matches!(effect, Effect::Report(Report::RoleChanged { reason, .. })
            if reason.contains("1 MiB"))
    });
    assert!(told, "{:?}", kinds(&world.log));
}

#[test]
fn a_slow_fencing_write_is_waited_for_as_long_as_nothing_is_in_its_way() {
    let mut world = World::new();
    world.hold_stores = true;
    world.settle();
    world.run_for(60_000);
    world.release();
    assert_eq!(world.machine.role(), Role::Leader);
    assert_eq!(world.tenure(), Tenure(1));
}

#[test]
fn a_shutdown_and_a_configuration_are_heard_by_whoever_has_to_leave_at_the_same_moment() {
    let overdue = || {
        let mut world = World::new();
        world.unreadable = Some(LoadOutcome::Corrupt("torn".to_owned()));
        world.settle();
        world.run_for(29_999);
        world
    };
    let expired = || {
        let mut world = World::new();
        let tenure = world.tenure();
        world.drain();
        let authority = Some(world.now.after(Duration::from_secs(10)));
        world.feed(Event::LeadershipWon { tenure, authority });
        world.run_for(9_999);
        world
    };
    for mut world in [overdue(), expired()] {
        world.now = world.now.after(Duration::from_millis(1));
        world.log.clear();
        world.feed(Event::ShutdownRequested);
        assert!(kinds(&world.log).contains(&"Exit".to_owned()));
    }
    for mut world in [overdue(), expired()] {
        world.now = world.now.after(Duration::from_millis(1));
        world.unreadable = None;
        world.configure(Some(CONFIGURATION));
        assert_eq!(world.tenure(), Tenure(2));
        world.run_for(10_000);
        assert_eq!(world.machine.steady_shards(), Some((2, 2)));
    }
}

#[test]
fn an_older_copy_of_the_document_is_led_on_and_said_to_be_one() {
    let world = World::steady();
    let (version, document) = world.stored.clone().unwrap();
    let mut world = world.restarted();
    // The fencing write is stored in place of what is found here.
    world.unreadable = Some(LoadOutcome::Found(LoadedStatus {
        version: Version::new(version.to_string()),
        epoch: Epoch(9),
        write_id: Some(document.write_id),
        intact: true,
        status: document.status,
        bytes: 1_000,
    }));
    world.settle();
    let said = world.log.iter().find_map(|effect| match effect {
        Effect::Report(Report::StatusAdopted { reason }) => Some(reason.clone()),
        _ => None,
    });
    assert!(
        said.unwrap()
            .starts_with("it is an older copy, of epoch 1, where epoch 9")
    );
    assert_eq!(world.machine.role(), Role::Leader);
}

#[test]
fn what_somebody_else_has_made_of_the_document_is_told_as_it_is_adopted() {
    let mut world = World::steady();
    let (version, document) = world.stored.clone().unwrap();
    let mut status = ClusterStatus::clone(&document.status);
    let shards = status.namespaces.values_mut();
    for shard in shards.flat_map(|it| it.shards.values_mut()) {
        Arc::make_mut(shard).term = Term(7);
    }
    world.unreadable = Some(LoadOutcome::Found(LoadedStatus {
        version: Version::new(version.to_string()),
        epoch: document.epoch,
        write_id: Some(document.write_id),
        intact: false,
        status: Arc::new(status),
        bytes: 1_000,
    }));
    world.overwrite();
    world.feed(Event::StatusHinted);
    world.run_for(6_000);
    let said = world.log.iter().find_map(|effect| match effect {
        Effect::Report(Report::StatusAdopted { reason }) => Some(reason.as_str()),
        _ => None,
    });
    let said = said.unwrap();
    assert!(
        said.starts_with("it was written last by no coordinator of this kind"),
        "{said}"
    );
    assert!(
        said.ends_with("since this process led last it has greater terms: 2"),
        "{said}"
    );
}
