//! Logs that follow, diverge and are brought together again.

use std::collections::BTreeSet;

use stepdown_core::call::{EntryId, ReplicaRole};
use stepdown_core::{ShardId, Term};

use super::cluster::*;
use crate::replica::*;

fn led() -> Cluster {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    cluster.elect(1, &["a", "b", "c"]);
    cluster
}

#[test]
fn a_follower_stays_fenced_until_the_first_append() {
    let mut cluster = led();
    assert_eq!(cluster.role("b"), Some(ReplicaRole::Fenced));
    cluster.append("a", 1);
    assert_eq!(cluster.role("b"), Some(ReplicaRole::Follower));
}

#[test]
fn a_write_is_answered_when_a_quorum_has_it() {
    let mut cluster = led();
    let write = cluster.begin("a", Request::Append { shard: SHARD });
    assert_eq!(cluster.replies.get(&write), None);
    cluster.network.retain(|(to, _)| to != "c");
    cluster.deliver_all();
    assert_eq!(
        cluster.replies.get(&write),
        Some(&Ok(Reply::Appended(id(1, 0))))
    );
}

#[test]
fn a_write_waits_without_a_quorum_and_ends_with_the_next_term() {
    let mut cluster = led();
    let write = cluster.begin("a", Request::Append { shard: SHARD });
    cluster.network.clear();
    cluster.ask("a", new_term(2));
    assert_eq!(
        cluster.replies.get(&write),
        Some(&Err(Refusal::ResourceUnavailable))
    );
    assert_eq!(cluster.head("a"), id(1, 0));
}

#[test]
fn a_lost_append_is_sent_again() {
    let mut cluster = led();
    let write = cluster.begin("a", Request::Append { shard: SHARD });
    cluster.network.clear();
    assert!(cluster.server("a").has_unanswered());
    cluster.server("a").resend();
    cluster.collect("a");
    cluster.deliver_all();
    assert!(cluster.replies.contains_key(&write));
    assert!(!cluster.server("a").has_unanswered());
    assert_eq!(cluster.head("c"), id(1, 0));
}

#[test]
fn become_leader_waits_until_a_quorum_has_the_whole_log() {
    let mut cluster = led();
    cluster.begin("a", Request::Append { shard: SHARD });
    cluster.network.clear();
    for name in ["a", "b"] {
        cluster.ask(name, new_term(2));
    }
    let lead = cluster.begin("a", become_leader(2, &[("b", EntryId::NONE)]));
    assert_eq!(cluster.replies.get(&lead), None);
    assert_eq!(cluster.role("a"), Some(ReplicaRole::Fenced));
    cluster.deliver_all();
    assert_eq!(cluster.replies.get(&lead), Some(&Ok(Reply::BecameLeader)));
    assert_eq!(cluster.head("b"), id(1, 0));
}

#[test]
fn whatever_is_asked_of_a_shard_waits_behind_become_leader() {
    let mut cluster = led();
    cluster.begin("a", Request::Append { shard: SHARD });
    cluster.network.clear();
    cluster.ask("a", new_term(2));
    let lead = cluster.begin("a", become_leader(2, &[("b", EntryId::NONE)]));
    let status = cluster.begin("a", Request::GetStatus { shard: SHARD });
    let fence = cluster.begin("a", new_term(3));
    assert_eq!(cluster.replies.get(&status), None);
    assert_eq!(cluster.replies.get(&fence), None);

    cluster.server("a").cancel(lead);
    cluster.collect("a");
    assert_eq!(cluster.replies.get(&lead), None);
    assert!(matches!(
        cluster.replies.get(&status),
        Some(Ok(Reply::Status(status))) if status.role == ReplicaRole::Fenced
    ));
    assert_eq!(
        cluster.replies.get(&fence),
        Some(&Ok(Reply::Fenced(id(1, 0))))
    );
}

#[test]
fn a_cancelled_become_leader_may_be_tried_again() {
    let mut cluster = led();
    cluster.begin("a", Request::Append { shard: SHARD });
    cluster.network.clear();
    cluster.ask("a", new_term(2));
    let lead = cluster.begin("a", become_leader(2, &[]));
    cluster.server("a").cancel(lead);
    cluster.collect("a");
    assert_eq!(cluster.elect(2, &["a", "b"]), Some(Ok(Reply::BecameLeader)));
}

#[test]
fn a_longer_follower_of_an_older_term_is_truncated() {
    let mut cluster = led();
    cluster.append("a", 1);
    for _ in 0..2 {
        cluster.begin("a", Request::Append { shard: SHARD });
    }
    cluster.network.clear();
    cluster.server("c").peer_disconnected("a");
    cluster.elect(2, &["b", "c"]);
    cluster.append("b", 1);
    let Some(Ok(Reply::Fenced(head))) = cluster.ask("a", new_term(2)) else {
        panic!("not fenced");
    };
    assert_eq!(head, id(1, 2));
    assert_eq!(
        cluster.ask("b", add_follower(2, "a", head)),
        Some(Ok(Reply::FollowerAdded))
    );
    assert_eq!(cluster.role("a"), Some(ReplicaRole::Follower));
    assert_eq!(cluster.head("a"), cluster.head("b"));
}

#[test]
fn a_follower_that_is_shorter_than_the_common_point_cannot_be_truncated() {
    // a: (1,0) (1,1) (3,2); b: (2,0), from a term that a's entries never reached.
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    cluster.elect(1, &["a", "b", "c"]);
    for _ in 0..2 {
        cluster.begin("a", Request::Append { shard: SHARD });
    }
    cluster.network.clear();
    cluster.elect(2, &["b", "c"]);
    cluster.begin("b", Request::Append { shard: SHARD });
    cluster.network.clear();
    cluster.elect(3, &["a", "c"]);
    cluster.append("a", 1);
    assert_eq!(cluster.head("b"), id(2, 0));

    assert_eq!(
        cluster.elect(4, &["a", "b", "c"]),
        Some(Err(Refusal::ResourceUnavailable))
    );
    assert_eq!(cluster.role("b"), Some(ReplicaRole::Follower));
    assert_eq!(cluster.elect(5, &["a", "c"]), Some(Ok(Reply::BecameLeader)));
}

#[test]
fn a_late_follower_with_a_higher_head_is_refused_by_its_term() {
    let mut cluster = led();
    cluster.elect(2, &["b", "c"]);
    cluster.begin("b", Request::Append { shard: SHARD });
    cluster.network.clear();
    cluster.elect(3, &["a", "c"]);
    assert_eq!(
        cluster.ask("a", add_follower(3, "b", id(2, 0))),
        Some(Err(Refusal::InvalidTerm))
    );
}

#[test]
fn a_late_truncation_takes_nothing_that_was_appended() {
    let mut cluster = led();
    cluster.append("a", 1);
    let truncate = Message {
        from: "a".into(),
        namespace: "default".into(),
        source: SHARD,
        target: SHARD,
        term: Term(1),
        body: Body::Truncate { to: EntryId::NONE },
    };
    cluster.deliver("b", truncate);
    assert_eq!(cluster.head("b"), id(1, 0));
}

#[test]
fn an_append_of_an_older_term_changes_nothing() {
    let mut cluster = led();
    cluster.begin("a", Request::Append { shard: SHARD });
    for name in ["b", "c"] {
        cluster.begin(name, new_term(2));
    }
    cluster.deliver_all();
    assert_eq!(cluster.head("b"), EntryId::NONE);
    assert_eq!(cluster.role("b"), Some(ReplicaRole::Fenced));
}

#[test]
fn a_stream_of_the_same_term_turns_a_leader_into_a_fenced_follower() {
    let mut cluster = led();
    let write = cluster.begin("a", Request::Append { shard: SHARD });
    cluster.network.clear();
    let open = |term: i64| Message {
        from: "b".into(),
        namespace: "default".into(),
        source: SHARD,
        target: SHARD,
        term: Term(term),
        body: Body::Append {
            previous: EntryId::NONE,
            entries: Vec::new(),
            commit_offset: -1,
        },
    };
    for other in [0, 2] {
        cluster.deliver("a", open(other));
        assert_eq!(cluster.role("a"), Some(ReplicaRole::Leader));
    }
    cluster.deliver("a", open(1));
    assert_eq!(cluster.role("a"), Some(ReplicaRole::Fenced));
    assert_eq!(
        cluster.replies.get(&write),
        Some(&Err(Refusal::ResourceUnavailable))
    );
}

#[test]
fn a_follower_that_lost_the_shard_is_fed_once_it_is_fenced() {
    let mut cluster = led();
    cluster.append("a", 2);
    cluster.ask("c", delete(1));
    for _ in 0..3 {
        cluster.reconnect("a", "c");
        let status = cluster.server("c").status(SHARD).unwrap();
        assert_eq!(
            (status.role, status.term),
            (ReplicaRole::NotMember, Term(-1))
        );
    }
    // Had it been fenced before its leader heard that it is no member, it would never be fed.
    cluster.ask("c", new_term(1));
    cluster.reconnect("a", "c");
    assert_eq!(cluster.head("c"), id(1, 1));
}

#[test]
fn a_follower_that_lost_the_shard_is_given_a_snapshot_by_a_trimmed_leader() {
    let mut cluster = led();
    cluster.append("a", 2);
    cluster.server("a").trim(SHARD);
    cluster.ask("c", delete(1));
    for _ in 0..2 {
        cluster.reconnect("a", "c");
    }
    assert_eq!(cluster.role("c"), Some(ReplicaRole::Follower));
    let status = cluster.server("c").status(SHARD).unwrap();
    assert_eq!((status.head_offset, status.commit_offset), (1, 1));
    cluster.append("a", 1);
    assert_eq!(cluster.head("c"), id(1, 2));
}

/// Empties a bound server's disk while it is down.
fn empty(cluster: &mut Cluster, name: &'static str) {
    *cluster.server(name) = DataServerModel::new(name, BTreeSet::new(), Durability::Deferred);
    cluster.server(name).handshake("id").unwrap();
    cluster.server(name).sync();
}

#[test]
fn a_cursor_never_moves_back_for_a_follower_that_was_fenced_empty() {
    let mut cluster = led();
    cluster.append("a", 2);
    empty(&mut cluster, "c");
    assert_eq!(
        cluster.ask("c", new_term(1)),
        Some(Ok(Reply::Fenced(EntryId::NONE)))
    );
    assert_eq!(
        cluster.ask("a", add_follower(1, "c", EntryId::NONE)),
        Some(Ok(Reply::FollowerAdded))
    );
    cluster.append("a", 1);
    for _ in 0..3 {
        cluster.reconnect("a", "c");
    }
    let status = cluster.server("c").status(SHARD).unwrap();
    assert_eq!(status.role, ReplicaRole::Follower);
    assert_eq!((status.head_offset, status.commit_offset), (-1, -1));
}

#[test]
fn a_new_term_makes_an_emptied_follower_whole() {
    let mut cluster = led();
    cluster.append("a", 2);
    empty(&mut cluster, "c");
    cluster.elect(2, &["a", "b", "c"]);
    cluster.append("a", 1);
    assert_eq!(cluster.head("c"), id(2, 2));
}

#[test]
fn a_leader_whose_log_was_trimmed_sends_a_snapshot() {
    let mut cluster = led();
    cluster.append("a", 3);
    cluster.server("a").trim(SHARD);
    empty(&mut cluster, "c");
    cluster.elect(2, &["a", "b", "c"]);
    let status = cluster.server("c").status(SHARD).unwrap();
    assert_eq!((status.head_offset, status.commit_offset), (2, 2));
    assert_eq!(
        cluster.ask("c", new_term(3)),
        Some(Ok(Reply::Fenced(EntryId::NONE)))
    );
    let status = cluster.server("c").status(SHARD).unwrap();
    assert_eq!((status.head_offset, status.commit_offset), (2, 2));
}

#[test]
fn what_a_snapshot_brought_outlives_a_restart_and_still_is_no_head() {
    let mut cluster = led();
    cluster.append("a", 3);
    cluster.server("a").trim(SHARD);
    empty(&mut cluster, "c");
    cluster.elect(2, &["a", "b", "c"]);
    cluster.server("c").restart(Tail::Lost);
    assert_eq!(
        cluster.ask("c", new_term(3)),
        Some(Ok(Reply::Fenced(EntryId::NONE)))
    );
    let (log, committed) = cluster.server("c").log(SHARD).unwrap();
    assert_eq!((log.head(), committed), (id(1, 2), 2));
}

#[test]
fn a_follower_fed_by_a_snapshot_cannot_lead_one_that_has_a_head() {
    let mut cluster = led();
    cluster.append("a", 3);
    cluster.server("a").trim(SHARD);
    empty(&mut cluster, "c");
    cluster.elect(2, &["a", "b", "c"]);
    assert_eq!(
        cluster.elect(3, &["c", "b"]),
        Some(Err(Refusal::InvalidTerm))
    );
}

#[test]
fn one_that_was_fed_by_a_snapshot_writes_from_the_beginning_again() {
    let mut cluster = led();
    cluster.append("a", 3);
    cluster.server("a").trim(SHARD);
    empty(&mut cluster, "b");
    empty(&mut cluster, "c");
    cluster.elect(2, &["a", "b", "c"]);
    cluster.server("c").peer_disconnected("a");
    assert_eq!(cluster.elect(3, &["b", "c"]), Some(Ok(Reply::BecameLeader)));
    let write = cluster.begin("b", Request::Append { shard: SHARD });
    // Nobody else has it.
    assert_eq!(
        cluster.replies.get(&write),
        Some(&Ok(Reply::Appended(id(3, 0))))
    );
}

#[test]
fn one_that_is_behind_waits_in_vain_for_one_that_was_fed_by_a_snapshot() {
    let mut cluster = led();
    cluster.append("a", 1);
    // b misses what follows.
    for _ in 0..2 {
        let write = cluster.begin("a", Request::Append { shard: SHARD });
        cluster.network.retain(|(to, _)| to != "b");
        cluster.deliver_all();
        assert!(cluster.replies.contains_key(&write));
    }
    cluster.server("a").trim(SHARD);
    cluster.ask("c", delete(1));
    for _ in 0..2 {
        cluster.server("a").peer_connected("c");
        cluster.collect("a");
        cluster.network.retain(|(to, _)| to != "b");
        cluster.deliver_all();
    }
    cluster.server("b").peer_disconnected("a");
    cluster.server("c").peer_disconnected("a");
    assert_eq!(cluster.elect(2, &["b", "c"]), None);
}

#[test]
fn a_follower_of_the_same_term_is_truncated_once() {
    let mut cluster = Cluster::new(&["b"]);
    cluster.ask("b", new_term(1));
    let truncate = Message {
        from: "a".into(),
        namespace: "default".into(),
        source: SHARD,
        target: SHARD,
        term: Term(1),
        body: Body::Truncate { to: EntryId::NONE },
    };
    let mut answers = Vec::new();
    for _ in 0..2 {
        cluster.deliver("b", truncate.clone());
        answers.extend(cluster.network.pop_front().map(|(_, answer)| answer.body));
    }
    assert_eq!(
        answers,
        [
            Body::Truncated {
                head: EntryId::NONE
            },
            Body::TruncateRefused {
                refusal: Refusal::InvalidStatus
            }
        ]
    );
    assert_eq!(cluster.role("b"), Some(ReplicaRole::Follower));
}

/// Fences b and c, to which a, which has nothing to say, opens its streams again at once.
fn depose(cluster: &mut Cluster) {
    for name in ["b", "c"] {
        cluster.ask(name, new_term(2));
    }
    cluster.server("a").resend();
    cluster.collect("a");
    cluster.deliver_all();
}

#[test]
fn the_idle_stream_of_a_deposed_leader_keeps_the_next_ones_out() {
    let mut cluster = led();
    cluster.append("a", 1);
    depose(&mut cluster);
    let lead = become_leader(2, &[("c", id(1, 0))]);
    assert_eq!(cluster.ask("b", lead), Some(Ok(Reply::BecameLeader)));
    let write = cluster.begin("b", Request::Append { shard: SHARD });
    cluster.deliver_all();
    assert_eq!(cluster.replies.get(&write), None);
    cluster.server("c").peer_disconnected("a");
    cluster.server("b").resend();
    cluster.collect("b");
    cluster.deliver_all();
    assert!(cluster.replies.contains_key(&write));
}

#[test]
fn a_refused_append_ends_the_stream() {
    let mut cluster = led();
    cluster.append("a", 1);
    depose(&mut cluster);
    cluster.begin("a", Request::Append { shard: SHARD });
    cluster.deliver_all();
    let lead = become_leader(2, &[("c", id(1, 0))]);
    assert_eq!(cluster.ask("b", lead), Some(Ok(Reply::BecameLeader)));
}

#[test]
fn a_follower_is_added_though_the_caller_has_gone() {
    let mut cluster = led();
    cluster.append("a", 1);
    for _ in 0..2 {
        cluster.begin("a", Request::Append { shard: SHARD });
    }
    cluster.network.clear();
    cluster.server("c").peer_disconnected("a");
    cluster.elect(2, &["b", "c"]);
    cluster.ask("a", new_term(2));
    cluster.network.clear();
    let add = cluster.begin("b", add_follower(2, "a", id(1, 2)));
    cluster.server("b").cancel(add);
    let status = cluster.begin("b", Request::GetStatus { shard: SHARD });
    assert_eq!(cluster.replies.get(&status), None);
    cluster.deliver_all();
    assert!(cluster.replies.contains_key(&status));
    assert_eq!(cluster.role("a"), Some(ReplicaRole::Follower));
}

#[test]
fn a_shard_is_free_again_once_the_servers_own_patience_is_over() {
    let mut cluster = led();
    cluster.append("a", 1);
    for _ in 0..2 {
        cluster.begin("a", Request::Append { shard: SHARD });
    }
    cluster.network.clear();
    cluster.server("c").peer_disconnected("a");
    cluster.elect(2, &["b", "c"]);
    let add = cluster.begin("b", add_follower(2, "a", id(1, 2)));
    cluster.network.clear();
    cluster.server("b").cancel(add);
    let status = cluster.begin("b", Request::GetStatus { shard: SHARD });
    cluster.server("b").expire(add);
    cluster.collect("b");
    assert!(cluster.replies.contains_key(&status));
}

#[test]
fn an_observer_gets_the_log_and_has_no_say() {
    let child = ShardId(8);
    let mut cluster = Cluster::new(&["a", "b", "c", "d"]);
    cluster.elect(1, &["a", "b", "c"]);
    cluster.append("a", 2);
    let Request::NewTerm(mut fence) = new_term(1) else {
        panic!("no new term");
    };
    fence.shard = child;
    cluster.ask("d", Request::NewTerm(fence));
    let observer = Request::AddObserver {
        follower: follower(1, "d", EntryId::NONE),
        target: Some(child),
    };
    for _ in 0..2 {
        assert_eq!(
            cluster.ask("a", observer.clone()),
            Some(Ok(Reply::FollowerAdded))
        );
    }
    let status = cluster.server("d").status(child).unwrap();
    assert_eq!(status.role, ReplicaRole::Follower);
    assert_eq!((status.head_offset, status.commit_offset), (1, 1));

    let write = cluster.begin("a", Request::Append { shard: SHARD });
    cluster.network.retain(|(to, _)| to == "d");
    cluster.deliver_all();
    assert_eq!(cluster.replies.get(&write), None);

    let remove = Request::RemoveObserver {
        shard: SHARD,
        term: Term(1),
        follower: "d".into(),
        target: child,
    };
    for _ in 0..2 {
        assert_eq!(
            cluster.ask("a", remove.clone()),
            Some(Ok(Reply::ObserverRemoved))
        );
    }
}
