//! What outlives a process, and what does not.

use std::collections::BTreeSet;

use stepdown_core::call::{Binding, EntryId, ReplicaRole};

use super::cluster::*;
use crate::replica::*;

#[test]
fn after_a_restart_no_shard_is_open_and_a_new_term_opens_it_fenced() {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    cluster.elect(4, &["a", "b", "c"]);
    cluster.append("a", 2);
    cluster.server("a").restart(Tail::Lost);
    assert_eq!(
        cluster.server("a").handshake("id"),
        Ok(Binding::AlreadyBound)
    );
    assert_eq!(
        cluster.ask("a", Request::GetStatus { shard: SHARD }),
        Some(Err(Refusal::NotMember))
    );
    assert_eq!(
        cluster.ask("a", new_term(3)),
        Some(Err(Refusal::InvalidTerm))
    );
    assert_eq!(
        cluster.ask("a", new_term(4)),
        Some(Ok(Reply::Fenced(id(4, 1))))
    );
}

#[test]
fn a_restarted_follower_is_opened_by_its_leaders_stream() {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    cluster.elect(1, &["a", "b", "c"]);
    cluster.append("a", 2);
    cluster.server("b").restart(Tail::Kept);
    assert_eq!(cluster.role("b"), None);
    cluster.server("a").peer_connected("b");
    cluster.collect("a");
    cluster.deliver_all();
    assert_eq!(cluster.role("b"), Some(ReplicaRole::Fenced));
    cluster.append("a", 1);
    assert_eq!(cluster.role("b"), Some(ReplicaRole::Follower));
    assert_eq!(cluster.head("b"), id(1, 2));
}

#[test]
fn a_late_delete_of_a_lower_term_is_refused_after_a_restart() {
    let mut cluster = Cluster::new(&["a"]);
    cluster.ask("a", new_term(4));
    cluster.server("a").restart(Tail::Lost);
    assert_eq!(cluster.ask("a", delete(3)), Some(Err(Refusal::InvalidTerm)));
}

fn deferred() -> DataServerModel {
    let mut server = DataServerModel::new("a", BTreeSet::new(), Durability::Deferred);
    server.handshake("id").unwrap();
    server.sync();
    server
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    let mut server = deferred();
    server.handle_request(Token(1), new_term(1));
    assert_eq!(server.poll_output(), None);
    assert_eq!(server.unsynced().shards.len(), 1);
    server.sync();
    assert_eq!(
        server.poll_output(),
        Some(Output::Reply {
            token: Token(1),
            result: Ok(Reply::Fenced(EntryId::NONE)),
        })
    );
    assert_eq!(server.unsynced(), Changes::default());
}

#[test]
fn a_crash_may_lose_what_was_not_synced() {
    let mut server = deferred();
    server.handle_request(Token(1), new_term(1));
    server.sync();
    server.handle_request(Token(2), new_term(2));
    let mut kept = server.clone();
    kept.restart(Tail::Kept);
    server.restart(Tail::Lost);
    let term = |server: &DataServerModel| server.durable().shards[&SHARD].term.0;
    assert_eq!((term(&server), term(&kept)), (1, 2));
    assert_eq!(server.poll_output(), None);
}

#[test]
fn a_binding_or_a_deletion_that_was_not_synced_may_be_undone() {
    let mut server = DataServerModel::new("a", BTreeSet::new(), Durability::Deferred);
    server.handshake("id").unwrap();
    assert_eq!(server.unsynced().instance_id.as_deref(), Some("id"));
    server.restart(Tail::Lost);
    assert_eq!(server.instance_id(), None);

    let mut server = deferred();
    server.handle_request(Token(1), new_term(1));
    server.sync();
    server.handle_request(Token(2), delete(1));
    assert_eq!(server.unsynced().shards.get(&SHARD), Some(&None));
    server.restart(Tail::Lost);
    assert!(server.durable().shards.contains_key(&SHARD));
}

#[test]
fn what_is_on_disk_recovers_to_the_same_server() {
    let mut server = deferred();
    server.handle_request(Token(1), new_term(1));
    let changes = server.unsynced();
    let disk = DurableServer {
        instance_id: Some("id".into()),
        shards: changes
            .shards
            .into_iter()
            .filter_map(|(id, shard)| Some((id, shard?)))
            .collect(),
    };
    let again = DataServerModel::recover("a", BTreeSet::new(), Durability::Deferred, disk);
    assert_eq!(again.durable(), server.durable());
}
