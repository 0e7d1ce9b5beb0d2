//! A database that is further than its log, and what a snapshot takes away.

use stepdown_core::call::{EntryId, ReplicaRole};

use super::cluster::*;
use crate::replica::*;

fn led() -> Cluster {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    cluster.elect(1, &["a", "b", "c"]);
    cluster
}

/// Appends without one of the followers.
fn append_without(cluster: &mut Cluster, leader: &str, left_out: &str) {
    cluster.begin(leader, Request::Append { shard: SHARD });
    while let Some((to, message)) = cluster.network.pop_front() {
        if to != left_out {
            cluster.deliver(&to, message);
        }
    }
}

fn offsets(cluster: &mut Cluster, name: &str) -> (i64, i64) {
    let status = cluster.server(name).status(SHARD).unwrap();
    (status.head_offset, status.commit_offset)
}

#[test]
fn one_that_has_all_that_is_before_a_trimmed_log_loses_its_own() {
    let mut cluster = led();
    cluster.append("a", 2);
    append_without(&mut cluster, "a", "c");
    cluster.server("a").trim(SHARD);
    assert_eq!(cluster.head("c"), id(1, 1));
    cluster.elect(2, &["a", "b", "c"]);
    assert_eq!(offsets(&mut cluster, "c"), (2, 2));
    let fenced = cluster.ask("c", new_term(3));
    assert_eq!(fenced, Some(Ok(Reply::Fenced(EntryId::NONE))));
}

#[test]
fn a_truncation_leaves_the_database_as_it_is() {
    let mut cluster = led();
    cluster.append("a", 1);
    append_without(&mut cluster, "a", "c");
    append_without(&mut cluster, "a", "c");
    assert_eq!(offsets(&mut cluster, "b"), (2, 1));
    // c takes b for one that has no more than itself, and writes what nobody hears of.
    cluster.ask("b", new_term(2));
    cluster.ask("c", new_term(2));
    cluster.begin("c", become_leader(2, &[("b", id(1, 0))]));
    cluster.network.clear();
    assert_eq!(cluster.role("c"), Some(ReplicaRole::Leader));
    cluster.begin("c", Request::Append { shard: SHARD });
    cluster.network.clear();
    cluster.ask("b", new_term(3));
    cluster.ask("c", new_term(3));
    cluster.begin("c", become_leader(3, &[("b", id(1, 2))]));
    let (to, truncate) = cluster.network.pop_front().unwrap();
    cluster.deliver(&to, truncate);
    assert_eq!(offsets(&mut cluster, "b"), (0, 1));
}

#[test]
fn a_leader_that_is_given_up_has_applied_nothing() {
    let mut cluster = led();
    append_without(&mut cluster, "a", "c");
    cluster.ask("b", new_term(2));
    cluster.ask("c", new_term(2));
    // It hears that c has everything, but its caller has gone.
    let lead = cluster.begin("b", become_leader(2, &[("c", EntryId::NONE)]));
    cluster.server("b").cancel(lead);
    cluster.deliver_all();
    assert_eq!(offsets(&mut cluster, "b"), (0, 0));
    cluster.ask("b", new_term(3));
    let lead = cluster.begin("b", become_leader(3, &[]));
    assert_eq!(cluster.replies.get(&lead), None);
}
