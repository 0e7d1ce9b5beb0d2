//! How many calls at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use stepdown_core::call::{AddFollower, Call, CallErrorKind, EntryId};
use stepdown_core::{ShardId, Term, Timestamp};
use tokio::task::JoinSet;

use super::super::CallOptions;
use super::peer::Peer;
use super::{impatient, new_term, servers_with};
use crate::gate::Gate;

fn add_follower(shard: i64) -> Call {
    Call::AddFollower(AddFollower {
        namespace: Arc::from("default"),
        shard: ShardId(shard),
        term: Term(4),
        follower: Arc::from("c:1"),
        head: EntryId::NONE,
    })
}

#[tokio::test]
async fn a_server_works_on_no_more_calls_at_once_than_it_is_allowed() {
    let peer = Peer::start().await;
    let servers = servers_with(CallOptions {
        ordinary_calls: 2,
        ..CallOptions::default()
    });
    let server = peer.identity();
    let calls = (0..50).map(|shard| servers.call(&server, new_term(shard)));
    for answer in join_all(calls).await {
        answer.unwrap();
    }
    assert!(peer.heard.most_working.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_takes_a_kilobyte_at_most() {
    let peer = Peer::start().await;
    let servers = servers_with(CallOptions::default());
    let server = peer.identity();
    let waiting = servers.call(&server, new_term(1));
    assert!(
        size_of_val(&waiting) <= 1 << 10,
        "{}",
        size_of_val(&waiting)
    );
}

#[tokio::test]
async fn lasting_calls_that_hang_keep_no_other_out() {
    let peer = Peer::start().await;
    let _never = peer.hold("AddFollower");
    let servers = servers_with(CallOptions {
        ordinary_calls: 1,
        lasting_calls: 2,
        ..CallOptions::default()
    });
    let mut hanging = JoinSet::new();
    for shard in 0..5 {
        let (servers, server) = (servers.clone(), peer.identity());
        hanging.spawn(async move { servers.call(&server, add_follower(shard)).await });
    }
    peer.heard(2).await;
    servers.call(&peer.identity(), new_term(1)).await.unwrap();
    assert_eq!(peer.heard.requests.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_call_that_waited_for_its_turn_until_the_gate_closed_is_not_sent() {
    let peer = Peer::start().await;
    let release = peer.hold("NewTerm");
    let servers = servers_with(CallOptions {
        ordinary_calls: 1,
        ..CallOptions::default()
    });
    let gate = Gate::closed();
    gate.set(Timestamp(u64::MAX));
    let call = |shard| {
        let (servers, server) = (servers.within(gate.clone()), peer.identity());
        tokio::spawn(async move { servers.call(&server, new_term(shard)).await })
    };
    let first = call(1);
    peer.heard(1).await;
    let second = call(2);
    gate.set(Timestamp(0));
    release.add_permits(2);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap_err();
    assert_eq!(peer.heard.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_health_check_waits_for_no_turn() {
    let peer = Peer::start().await;
    let _never = peer.hold("NewTerm");
    let servers = servers_with(CallOptions {
        ordinary_calls: 1,
        ..CallOptions::default()
    });
    let hanging = tokio::spawn({
        let (servers, server) = (servers.clone(), peer.identity());
        async move { servers.call(&server, new_term(1)).await }
    });
    peer.heard(1).await;
    servers
        .call(&peer.identity(), Call::CheckHealth)
        .await
        .unwrap();
    hanging.abort();
}

#[tokio::test]
async fn nobody_waits_for_ever_for_a_turn() {
    let peer = Peer::start().await;
    let _never = peer.hold("NewTerm");
    let servers = servers_with(CallOptions {
        ordinary_calls: 1,
        ..impatient()
    });
    let server = peer.identity();
    let calls = (0..20).map(|shard| servers.call(&server, new_term(shard)));
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap_err().kind, CallErrorKind::TimedOut);
    }
}

#[tokio::test]
async fn a_dropped_call_gives_its_turn_back_and_ends_at_the_server() {
    let peer = Peer::start().await;
    let _never = peer.hold("NewTerm");
    let servers = servers_with(CallOptions {
        ordinary_calls: 1,
        ..CallOptions::default()
    });
    let dropped = tokio::spawn({
        let (servers, server) = (servers.clone(), peer.identity());
        async move { servers.call(&server, new_term(1)).await }
    });
    peer.heard(1).await;
    dropped.abort();
    let shard = ShardId(1);
    let status = Call::GetStatus { shard };
    servers.call(&peer.identity(), status).await.unwrap();
    while peer.heard.working.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}
