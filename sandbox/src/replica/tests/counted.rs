//! What a leader counts for its quorum, and what not, where a follower's log is not what it was.

use stepdown_core::call::EntryId;

use super::cluster::*;
use crate::replica::*;

/// `a` leads an ensemble of five, of which it has these followers.
fn led_of_five(followers: &[&'static str]) -> Cluster {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        cluster.ask(name, new_term(1));
    }
    let followers: Vec<_> = followers.iter().map(|it| (*it, EntryId::NONE)).collect();
    cluster.ask("a", become_leader_of(5, 1, &followers));
    cluster
}

fn committed(cluster: &Cluster) -> i64 {
    cluster.servers["a"].status(SHARD).unwrap().commit_offset
}

#[test]
fn what_was_acknowledged_counts_though_the_follower_has_lost_it() {
    let mut cluster = led_of_five(&["b"]);
    let write = cluster.begin("a", Request::Append { shard: SHARD });
    cluster.deliver_all();
    assert!(!cluster.replies.contains_key(&write), "one of two needed");
    cluster.ask("b", delete(1));
    cluster.reconnect("a", "b");
    cluster.ask("a", add_follower(1, "c", EntryId::NONE));
    assert_eq!(committed(&cluster), 0);
    assert!(cluster.replies.contains_key(&write));
}

#[test]
fn what_was_acknowledged_before_it_was_written_does_not_count() {
    let mut cluster = Cluster::new(&["a", "b"]);
    cluster.elect(1, &["b", "a"]);
    cluster.network.clear();
    for _ in 0..3 {
        cluster.begin("b", Request::Append { shard: SHARD });
        cluster.network.clear();
    }
    for name in ["a", "b"] {
        cluster.ask(name, new_term(2));
    }
    // The head of `b` is told wrong, else it would be cut off.
    cluster.ask("a", become_leader(2, &[("b", EntryId::NONE)]));
    let appends: Vec<_> = (0..5)
        .map(|_| {
            let append = cluster.begin("a", Request::Append { shard: SHARD });
            cluster.deliver_all();
            (cluster.replies.contains_key(&append), committed(&cluster))
        })
        .collect();
    // Of what is in no count by itself, the first one that counts takes all before it along.
    let expected = [(true, 0), (false, 0), (false, 0), (true, 3), (true, 4)];
    assert_eq!(appends, expected);
}
