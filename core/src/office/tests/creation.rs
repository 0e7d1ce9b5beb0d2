//! Namespaces are created whole, or refused, and that is said once.

use std::sync::Arc;

use super::documents::{configuration, led_by, read, status};
use super::{Opened, having, only};
use crate::cluster::{ClusterConfiguration, ClusterStatus};
use crate::id::ShardId;

const SERVERS: [&str; 3] = ["s1", "s2", "s3"];

fn shards(opened: &Opened) -> Vec<(String, i64)> {
    let shards = opened.office.ledger.working().shards();
    shards
        .map(|(name, id, _)| (name.to_string(), id.0))
        .collect()
}

fn named(shards: &[(&str, i64)]) -> Vec<(String, i64)> {
    let shards = shards.iter().map(|(name, id)| ((*name).to_owned(), *id));
    shards.collect()
}

#[test]
fn every_configured_namespace_is_created_in_one_store_and_that_is_said_once_it_is_stored() {
    let wanted = configuration(&[("a", 2), ("b", 1)], &SERVERS);
    let mut opened = Opened::on(ClusterStatus::default(), Some(&wanted));
    let all = named(&[("a", 0), ("a", 1), ("b", 2)]);
    assert_eq!(shards(&opened), all);
    assert_eq!(having(&opened.drain(), "created"), [""; 0]);
    let told = opened.store();
    assert_eq!(
        having(&told, "created"),
        ["created a of 2", "created b of 1"]
    );
    assert!(!opened.is_changed());
    assert_eq!(opened.office.ledger.accepted().shard_id_generator, 3);
    opened.reconcile(&wanted);
    assert!(!opened.is_changed());
    assert_eq!(having(&opened.drain(), "created"), [""; 0]);
}

#[test]
fn a_namespace_is_not_said_to_be_created_when_something_else_is_stored() {
    let stored = status(vec![led_by(&["s1"])]);
    let mut opened = Opened::on(
        stored,
        Some(&configuration(&[("n", 1), ("a", 1)], &SERVERS)),
    );
    opened.send_store();
    opened.reconcile(&configuration(&[("n", 1), ("a", 1), ("b", 2)], &SERVERS));
    assert_eq!(having(&opened.store(), "created"), ["created a of 1"]);
    assert_eq!(having(&opened.store(), "created"), ["created b of 2"]);
}

#[test]
fn new_shards_are_numbered_after_all_that_ever_were() {
    let stored = ClusterStatus {
        shard_id_generator: 40,
        ..ClusterStatus::default()
    };
    let wanted = configuration(&[("a", 2)], &SERVERS);
    let opened = Opened::on(stored, Some(&wanted));
    assert_eq!(shards(&opened), named(&[("a", 40), ("a", 41)]));
}

#[test]
fn a_namespace_that_is_stored_stays_as_it_is_whatever_is_configured() {
    let stored = status(vec![led_by(&["s1"])]);
    for wanted in [&[("n", 7)][..], &[]] {
        let wanted = configuration(wanted, &SERVERS);
        let opened = Opened::on(stored.clone(), Some(&wanted));
        assert_eq!(shards(&opened), named(&[("n", 0)]), "{wanted}");
        assert!(!opened.is_changed(), "{wanted}");
    }
}

#[test]
fn without_a_configuration_nothing_is_created_and_nothing_refused() {
    let mut opened = Opened::on(ClusterStatus::default(), None);
    assert!(!opened.is_changed());
    assert_eq!(opened.drain(), [""; 0]);
    opened.reconcile(&configuration(&[("a", 1)], &SERVERS));
    assert_eq!(shards(&opened), named(&[("a", 0)]));
}

/// A namespace `b` that can't be created, between two that can.
fn with_broken(break_it: impl FnOnce(&mut ClusterConfiguration)) -> Arc<ClusterConfiguration> {
    let mut wanted = read(&configuration(&[("a", 1), ("b", 2), ("c", 1)], &SERVERS));
    break_it(Arc::make_mut(&mut wanted));
    wanted
}

#[test]
fn a_namespace_that_can_not_be_placed_gets_no_shard_at_all_and_the_others_get_theirs() {
    let no_shards = with_broken(|it| it.namespaces[1].initial_shard_count = 0);
    let no_servers = with_broken(|it| it.namespaces[1].replication_factor = 4);
    let table = [
        (no_shards, "refused b: it can't have 0 shards"),
        (
            no_servers,
            "refused b: 4 servers are needed and there are 3; add servers",
        ),
    ];
    for (wanted, refusal) in table {
        let mut opened = Opened::on(ClusterStatus::default(), None);
        opened.office.reconcile(Some(wanted), &mut opened.context);
        assert_eq!(shards(&opened), named(&[("a", 0), ("c", 1)]), "{refusal}");
        assert_eq!(only(&opened.drain(), "refused"), [refusal]);
        let created = having(&opened.store(), "created");
        assert_eq!(created, ["created a of 1", "created c of 1"]);
    }
}

#[test]
fn there_are_no_more_shards_than_numbers_for_them() {
    let stored = ClusterStatus {
        shard_id_generator: i64::MAX - 1,
        ..ClusterStatus::default()
    };
    let wanted = configuration(&[("a", 2), ("b", 1)], &SERVERS);
    let mut opened = Opened::on(stored, Some(&wanted));
    assert_eq!(shards(&opened), named(&[("b", i64::MAX - 1)]));
    let refused = only(&opened.drain(), "refused");
    assert_eq!(refused, ["refused a: shard ids are exhausted"]);
}

#[test]
fn a_refusal_is_said_once_and_again_after_a_change() {
    let good = configuration(&[("a", 1)], &SERVERS);
    let factor = |factor| with_broken(|it| it.namespaces[1].replication_factor = factor);
    let gone = read(&good);
    let (four, five) = ("4 servers", "5 servers");
    let table = [
        ("first", factor(4), Some(four)),
        ("the same", factor(4), None),
        ("another reason", factor(5), Some(five)),
        ("the same again", factor(5), None),
        ("as it was", factor(4), Some(four)),
        ("no longer configured", gone, None),
        ("configured again", factor(4), Some(four)),
    ];
    let mut opened = Opened::on(ClusterStatus::default(), None);
    for (case, wanted, expected) in table {
        opened.office.reconcile(Some(wanted), &mut opened.context);
        let refused = only(&opened.drain(), "refused b");
        assert_eq!(refused.len(), usize::from(expected.is_some()), "{case}");
        let said = refused.iter().all(|it| it.contains(expected.unwrap()));
        assert!(said, "{case}: {refused:?}");
    }
}

#[test]
fn a_namespace_that_is_too_large_is_refused_and_tried_again_with_the_next_configuration() {
    let stored = status(vec![led_by(&["s1"])]);
    let wanted = configuration(&[("n", 1), ("big", 2)], &SERVERS);
    let mut opened = Opened::on(stored, Some(&wanted));
    let known = |opened: &Opened| opened.office.shards.keys().copied().collect::<Vec<_>>();
    assert_eq!(known(&opened), [ShardId(0), ShardId(1), ShardId(2)]);
    let told = opened.store_too_large();
    assert_eq!(only(&told, "refused"), ["refused big: 2 MiB"]);
    assert_eq!(known(&opened), [ShardId(0)]);
    assert_eq!(having(&opened.store(), "created"), [""; 0]);

    opened.reconcile(&wanted);
    assert_eq!(known(&opened), [ShardId(0), ShardId(3), ShardId(4)]);
    let told = opened.store();
    assert_eq!(having(&told, "created"), ["created big of 2"]);
}

#[test]
fn shards_that_were_taken_back_are_never_fenced() {
    let wanted = configuration(&[("big", 2)], &SERVERS);
    let mut opened = Opened::on(ClusterStatus::default(), Some(&wanted));
    opened.store_too_large();
    opened.store();
    let asked: Vec<String> = opened.run_for(20_000).into_iter().map(|it| it.1).collect();
    assert_eq!(having(&asked, "NewTerm"), [""; 0]);
    assert_eq!(opened.office.steady(), (0, 0));
}

#[test]
fn what_is_taken_out_before_it_is_stored_is_deleted_and_keeps_nothing_waiting() {
    let stored = status(vec![led_by(&["s1"])]);
    let with = |names: &[(&str, u32)]| configuration(names, &SERVERS);
    let mut opened = Opened::on(stored, Some(&with(&[("n", 1), ("a", 1)])));
    opened.send_store();
    opened.reconcile(&with(&[("n", 1), ("a", 1), ("b", 2)]));
    opened.reconcile(&with(&[("n", 1), ("a", 1)]));
    for _ in 0..20 {
        opened.answer_calls();
        if opened.is_changed() {
            opened.store();
        }
    }
    assert_eq!(shards(&opened), named(&[("a", 1), ("n", 0)]));
    assert_eq!(opened.office.created, Vec::<Arc<str>>::new());
}
