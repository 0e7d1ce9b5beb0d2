//! What waits for a change, and the fencing write before any of them.

use std::sync::Arc;

use super::{Desk, ambiguous, head, loaded, namespace, stored, words};
use crate::cluster::ClusterStatus;
use crate::id::{Epoch, ProcessId, ShardId};

#[test]
fn what_waits_comes_back_once_and_only_after_the_store_that_holds_it() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    assert_eq!(desk.work(), "store [n] over v2");
    desk.change(1, "second");
    assert_eq!(words(&desk.answer(stored("v3"))), "accepted 0=first");
    desk.drain();
    desk.pass(1_000);
    assert_eq!(desk.work(), "store [n] over v3");
    desk.change(2, "third");
    assert_eq!(words(&desk.answer(stored("v4"))), "accepted 1=second");
    desk.drain();
    desk.pass(1_000);
    assert_eq!(desk.work(), "store [n] over v4");
    assert_eq!(words(&desk.answer(stored("v5"))), "accepted 2=third");
    desk.drain();
    assert_eq!(desk.work(), "-");
}

#[test]
fn only_what_waits_for_the_last_of_a_shards_changes_comes_back() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    desk.change(0, "second");
    desk.work();
    assert_eq!(words(&desk.answer(stored("v3"))), "accepted 0=second");

    desk.change(0, "third");
    desk.pass(1_000);
    desk.work();
    desk.change(0, "fourth");
    assert_eq!(words(&desk.answer(stored("v4"))), "accepted 0=");
    desk.pass(1_000);
    desk.work();
    assert_eq!(words(&desk.answer(stored("v5"))), "accepted 0=fourth");
}

#[test]
fn a_change_of_another_shard_cancels_nothing() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    desk.work();
    desk.change(1, "second");
    assert_eq!(words(&desk.answer(stored("v3"))), "accepted 0=first");
}

#[test]
fn a_change_shows_at_once_and_is_accepted_only_when_it_is_stored() {
    let mut desk = Desk::quiet();
    let terms = |desk: &Desk| {
        let of = |status: &ClusterStatus| status.namespaces["n"].shards[&ShardId(0)].term.0;
        (of(desk.ledger.working()), of(desk.ledger.accepted()))
    };
    desk.change(0, "first");
    assert_eq!(terms(&desk), (1, 0));
    desk.work();
    assert_eq!(terms(&desk), (1, 0));
    desk.change(0, "second");
    desk.answer(stored("v3"));
    assert_eq!(terms(&desk), (2, 1));
    let shard = desk.ledger.shard("n", ShardId(0)).unwrap();
    assert_eq!(shard.term.0, 2);
}

#[test]
fn a_change_of_a_shard_that_there_is_not_is_none() {
    let mut desk = Desk::quiet();
    assert!(!desk.change(3, "first"));
    let elsewhere = |_: &mut crate::cluster::ShardMetadata| {};
    assert!(
        !desk
            .ledger
            .change(&"m".into(), ShardId(0), "first", elsewhere)
    );
    assert_eq!(desk.work(), "-");
    assert!(desk.change(2, "first"));
    assert_eq!(desk.work(), "store [n] over v2");
}

#[test]
fn however_much_time_passes_there_is_one_store_at_a_time() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    assert_eq!(desk.work(), "store [n] over v2");
    for _ in 0..3 {
        desk.change(1, "second");
        desk.pass(60_000);
        assert_eq!(
            (desk.work(), desk.deadline()),
            ("-".to_owned(), "-".to_owned())
        );
    }
    desk.answer(ambiguous());
    assert_eq!(desk.drain(), "tell Ambiguous, read");
    for _ in 0..3 {
        desk.change(2, "third");
        desk.pass(60_000);
        assert_eq!(
            (desk.work(), desk.deadline()),
            ("-".to_owned(), "-".to_owned())
        );
    }
    let ours = desk.store.as_ref().unwrap().document.write_id;
    desk.answer_read(head("v3", Some(ours)));
    desk.drain();
    assert_eq!(desk.work(), "store [n] over v3");
}

#[test]
fn each_store_has_a_write_id_of_its_own_in_the_epoch_of_the_tenure() {
    let mut desk = Desk::quiet();
    let mut write_ids = vec![desk.store.clone().unwrap().document.write_id];
    for version in ["v3", "v4"] {
        desk.change(0, "first");
        desk.pass(1_000);
        desk.work();
        let store = desk.store.clone().unwrap();
        assert_eq!(store.document.epoch, Epoch(5));
        write_ids.push(store.document.write_id);
        desk.answer(stored(version));
    }
    let of_us = |it: &crate::id::WriteId| (it.epoch, it.process) == (Epoch(5), ProcessId(7));
    assert!(write_ids.iter().all(of_us), "{write_ids:?}");
    assert!(write_ids.is_sorted_by(|a, b| a < b), "{write_ids:?}");
}

#[test]
fn the_fencing_write_is_the_same_status_in_a_greater_epoch() {
    let mut status = ClusterStatus {
        shard_id_generator: 9,
        instance_id: "given".into(),
        ..ClusterStatus::default()
    };
    status.namespaces.insert("n".into(), namespace(&[0, 1, 2]));
    let mut desk = Desk::over(Some(loaded(status.clone())));
    assert_eq!(desk.work(), "store [n] over v1");
    let document = desk.store.clone().unwrap().document;
    assert_eq!((document.epoch, &*document.status), (Epoch(5), &status));
    assert_eq!(words(&desk.answer(stored("v2"))), "accepted");
    desk.drain();
    assert_eq!(desk.work(), "-");
}

#[test]
fn the_fencing_write_makes_an_instance_id_where_there_is_none_and_raises_a_low_generator() {
    let mut status = ClusterStatus::default();
    status.namespaces.insert("n".into(), namespace(&[0, 1, 2]));
    let mut desk = Desk::over(Some(loaded(status)));
    desk.work();
    desk.answer(ambiguous());
    desk.drain();
    desk.answer_read(head("v1", None));
    assert_eq!(desk.drain(), "store same");
    desk.answer(stored("v2"));
    let accepted = desk.ledger.accepted();
    assert_eq!(
        (&*accepted.instance_id, accepted.shard_id_generator),
        ("made", 3)
    );
    assert_eq!(desk.ledger.working(), &**accepted);
}

#[test]
fn the_fencing_write_of_a_new_cluster_is_over_nothing() {
    let mut desk = Desk::over(None);
    assert_eq!(desk.work(), "store [] over nothing");
    desk.answer(stored("v1"));
    assert_eq!(&*desk.ledger.accepted().instance_id, "made");
}

#[test]
fn a_ledger_that_was_taken_away_leaves_nothing_to_store() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    let taken = std::mem::take(&mut desk.ledger);
    assert!(!Arc::ptr_eq(taken.accepted(), desk.ledger.accepted()));
    assert_eq!(desk.ledger.working(), &ClusterStatus::default());
    desk.ledger.work(&mut desk.context);
    assert!(!desk.drain().contains("store"));
}
