//! Bindings, fencing, and who may lead.

use std::collections::BTreeSet;

use stepdown_core::Term;
use stepdown_core::call::{Binding, EntryId, ReplicaRole};

use super::cluster::*;
use crate::replica::*;

const GET_STATUS: Request = Request::GetStatus { shard: SHARD };

fn led() -> Cluster {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    assert_eq!(
        cluster.elect(1, &["a", "b", "c"]),
        Some(Ok(Reply::BecameLeader))
    );
    cluster
}

#[test]
fn an_unbound_server_admits_nobody() {
    let mut server = DataServerModel::new("a", BTreeSet::new(), Durability::Immediate);
    assert_eq!(server.admit("id"), Err(Refusal::NotInitialized));
    assert_eq!(server.handshake(""), Err(Refusal::EmptyInstanceId));
    assert_eq!(server.admit("id"), Err(Refusal::NotInitialized));
}

#[test]
fn the_first_handshake_binds_for_good() {
    let mut server = DataServerModel::new("a", BTreeSet::new(), Durability::Immediate);
    assert_eq!(server.handshake("id"), Ok(Binding::Bound));
    assert_eq!(server.handshake("id"), Ok(Binding::AlreadyBound));
    assert_eq!(server.handshake("other"), Ok(Binding::Mismatch));
    assert_eq!(server.admit("id"), Ok(()));
    assert_eq!(
        server.admit("other"),
        Err(Refusal::UnexpectedInstanceId("other".into()))
    );
}

#[test]
fn an_unbound_server_follows_nobody() {
    let mut cluster = led();
    let mut unbound = DataServerModel::new("c", BTreeSet::new(), Durability::Immediate);
    std::mem::swap(cluster.server("c"), &mut unbound);
    cluster.server("a").peer_connected("c");
    cluster.collect("a");
    cluster.deliver_all();
    assert_eq!(cluster.server("c").shards().count(), 0);
}

#[test]
fn a_new_term_creates_an_unknown_shard_fenced_and_empty() {
    let mut cluster = Cluster::new(&["a"]);
    assert_eq!(cluster.ask("a", GET_STATUS), Some(Err(Refusal::NotMember)));
    assert_eq!(
        cluster.ask("a", new_term(3)),
        Some(Ok(Reply::Fenced(EntryId::NONE)))
    );
    assert_eq!(cluster.role("a"), Some(ReplicaRole::Fenced));
}

#[test]
fn a_lower_term_is_refused_by_either_object() {
    let mut cluster = led();
    cluster.elect(5, &["a", "b", "c"]);
    for name in ["a", "b"] {
        assert_eq!(
            cluster.ask(name, new_term(4)),
            Some(Err(Refusal::InvalidTerm))
        );
    }
}

#[test]
fn a_leader_object_takes_its_own_term_again_only_while_fenced() {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    cluster.ask("a", new_term(1));
    assert_eq!(
        cluster.ask("a", new_term(1)),
        Some(Ok(Reply::Fenced(EntryId::NONE)))
    );
    cluster.elect(1, &["a", "b", "c"]);
    assert_eq!(
        cluster.ask("a", new_term(1)),
        Some(Err(Refusal::InvalidStatus))
    );
    assert_eq!(cluster.role("a"), Some(ReplicaRole::Leader));
}

#[test]
fn a_follower_object_takes_its_own_term_again_in_any_status() {
    let mut cluster = led();
    cluster.append("a", 1);
    assert_eq!(cluster.role("b"), Some(ReplicaRole::Follower));
    assert_eq!(
        cluster.ask("b", new_term(1)),
        Some(Ok(Reply::Fenced(id(1, 0))))
    );
    assert_eq!(cluster.role("b"), Some(ReplicaRole::Fenced));
}

#[test]
fn a_leader_must_be_fenced_in_that_very_term() {
    let mut cluster = Cluster::new(&["a"]);
    assert_eq!(
        cluster.ask("a", become_leader(1, &[])),
        Some(Err(Refusal::InvalidStatus))
    );
    cluster.ask("a", new_term(2));
    for term in [1, 3] {
        assert_eq!(
            cluster.ask("a", become_leader(term, &[])),
            Some(Err(Refusal::InvalidTerm))
        );
    }
}

#[test]
fn a_repeated_become_leader_meets_invalid_status() {
    let mut cluster = led();
    let again = become_leader(1, &[("b", EntryId::NONE), ("c", EntryId::NONE)]);
    assert_eq!(cluster.ask("a", again), Some(Err(Refusal::InvalidStatus)));
}

#[test]
fn become_leader_turns_a_follower_of_the_same_term_into_a_leader() {
    let mut cluster = led();
    cluster.append("a", 1);
    let stray = become_leader(1, &[("c", id(1, 0))]);
    assert_eq!(cluster.ask("b", stray), Some(Ok(Reply::BecameLeader)));
}

#[test]
fn a_follower_with_a_higher_head_than_the_leaders_is_refused() {
    let mut cluster = Cluster::new(&["a"]);
    cluster.ask("a", new_term(2));
    assert_eq!(
        cluster.ask("a", become_leader(2, &[("b", id(1, 0))])),
        Some(Err(Refusal::InvalidTerm))
    );
    assert_eq!(cluster.role("a"), Some(ReplicaRole::Fenced));
}

#[test]
fn add_follower_checks_the_term_then_the_role_then_the_slots() {
    let mut cluster = led();
    assert_eq!(
        cluster.ask("a", add_follower(2, "d", EntryId::NONE)),
        Some(Err(Refusal::InvalidTerm))
    );
    let mut fenced = Cluster::new(&["d"]);
    fenced.ask("d", new_term(1));
    for (term, refusal) in [(1, Refusal::NotLeader), (2, Refusal::InvalidTerm)] {
        assert_eq!(
            fenced.ask("d", add_follower(term, "b", EntryId::NONE)),
            Some(Err(refusal))
        );
    }
    cluster.append("a", 1);
    assert_eq!(
        cluster.ask("b", add_follower(1, "d", EntryId::NONE)),
        Some(Err(Refusal::NotLeader))
    );
    assert_eq!(
        cluster.ask("a", add_follower(1, "b", EntryId::NONE)),
        Some(Ok(Reply::FollowerAdded))
    );
    assert_eq!(
        cluster.ask("a", add_follower(1, "d", EntryId::NONE)),
        Some(Err(Refusal::AllFollowersAttached))
    );
}

#[test]
fn a_delete_needs_a_term_at_least_the_shards() {
    let mut cluster = led();
    for name in ["a", "b"] {
        assert_eq!(
            cluster.ask(name, delete(0)),
            Some(Err(Refusal::InvalidTerm))
        );
    }
    assert_eq!(cluster.ask("b", delete(9)), Some(Ok(Reply::Deleted)));
    assert_eq!(cluster.ask("b", delete(0)), Some(Ok(Reply::Deleted)));
    assert_eq!(cluster.ask("b", GET_STATUS), Some(Err(Refusal::NotMember)));
}

#[test]
fn a_fenced_leader_object_tells_no_offsets() {
    let mut cluster = led();
    cluster.append("a", 2);
    cluster.ask("a", new_term(2));
    let Some(Ok(Reply::Status(status))) = cluster.ask("a", GET_STATUS) else {
        panic!("no status");
    };
    assert_eq!((status.term, status.role), (Term(2), ReplicaRole::Fenced));
    assert_eq!((status.head_offset, status.commit_offset), (-1, -1));
}

#[test]
fn a_frozen_leader_refuses_writes_until_a_new_term() {
    let mut cluster = led();
    cluster.append("a", 1);
    let freeze = |term| Request::FreezeShard {
        shard: SHARD,
        term: Term(term),
        frozen: true,
    };
    assert_eq!(cluster.ask("a", freeze(2)), Some(Err(Refusal::InvalidTerm)));
    assert_eq!(cluster.ask("b", freeze(1)), Some(Err(Refusal::NotLeader)));
    assert_eq!(
        cluster.ask("a", freeze(1)),
        Some(Ok(Reply::Frozen { head_offset: 0 }))
    );
    assert_eq!(
        cluster.ask("a", Request::Append { shard: SHARD }),
        Some(Err(Refusal::NotLeader))
    );
    cluster.elect(2, &["a", "b", "c"]);
    cluster.append("a", 1);
}

#[test]
fn info_names_the_features() {
    let mut cluster = Cluster::new(&["a"]);
    assert_eq!(
        cluster.ask("a", Request::GetInfo),
        Some(Ok(Reply::Info(BTreeSet::new())))
    );
}
