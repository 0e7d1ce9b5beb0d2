use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use stepdown_core::Epoch;

use super::super::checksum::Checksum;
use super::super::fixtures::{any_status, elected, status, store, write_id};
use super::*;

fn apply(machine: &mut Machine, store: &Store) -> Applied {
    machine.apply(&Command::Store(store.clone())).unwrap()
}

/// A machine in epoch 3, at version 2.
fn prepared() -> Machine {
    let mut machine = Machine::default();
    let first = store(&machine, write_id(3, 1), &status(3));
    assert_eq!(apply(&mut machine, &first), Applied::Stored(1));
    let second = store(&machine, write_id(3, 2), &elected(&status(3), 1));
    assert_eq!(apply(&mut machine, &second), Applied::Stored(2));
    machine
}

fn is_refused(applied: &Applied) -> bool {
    matches!(applied, Applied::Refused(_))
}

#[test]
fn a_store_at_another_version_changes_nothing() {
    let mut machine = prepared();
    for expected in [None, Some(0), Some(1), Some(3)] {
        let late = Store {
            expected,
            ..store(&machine, write_id(9, 3), &status(1))
        };
        let before = machine.clone();
        assert!(is_refused(&apply(&mut machine, &late)));
        assert_eq!(machine, before);
    }
}

#[test]
fn a_store_of_an_epoch_that_is_over_changes_nothing() {
    let mut machine = prepared();
    let before = machine.clone();
    let late = store(&machine, write_id(2, 3), &status(1));
    assert!(is_refused(&apply(&mut machine, &late)));
    assert_eq!(machine, before);
}

#[test]
fn a_store_sent_again_is_applied_once_and_says_so() {
    let mut machine = Machine::default();
    let first = store(&machine, write_id(1, 1), &status(3));
    assert_eq!(apply(&mut machine, &first), Applied::Stored(1));
    let before = machine.clone();
    assert_eq!(apply(&mut machine, &first), Applied::Stored(1));
    assert_eq!(machine, before);
    let second = store(&machine, write_id(1, 2), &status(2));
    assert_eq!(apply(&mut machine, &second), Applied::Stored(2));
    assert!(is_refused(&apply(&mut machine, &first)));
}

#[test]
fn a_replica_whose_copy_of_what_changes_is_another_stops_there() {
    let mut machine = prepared();
    let next = store(&machine, write_id(3, 3), &elected(&status(3), 2));
    let mut record = machine.status.take().unwrap();
    record.status = Arc::new(status(4));
    machine.status = Some(record);
    let diverged = machine.apply(&Command::Store(next.clone())).unwrap_err();
    let Diverged::Different { expected, .. } = diverged else {
        panic!("{diverged}");
    };
    assert_eq!(expected, next.checksum);
}

#[test]
fn a_replica_that_lacks_what_a_writer_has_seen_stored_stops() {
    let mut behind = prepared();
    let mut ahead = prepared();
    let third = store(&ahead, write_id(3, 3), &elected(&status(3), 2));
    assert_eq!(apply(&mut ahead, &third), Applied::Stored(3));
    let fourth = store(&ahead, write_id(3, 4), &status(2));
    let diverged = behind.apply(&Command::Store(fourth.clone())).unwrap_err();
    assert_eq!(
        diverged,
        Diverged::Behind {
            write_id: fourth.write_id,
            expected: 3,
            found: Some(2),
        }
    );
    assert!(diverged.to_string().contains("here is version 2; "));
    assert!(
        Machine::default()
            .apply(&Command::Store(fourth.clone()))
            .is_err()
    );
    assert_eq!(apply(&mut ahead, &fourth), Applied::Stored(4));
}

/// A bit flips in what a writer remembers of its last store, where the next one changes something.
#[test]
fn a_write_out_of_a_damaged_memory_is_refused_and_stops_nobody() {
    let mut machine = prepared();
    let damaged = elected(&machine.status.as_ref().unwrap().status, 2);
    let next = elected(&damaged, 2);
    let right = store(&machine, write_id(3, 3), &next);
    let wrong = Store {
        checksum: right.base.after(&damaged, &next),
        ..right.clone()
    };
    let before = machine.clone();
    assert!(is_refused(&apply(&mut machine, &wrong)));
    assert_eq!(machine, before);
    assert_eq!(apply(&mut machine, &right), Applied::Stored(3));
}

#[test]
fn a_replica_of_another_document_at_the_same_version_stops() {
    let mut machine = prepared();
    let next = store(&machine, write_id(3, 3), &elected(&status(3), 2));
    let record = machine.status.as_mut().unwrap();
    record.status = Arc::new(status(4));
    record.checksum = Checksum::of(&record.status);
    assert!(machine.apply(&Command::Store(next)).is_err());
}

#[test]
fn an_adopted_status_is_nobodys_write_and_does_not_lower_the_epoch() {
    let mut machine = prepared();
    let adopt = |expected| Command::Adopt {
        expected,
        status: Arc::new(status(1)),
    };
    assert!(is_refused(&machine.apply(&adopt(None)).unwrap()));
    assert_eq!(machine.apply(&adopt(Some(2))), Ok(Applied::Stored(3)));
    assert_eq!(machine.epoch, Epoch(3));
    assert_eq!(machine.status.unwrap().write_id, None);
}

#[test]
fn the_configuration_is_compared_and_set() {
    let mut machine = Machine::default();
    let configure = |expected, text: Option<&str>| Command::Configure {
        expected,
        text: text.map(Arc::from),
    };
    assert_eq!(
        machine.apply(&configure(0, Some("a"))),
        Ok(Applied::Configured(1))
    );
    assert!(is_refused(
        &machine.apply(&configure(0, Some("b"))).unwrap()
    ));
    assert_eq!(machine.configuration.text.as_deref(), Some("a"));
    assert_eq!(
        machine.apply(&configure(1, None)),
        Ok(Applied::Configured(2))
    );
    assert_eq!(machine.configuration.text, None);
}

#[test]
fn a_cluster_is_formed_once() {
    let mut machine = Machine::default();
    let (one, other) = (ClusterId(1), ClusterId(2));
    let formed = Ok(Applied::Formed(one));
    assert_eq!(machine.apply(&Command::Form { cluster: one }), formed);
    assert_eq!(machine.apply(&Command::Form { cluster: one }), formed);
    let refused = machine.apply(&Command::Form { cluster: other });
    assert_eq!(refused, Ok(Applied::Refused(Refusal::AnotherCluster(one))));
    assert_eq!(machine.cluster, Some(one));
}

proptest! {
    #[test]
    fn deltas_one_after_another_give_every_whole_document(
        documents in vec((any_status(), 0..3u64), 1..8)
    ) {
        let mut machine = Machine::default();
        let mut epoch = 0;
        for (request, (document, raise)) in documents.iter().enumerate() {
            epoch += raise;
            let id = write_id(epoch, u64::try_from(request).unwrap());
            let next = store(&machine, id, document);
            // As it comes out of the log.
            let bytes = serde_json::to_vec(&Command::Store(next)).unwrap();
            let command = serde_json::from_slice(&bytes).unwrap();
            let stored = Applied::Stored(u64::try_from(request).unwrap() + 1);
            prop_assert_eq!(machine.apply(&command), Ok(stored));
            let record = machine.status.as_ref().unwrap();
            prop_assert_eq!(&*record.status, document);
            prop_assert_eq!(record.write_id, Some(id));
            prop_assert_eq!(machine.epoch, Epoch(epoch));
        }
    }

    #[test]
    fn replicas_that_apply_the_same_entries_hold_the_same_documents(
        documents in vec((any_status(), 0..3u64, 0..4u64), 1..8)
    ) {
        let (mut one, mut other) = (Machine::default(), Machine::default());
        for (request, (document, epoch, version)) in documents.iter().enumerate() {
            let id = write_id(*epoch, u64::try_from(request).unwrap());
            let mut next = store(&one, id, document);
            if *version > 0 {
                next.expected = Some(*version);
            }
            let command = Command::Store(next);
            prop_assert_eq!(one.apply(&command), other.apply(&command));
            prop_assert_eq!(&one, &other);
        }
    }
}
