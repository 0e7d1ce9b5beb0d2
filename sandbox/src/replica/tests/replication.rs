//! Logs that follow, diverge and are brought together again.

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
    assert_eq!(
        cluster.server("a").durable().shards,
        cluster.server("b").durable().shards
    );
}

#[test]
fn a_truncation_goes_on_until_the_logs_agree() {
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
        Some(Ok(Reply::BecameLeader))
    );
    assert_eq!(
        cluster.server("b").durable().shards,
        cluster.server("a").durable().shards
    );
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
            whole: false,
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
fn a_follower_that_lost_the_shard_is_given_the_whole_log() {
    let mut cluster = led();
    cluster.append("a", 2);
    cluster.ask("c", delete(1));
    cluster.append("a", 1);
    assert_eq!(cluster.head("c"), id(1, 2));
    assert_eq!(cluster.role("c"), Some(ReplicaRole::Follower));
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
