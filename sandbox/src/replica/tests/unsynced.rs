//! Entries that are appended and not synced when a replica is fenced.

use stepdown_core::Term;
use stepdown_core::call::{ReplicaRole, Truncate};

use super::cluster::*;
use crate::replica::*;

fn truncate(term: i64, offset: i64) -> Request {
    Request::Truncate(Truncate {
        namespace: "default".into(),
        shard: SHARD,
        term: Term(term),
        head: id(1, offset),
    })
}

/// `b` has an entry of `a` that is not synced, and that `c` never got.
fn with_a_tail() -> Cluster {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    cluster.elect(1, &["a", "b", "c"]);
    cluster.append("a", 1);
    cluster.server("b").lag(SHARD);
    cluster.begin("a", Request::Append { shard: SHARD });
    cluster.network.retain(|(to, _)| to != "c");
    cluster.deliver_all();
    cluster
}

fn end_of(cluster: &Cluster, name: &str) -> i64 {
    cluster.servers[name].status(SHARD).unwrap().head_offset
}

fn log_of(cluster: &Cluster, name: &str) -> Vec<Run> {
    cluster.servers[name].log(SHARD).unwrap().0.clone().into()
}

fn run(term: i64, count: u32) -> Run {
    let term = Term(term);
    Run { term, count }
}

#[test]
fn a_follower_tells_of_what_is_synced_and_keeps_the_rest() {
    let mut cluster = with_a_tail();
    for term in [2, 3] {
        let told = cluster.ask("b", new_term(term));
        assert_eq!(told, Some(Ok(Reply::Fenced(id(1, 0)))));
        assert_eq!(end_of(&cluster, "b"), 1);
    }
}

#[test]
fn what_it_keeps_is_taken_for_the_next_leaders_entry() {
    let mut cluster = with_a_tail();
    cluster.servers.remove("a");
    cluster.elect(2, &["c", "b"]);
    cluster.append("c", 1);
    assert_eq!(log_of(&cluster, "c"), [run(1, 1), run(2, 1)]);
    assert_eq!(log_of(&cluster, "b"), [run(1, 2)]);
}

#[test]
fn one_that_was_cut_off_takes_the_next_leaders_entry() {
    let mut cluster = with_a_tail();
    cluster.servers.remove("a");
    cluster.ask("b", new_term(2));
    let cut = cluster.ask("b", truncate(2, 0));
    assert_eq!(cut, Some(Ok(Reply::Truncated(id(1, 0)))));
    assert_eq!(end_of(&cluster, "b"), 0);
    let again = cluster.ask("b", truncate(2, 0));
    assert_eq!(again, Some(Err(Refusal::InvalidStatus)));
    cluster.elect(2, &["c", "b"]);
    cluster.append("c", 1);
    assert_eq!(log_of(&cluster, "b"), log_of(&cluster, "c"));
}

#[test]
fn what_is_in_the_file_counts_once_it_is_opened_anew() {
    for tail in [Tail::Kept, Tail::Lost] {
        let mut cluster = with_a_tail();
        cluster.server("b").restart(tail);
        let told = cluster.ask("b", new_term(2));
        let end = if tail == Tail::Kept { 1 } else { 0 };
        assert_eq!(told, Some(Ok(Reply::Fenced(id(1, end)))));
    }
    let mut cluster = with_a_tail();
    cluster.ask("b", new_term(2));
    cluster.ask("b", become_leader(2, &[("c", id(1, 0))]));
    assert_eq!(cluster.head("b"), id(1, 1));
}

#[test]
fn what_is_in_a_sync_that_is_on_its_way_is_told_of_after_it() {
    let mut cluster = with_a_tail();
    assert_eq!(
        cluster.ask("b", new_term(2)),
        Some(Ok(Reply::Fenced(id(1, 0))))
    );
    cluster.server("b").sync_log(SHARD);
    assert_eq!(
        cluster.ask("b", new_term(2)),
        Some(Ok(Reply::Fenced(id(1, 1))))
    );
    let mut cluster = with_a_tail();
    cluster.ask("b", new_term(2));
    cluster.server("b").forsake_sync(SHARD);
    cluster.server("b").sync_log(SHARD);
    assert_eq!(
        cluster.ask("b", new_term(2)),
        Some(Ok(Reply::Fenced(id(1, 0))))
    );
}

/// It takes for synced what it does not have any more.
#[test]
fn one_that_was_cut_off_amid_a_sync_can_not_tell_its_head_until_it_is_cut_off_again() {
    let mut cluster = with_a_tail();
    cluster.ask("b", new_term(2));
    cluster.ask("b", truncate(2, 0));
    cluster.server("b").sync_log(SHARD);
    for _ in 0..2 {
        let told = cluster.ask("b", new_term(2));
        assert_eq!(told, Some(Err(Refusal::ResourceUnavailable)));
    }
    let status = cluster.servers["b"].status(SHARD).unwrap();
    assert_eq!((status.role, status.head_offset), (ReplicaRole::Fenced, 0));
    cluster.ask("b", truncate(2, 0));
    assert_eq!(
        cluster.ask("b", new_term(2)),
        Some(Ok(Reply::Fenced(id(1, 0))))
    );
}

#[test]
fn one_that_was_cut_off_amid_a_sync_tells_its_head_once_it_has_something_new() {
    let mut cluster = with_a_tail();
    cluster.servers.remove("a");
    cluster.ask("b", new_term(2));
    cluster.ask("b", truncate(2, 0));
    cluster.elect(2, &["c", "b"]);
    cluster.server("b").sync_log(SHARD);
    cluster.append("c", 2);
    assert_eq!(
        cluster.ask("b", new_term(3)),
        Some(Ok(Reply::Fenced(id(2, 2))))
    );
}

#[test]
fn what_waited_for_the_sync_is_acknowledged_after_it() {
    let mut cluster = with_a_tail();
    let before = cluster.replies.len();
    cluster.server("b").sync_log(SHARD);
    cluster.collect("b");
    cluster.deliver_all();
    assert_eq!(cluster.replies.len(), before + 1);
    assert_eq!(cluster.head("b"), id(1, 1));
}

#[test]
fn a_leader_feeds_nobody_with_what_is_not_synced_and_has_it_once_it_is_fenced() {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    cluster.elect(1, &["a", "b", "c"]);
    cluster.append("a", 1);
    cluster.server("a").lag(SHARD);
    let write = cluster.begin("a", Request::Append { shard: SHARD });
    cluster.deliver_all();
    assert_eq!((cluster.head("b"), end_of(&cluster, "a")), (id(1, 0), 0));
    let told = cluster.ask("a", new_term(2));
    assert_eq!(told, Some(Ok(Reply::Fenced(id(1, 0)))));
    assert!(cluster.replies[&write].is_err());
    cluster.server("a").sync_log(SHARD);
    let again = cluster.ask("a", new_term(2));
    assert_eq!(again, Some(Ok(Reply::Fenced(id(1, 1)))));
    cluster.ask("a", truncate(2, 0));
    assert_eq!(cluster.head("a"), id(1, 0));
}
