//! Connections: shared, lost, made again.

use std::future::pending;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use stepdown_core::call::{Call, CallErrorKind};
use tokio::net::TcpListener;

use super::peer::{Peer, identity};
use super::{impatient, new_term, servers, servers_with};

#[tokio::test]
async fn calls_to_one_address_share_a_connection() {
    let peer = Peer::start().await;
    let servers = servers();
    let server = peer.identity();
    let calls = (0..300).map(|shard| servers.call(&server, new_term(shard)));
    for answer in join_all(calls).await {
        answer.unwrap();
    }
    servers.call(&server, Call::CheckHealth).await.unwrap();
    assert_eq!(peer.heard.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_dead_address_fails_every_waiting_call_and_hides_no_server_that_starts_later() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let servers = servers();
    let server = identity(&address.to_string());
    let calls = (0..300).map(|shard| servers.call(&server, new_term(shard)));
    for answer in join_all(calls).await {
        let error = answer.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Unreachable);
        assert!(error.message.contains(&address.to_string()), "{error}");
    }
    let _peer = Peer::start_at(&address.to_string(), None).await;
    servers.call(&server, new_term(1)).await.unwrap();
}

#[tokio::test]
async fn a_restarted_server_is_reached_again_at_once() {
    let mut peer = Peer::start().await;
    let servers = servers();
    let server = peer.identity();
    for _ in 0..20 {
        servers.call(&server, new_term(1)).await.unwrap();
        let address = peer.kill().await;
        peer = Peer::start_at(&address.to_string(), None).await;
        // One call may still find the old connection; it can't be sent twice.
        if servers.call(&server, new_term(1)).await.is_err() {
            servers.call(&server, new_term(1)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_call_in_flight_when_the_server_dies_may_have_happened() {
    let peer = Peer::start().await;
    let _never = peer.hold("NewTerm");
    let servers = servers();
    let server = peer.identity();
    let call = tokio::spawn(async move { servers.call(&server, new_term(1)).await });
    peer.heard(1).await;
    peer.kill().await;
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn an_address_that_accepts_and_says_nothing_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = tokio::spawn(async move {
        let _stream = listener.accept().await;
        pending::<()>().await;
    });
    let servers = servers_with(impatient());
    for call in [Call::CheckHealth, new_term(1)] {
        let error = servers.call(&identity(&address), call).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::TimedOut);
    }
    silent.abort();
}

#[tokio::test]
async fn a_forgotten_address_gets_a_new_connection() {
    let peer = Peer::start().await;
    let servers = servers();
    servers.call(&peer.identity(), new_term(1)).await.unwrap();
    servers.forget(&peer.identity().internal);
    servers.call(&peer.identity(), new_term(1)).await.unwrap();
    assert_eq!(peer.heard.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn no_address_is_too_odd_to_be_told() {
    for address in ["", "ds-0", "no such host:1", "127.0.0.1:99999"] {
        let answer = servers().call(&identity(address), new_term(1)).await;
        assert_eq!(
            answer.unwrap_err().kind,
            CallErrorKind::Unreachable,
            "{address}"
        );
    }
}
