//! Namespaces that come and go.

use super::super::Conclusion;
use super::{Desk, namespace, size, stored, too_large, words};
use crate::Term;
use crate::id::ShardId;

/// A second later: what is sent, and what is accepted of it.
fn next_store(desk: &mut Desk, version: &str) -> (String, String) {
    desk.drain();
    desk.pass(1_000);
    let sent = desk.work();
    (sent, words(&desk.answer(stored(version))))
}

fn pair(sent: &str, accepted: &str) -> (String, String) {
    (sent.to_owned(), accepted.to_owned())
}

#[test]
fn an_admission_comes_back_for_every_shard_of_it() {
    let mut desk = Desk::quiet();
    desk.admit("new", &[(3, "third"), (4, "fourth")]);
    assert!(!desk.ledger.accepted().namespaces.contains_key("new"));
    assert_eq!(
        next_store(&mut desk, "v3"),
        pair("store [n new] over v2", "accepted 3=third 4=fourth")
    );
    let accepted = desk.ledger.accepted();
    assert_eq!(accepted.namespaces["new"], namespace(&[3, 4]));
    assert_eq!(accepted.shard_id_generator, 5);
}

#[test]
fn a_removal_is_stored_and_what_waits_for_the_removed_never_comes_back() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    assert!(desk.ledger.remove(&"n".into()));
    assert_eq!(
        next_store(&mut desk, "v3"),
        pair("store [] over v2", "accepted 0= 1= 2=")
    );
    desk.drain();
    assert_eq!(desk.work(), "-");
}

#[test]
fn a_shard_is_removed_alone() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    desk.change(1, "second");
    assert!(desk.ledger.remove_shard(&"n".into(), ShardId(0)));
    assert_eq!(
        next_store(&mut desk, "v3"),
        pair("store [n] over v2", "accepted 0= 1=second")
    );
    assert_eq!(desk.ledger.accepted().namespaces["n"], {
        let mut rest = namespace(&[1, 2]);
        let shard = rest.shards.get_mut(&ShardId(1)).unwrap();
        std::sync::Arc::make_mut(shard).term = crate::id::Term(1);
        rest
    });
}

#[test]
fn what_is_not_there_can_not_be_removed() {
    let mut desk = Desk::quiet();
    assert!(!desk.ledger.remove(&"m".into()));
    assert!(!desk.ledger.remove_shard(&"m".into(), ShardId(0)));
    assert!(!desk.ledger.remove_shard(&"n".into(), ShardId(7)));
    assert_eq!(desk.work(), "-");
}

#[test]
fn a_namespace_that_goes_takes_exactly_its_own_bytes_along() {
    let mut desk = Desk::quiet();
    let bytes = desk.ledger.bytes;
    desk.admit("new", &[(3, ""), (4, ""), (5, "")]);
    let grown = desk.ledger.bytes;
    assert_eq!(grown, size::of_status(desk.ledger.working()));
    assert!(grown > bytes);
    desk.ledger.remove_shard(&"new".into(), ShardId(4));
    let shrunk = desk.ledger.bytes;
    assert_eq!(shrunk, size::of_status(desk.ledger.working()));
    assert!((bytes..grown).contains(&shrunk));
    desk.ledger.remove(&"new".into());
    assert_eq!(desk.ledger.bytes, bytes);
}

#[test]
fn a_namespace_removed_while_its_admission_is_in_flight_waits_for_nothing_and_is_removed_next() {
    let mut desk = Desk::quiet();
    desk.admit("new", &[(3, "third")]);
    desk.work();
    desk.ledger.remove(&"new".into());
    assert_eq!(words(&desk.answer(stored("v3"))), "accepted 3=");
    assert!(desk.ledger.accepted().namespaces.contains_key("new"));
    assert_eq!(
        next_store(&mut desk, "v4"),
        pair("store [n] over v3", "accepted 3=")
    );
}

#[test]
fn a_shard_removed_while_its_admission_is_in_flight_waits_for_nothing() {
    let mut desk = Desk::quiet();
    desk.admit("new", &[(3, "third"), (4, "fourth")]);
    desk.work();
    desk.ledger.remove_shard(&"new".into(), ShardId(3));
    assert_eq!(words(&desk.answer(stored("v3"))), "accepted 3= 4=fourth");
    let next = next_store(&mut desk, "v4");
    assert_eq!(next, pair("store [n new] over v3", "accepted 3="));
    assert_eq!(desk.ledger.accepted().namespaces["new"], namespace(&[4]));
}

#[test]
fn an_admission_that_is_too_large_leaves_the_other_changes_behind_later_ones_of_the_same_shard() {
    let mut desk = Desk::quiet();
    let bytes = desk.ledger.bytes;
    desk.admit("big", &[(3, "third"), (4, "fourth")]);
    desk.admit("bigger", &[(5, "fifth")]);
    desk.change(0, "first");
    desk.change(1, "second");
    desk.work();
    desk.change(0, "later");
    desk.change(2, "new");
    let rejected = words(&desk.answer(too_large()));
    assert_eq!(rejected, "rejected big bigger: 2 MiB");
    assert_eq!(desk.ledger.bytes, bytes);
    assert_eq!(
        next_store(&mut desk, "v3"),
        pair("store [n] over v2", "accepted 0=later 1=second 2=new")
    );
    // The numbers of the shards that were not to be are never used again.
    assert_eq!(desk.ledger.accepted().shard_id_generator, 6);
}

#[test]
fn an_admission_made_while_a_large_one_is_in_flight_is_not_taken_back_with_it() {
    let mut desk = Desk::quiet();
    desk.admit("big", &[(3, "third")]);
    desk.work();
    desk.admit("small", &[(4, "fourth")]);
    assert_eq!(words(&desk.answer(too_large())), "rejected big: 2 MiB");
    assert_eq!(
        next_store(&mut desk, "v3"),
        pair("store [n small] over v2", "accepted 4=fourth")
    );
}

#[test]
fn changes_and_removals_in_a_namespace_that_is_taken_back_are_gone_with_it() {
    let mut desk = Desk::quiet();
    desk.admit("big", &[(3, "third"), (4, "fourth")]);
    desk.change(0, "first");
    desk.work();
    desk.ledger
        .change(&"big".into(), ShardId(3), "later", |_| {});
    desk.ledger.remove_shard(&"big".into(), ShardId(4));
    desk.answer(too_large());
    assert_eq!(
        next_store(&mut desk, "v3"),
        pair("store [n] over v2", "accepted 0=first")
    );
}

#[test]
fn an_admission_that_is_removed_before_it_was_sent_is_never_taken_back() {
    let mut desk = Desk::quiet();
    desk.admit("new", &[(3, "third")]);
    desk.ledger.remove(&"new".into());
    desk.work();
    assert_eq!(words(&desk.answer(too_large())), "-");
    assert_eq!(desk.deadline(), "5s");
}

#[test]
fn an_admission_made_again_while_the_first_one_is_in_flight_is_not_taken_back_with_it() {
    let mut desk = Desk::quiet();
    desk.admit("big", &[(3, "third")]);
    desk.work();
    desk.ledger.remove(&"big".into());
    desk.admit("big", &[(4, "fourth")]);
    assert_eq!(words(&desk.answer(too_large())), "rejected : 2 MiB");
    let accepted = next_store(&mut desk, "v3");
    assert_eq!(accepted.0, "store [big n] over v2");
    assert!(accepted.1.contains("fourth"), "{accepted:?}");
    assert!(!accepted.1.contains("third"), "{accepted:?}");
}

#[test]
fn a_replacement_that_is_too_large_is_taken_back_and_the_removal_before_it_is_stored() {
    let mut desk = Desk::quiet();
    desk.ledger.remove(&"n".into());
    desk.admit("n", &[(7, "seventh")]);
    desk.work();
    assert_eq!(words(&desk.answer(too_large())), "rejected n: 2 MiB");
    let (store, concluded) = next_store(&mut desk, "v3");
    assert_eq!(store, "store [] over v2");
    assert_ne!(
        concluded, "accepted",
        "the removed shards have to be told of"
    );
}

#[test]
fn an_admission_joins_what_is_left_of_one_of_its_name_and_is_taken_back_without_it() {
    let mut desk = Desk::quiet();
    desk.change(1, "deleted");
    desk.admit("n", &[(3, "third"), (4, "fourth")]);
    let measured = crate::cluster::size::of_status(desk.ledger.working());
    assert_eq!(desk.ledger.bytes, measured);
    assert_eq!(desk.ledger.working().namespaces["n"].shards.len(), 5);
    desk.work();
    assert_eq!(words(&desk.answer(too_large())), "rejected n: 2 MiB");
    assert_eq!(
        next_store(&mut desk, "v3"),
        pair("store [n] over v2", "accepted 1=deleted")
    );
    assert_eq!(desk.ledger.accepted().namespaces["n"].shards.len(), 3);
    desk.admit("n", &[(5, "fifth")]);
    assert_eq!(
        next_store(&mut desk, "v4"),
        pair("store [n] over v3", "accepted 5=fifth")
    );
}

#[test]
fn what_does_not_fit_does_without_what_is_kept_of_earlier_leaders_logs_from_then_on() {
    let mut desk = Desk::quiet();
    let keep = |desk: &mut Desk, shard: i64| {
        let name = "n".into();
        desk.ledger.change(&name, ShardId(shard), "kept", |shard| {
            shard.term = shard.term.next();
            shard.beginnings = "0@none 1@0/29".parse().unwrap();
        });
        desk.work();
    };
    let kept = |desk: &Desk| {
        let document = &desk.store.as_ref().unwrap().document;
        let shards = document.status.shards();
        shards
            .filter(|(_, _, shard)| !shard.beginnings.is_empty())
            .count()
    };
    keep(&mut desk, 0);
    let began = desk.context.now;
    assert_eq!(kept(&desk), 1);
    let before = desk.store.clone();
    desk.answer(too_large());
    desk.pass(1_000);
    desk.work();
    assert_ne!(desk.store, before);
    let store = desk.store.clone().unwrap();
    assert_eq!(kept(&desk), 0);
    let first_sent = desk.ledger.flight.as_ref().map(|it| it.first_sent);
    assert_eq!(first_sent, Some(began), "it is tried for as long already");
    assert_eq!(store.expected, before.unwrap().expected);
    let terms = store
        .document
        .status
        .shards()
        .map(|(_, _, shard)| shard.term);
    assert_eq!(Vec::from_iter(terms), [Term(1), Term(0), Term(0)]);
    let answer = desk.answer(stored("v3"));
    assert!(matches!(answer, Conclusion::Accepted(_)));
    desk.pass(1_000);
    keep(&mut desk, 1);
    assert_eq!(kept(&desk), 0);
}
