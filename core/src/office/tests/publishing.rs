//! When servers are told of the assignments, and of which.

use std::sync::Arc;

use super::documents::{configuration, led_by, read, server, status};
use super::{Opened, START, having};
use crate::cluster::{ClusterStatus, ShardMetadata};
use crate::id::{ShardId, Term};
use crate::shard::Intent;

fn stored() -> ClusterStatus {
    status(vec![led_by(&["s1"]), led_by(&["s2"])])
}

fn wanted() -> String {
    configuration(&[("n", 2)], &["s1", "s2"])
}

fn change(opened: &mut Opened, shard: i64, change: impl FnOnce(&mut ShardMetadata)) -> Vec<String> {
    let waits = Intent::Announce(Term::NEVER);
    let changed = opened
        .office
        .ledger
        .change(&"n".into(), ShardId(shard), waits, change);
    assert!(changed);
    having(&opened.store(), "push")
}

/// When there were pushes, in milliseconds after the start.
fn pushes(opened: &mut Opened, millis: u64) -> Vec<(u64, String)> {
    let mut asked = opened.run_for(millis);
    asked.retain(|(_, words)| words.contains("push"));
    asked
}

fn at(millis: u64, servers: &[&str], names: &str) -> Vec<(u64, String)> {
    let servers = servers.iter();
    servers
        .map(|it| (millis, format!("{it} push [{names}]")))
        .collect()
}

#[test]
fn with_a_configuration_each_server_is_told_as_soon_as_it_has_shaken_hands() {
    let mut opened = Opened::on(stored(), Some(&wanted()));
    opened.drain();
    let asked = opened.answer_calls_of("s2");
    assert_eq!(having(&asked, "push"), ["s2 push [n]"]);
    let asked = opened.answer_calls_of("s1");
    assert_eq!(having(&asked, "push"), ["s1 push [n]"]);
}

#[test]
fn the_configuration_is_waited_for_until_patience_is_over() {
    let mut opened = Opened::on(stored(), None);
    opened.answer_calls();
    // The fencing write was stored a second after the start, and then the office was opened.
    let opened_at = 1_000;
    assert_eq!(pushes(&mut opened, 3_999), []);
    assert_eq!(pushes(&mut opened, 1), at(5_000, &["s1", "s2"], "n"));
    assert_eq!(
        opened.context.now.since(START).as_millis(),
        4_000 + opened_at
    );

    let mut opened = Opened::on(stored(), None);
    opened.answer_calls();
    assert_eq!(pushes(&mut opened, 2_000), []);
    opened.reconcile(&wanted());
    assert_eq!(
        having(&opened.drain(), "push"),
        ["s1 push [n]", "s2 push [n]"]
    );
}

#[test]
fn a_change_that_is_stored_while_the_configuration_is_waited_for_is_not_told() {
    let mut opened = Opened::on(stored(), None);
    opened.answer_calls();
    let pushes = change(&mut opened, 0, |shard| shard.leader = Some(server("s2")));
    assert_eq!(pushes, [""; 0]);
}

#[test]
fn servers_are_never_told_of_nothing_unless_nothing_is_wanted() {
    let nothing = [""; 0];
    let servers = &["s1"];
    let mut opened = Opened::on(
        ClusterStatus::default(),
        Some(&configuration(&[("a", 1)], servers)),
    );
    assert_eq!(having(&opened.answer_calls(), "push"), nothing);
    assert_eq!(having(&opened.store(), "push"), ["s1 push [a]"]);

    let mut opened = Opened::on(ClusterStatus::default(), Some(&configuration(&[], servers)));
    assert_eq!(having(&opened.answer_calls(), "push"), ["s1 push []"]);

    let mut opened = Opened::on(ClusterStatus::default(), None);
    opened.reconcile(&configuration(&[], servers));
    assert_eq!(having(&opened.answer_calls(), "push"), ["s1 push []"]);
}

#[test]
fn a_new_cluster_whose_first_store_takes_long_tells_nobody_of_nothing() {
    let wanted = configuration(&[("a", 1)], &["s1"]);
    let mut opened = Opened::on(ClusterStatus::default(), Some(&wanted));
    opened.answer_calls();
    assert_eq!(pushes(&mut opened, 200_000), []);
    let asked = opened.store();
    assert_eq!(having(&asked, "push"), ["s1 push [a]"]);
}

#[test]
fn where_every_namespace_is_refused_servers_are_told_of_nothing() {
    let mut wanted = read(&configuration(&[("a", 1)], &["s1"]));
    Arc::make_mut(&mut wanted).namespaces[0].replication_factor = 2;
    let mut opened = Opened::on(ClusterStatus::default(), None);
    opened.office.reconcile(Some(wanted), &mut opened.context);
    assert_eq!(having(&opened.answer_calls(), "push"), ["s1 push []"]);
}

#[test]
fn what_is_stored_is_told_to_every_running_server_if_it_changes_what_they_are_told() {
    let mut opened = Opened::on(
        stored(),
        Some(&configuration(&[("n", 2)], &["s1", "s2", "s3"])),
    );
    opened.drain();
    opened.answer_calls_of("s1");
    opened.answer_calls_of("s2");
    let moved = change(&mut opened, 0, |shard| shard.leader = Some(server("s2")));
    assert_eq!(moved, ["s1 push [n]", "s2 push [n]"]);
    let term = change(&mut opened, 0, |shard| shard.term = shard.term.next());
    assert_eq!(term, [""; 0]);
    let none = change(&mut opened, 1, |shard| shard.leader = None);
    assert_eq!(none, ["s1 push [n]", "s2 push [n]"]);
}

#[test]
fn what_is_not_stored_yet_is_told_to_nobody() {
    let mut opened = Opened::on(stored(), Some(&wanted()));
    opened.answer_calls();
    let waits = Intent::Announce(Term::NEVER);
    let leave = |shard: &mut ShardMetadata| shard.leader = None;
    opened
        .office
        .ledger
        .change(&"n".into(), ShardId(0), waits, leave);
    assert_eq!(pushes(&mut opened, 5_000), []);
    assert_eq!(having(&opened.store(), "push").len(), 2);
}

#[test]
fn everybody_is_told_again_a_lease_after_the_start_and_every_minute_from_then_on() {
    let mut opened = Opened::on(stored(), Some(&wanted()));
    opened.answer_calls();
    let both = &["s1", "s2"];
    let expected = [
        at(15_000, both, "n"),
        at(75_000, both, "n"),
        at(135_000, both, "n"),
    ];
    assert_eq!(pushes(&mut opened, 150_000), expected.concat());
}

#[test]
fn a_server_that_joins_is_told_the_latest() {
    let mut opened = Opened::on(stored(), Some(&wanted()));
    opened.answer_calls();
    opened.reconcile(&configuration(&[("n", 2)], &["s1", "s2", "s3"]));
    opened.drain();
    assert_eq!(having(&opened.answer_calls(), "push"), ["s3 push [n]"]);
    // Under another name nothing changes for the others.
    let renamed = configuration(&[("n", 2)], &["s1", "s2", "s3"]).replace("name: s3", "name: s9");
    opened.reconcile(&renamed);
    opened.drain();
    assert_eq!(having(&opened.answer_calls(), "push"), ["s9 push [n]"]);
}

#[test]
fn servers_that_waited_for_the_only_namespace_are_told_of_nothing_once_it_is_refused() {
    let wanted = configuration(&[("big", 1)], &["s1"]);
    let mut opened = Opened::on(ClusterStatus::default(), Some(&wanted));
    assert_eq!(having(&opened.answer_calls(), "push"), [""; 0]);
    assert_eq!(having(&opened.store_too_large(), "push"), ["s1 push []"]);
}
