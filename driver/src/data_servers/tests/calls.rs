//! What is sent, and what is made of the answers.

use std::sync::Arc;

use stepdown_core::call::{
    AddFollower, Answer, BecomeLeader, Binding, Call, CallErrorKind, EntryId, Feature, ReplicaRole,
    ReplicaStatus,
};
use stepdown_core::{ShardId, Term};
use stepdown_wire::error::{Reason, to_status};
use tokio_stream::StreamExt;
use tonic::Status;
use tonic_health::ServingStatus;

use super::super::{CallOptions, DataServers};
use super::peer::Peer;
use super::{INSTANCE, impatient, new_term, servers, servers_with};
use crate::observe::Metrics;

fn entry(term: i64, offset: i64) -> EntryId {
    EntryId {
        term: Term(term),
        offset,
    }
}

fn become_leader() -> Call {
    Call::BecomeLeader(BecomeLeader {
        namespace: Arc::from("default"),
        shard: ShardId(1),
        term: Term(4),
        replication_factor: 3,
        follower_maps: [(Arc::from("b:1"), entry(3, 9))].into(),
        features_supported: [Feature(1)].into(),
    })
}

fn add_follower() -> Call {
    Call::AddFollower(AddFollower {
        namespace: Arc::from("default"),
        shard: ShardId(1),
        term: Term(4),
        follower: Arc::from("c:1"),
        head: EntryId::NONE,
    })
}

#[tokio::test]
async fn every_call_is_asked_and_answered_in_full() {
    let peer = Peer::start().await;
    let servers = servers();
    let fenced = Answer::Fenced(entry(3, 14));
    let status = Answer::Status(ReplicaStatus {
        term: Term(5),
        role: ReplicaRole::Leader,
        head_offset: 7,
        commit_offset: 6,
    });
    let shaken = Answer::Handshaken {
        binding: Binding::Bound,
        features: [Feature(1)].into(),
    };
    for (call, answer, parts) in [
        (
            new_term(1),
            fenced,
            &["\"default\"", "shard: 1", "term: 4", "true", "Hierarchical"][..],
        ),
        (
            become_leader(),
            Answer::BecameLeader,
            &[
                "factor: 3",
                "key: \"b:1\", value: Some(EntryId { term: 3, offset: 9 })",
                "[DbChecksum]",
            ],
        ),
        (
            add_follower(),
            Answer::FollowerAdded,
            &["\"c:1\"", "term: -1, offset: -1", "observer: false"],
        ),
        (Call::GetStatus { shard: ShardId(9) }, status, &["shard: 9"]),
        (Call::Handshake, shaken, &[INSTANCE]),
    ] {
        assert_eq!(servers.call(&peer.identity(), call).await, Ok(answer));
        let heard = peer.heard.requests.lock().unwrap().pop().unwrap();
        for part in parts {
            assert!(heard.contains(part), "{part} is not in {heard}");
        }
    }
}

#[tokio::test]
async fn every_call_and_stream_bears_the_instance_id_once() {
    let peer = Peer::start().await;
    let servers = servers();
    for call in [new_term(1), Call::CheckHealth, Call::Handshake] {
        servers.call(&peer.identity(), call).await.unwrap();
    }
    servers.watch_health(&peer.identity()).next().await;
    let (_latest, assignments) = tokio::sync::watch::channel(Arc::default());
    peer.fail("PushShardAssignments", Status::unknown("no"));
    servers.push(&peer.identity(), assignments).await;
    let headers = peer.heard.headers.lock().unwrap();
    assert_eq!(headers.len(), 5);
    for (path, headers) in &*headers {
        let ids: Vec<_> = headers.get_all("instance-id").iter().collect();
        assert_eq!(ids, [INSTANCE], "{path}");
        let unlimited = path.ends_with("Watch") || path.ends_with("PushShardAssignments");
        assert_eq!(headers.contains_key("grpc-timeout"), !unlimited, "{path}");
    }
}

#[test]
fn an_instance_id_that_can_not_be_sent_is_refused() {
    for id in ["", "a\nb"] {
        assert!(DataServers::new(CallOptions::default(), Arc::from(id)).is_err());
    }
}

#[tokio::test]
async fn a_servers_own_reason_tells_why_a_call_failed() {
    let peer = Peer::start().await;
    let servers = servers();
    for (status, kind) in [
        (
            to_status(Reason::InvalidTerm, []),
            CallErrorKind::InvalidTerm,
        ),
        (
            to_status(Reason::NodeIsNotMember, []),
            CallErrorKind::NotMember,
        ),
        (
            to_status(Reason::NodeIsNotLeader, []),
            CallErrorKind::NotLeader,
        ),
        (
            to_status(Reason::NotInitialized, []),
            CallErrorKind::NotInitialized,
        ),
        (
            Status::permission_denied("another cluster"),
            CallErrorKind::Refused,
        ),
        (Status::unauthenticated("who?"), CallErrorKind::Refused),
        (Status::unknown("all slots full"), CallErrorKind::Other),
    ] {
        let words = status.message().to_owned();
        peer.fail("NewTerm", status);
        let error = servers
            .call(&peer.identity(), new_term(1))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind);
        assert!(error.message.contains(&words), "{error}");
    }
}

#[tokio::test]
async fn a_server_too_old_to_be_bound_is_asked_what_it_can_do() {
    let peer = Peer::start().await;
    peer.fail("Handshake", Status::unimplemented("unknown method"));
    let answer = servers().call(&peer.identity(), Call::Handshake).await;
    let shaken = Answer::Handshaken {
        binding: Binding::AlreadyBound,
        features: [].into(),
    };
    assert_eq!(answer, Ok(shaken));
    assert_eq!(peer.heard.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn health_is_what_the_server_says() {
    let peer = Peer::start().await;
    for (status, serving) in [
        (ServingStatus::Serving, true),
        (ServingStatus::NotServing, false),
        (ServingStatus::Unknown, false),
    ] {
        peer.health.set_service_status("", status).await;
        let answer = servers().call(&peer.identity(), Call::CheckHealth).await;
        assert_eq!(answer, Ok(Answer::Health { serving }));
    }
}

#[tokio::test]
async fn a_call_that_is_not_answered_times_out() {
    let peer = Peer::start().await;
    let _never = peer.hold("NewTerm");
    let servers = servers_with(impatient());
    let error = servers
        .call(&peer.identity(), new_term(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::TimedOut);
}

#[tokio::test]
async fn calls_are_counted() {
    let peer = Peer::start().await;
    let metrics = Metrics::new().unwrap();
    let servers = servers_with(CallOptions {
        counters: Some(metrics.count_made()),
        ..CallOptions::default()
    });
    servers.call(&peer.identity(), new_term(1)).await.unwrap();
    let text = metrics.text().unwrap();
    for name in ["started", "msg_sent", "msg_received", "handled"] {
        let line = text
            .lines()
            .filter(|l| l.starts_with(&format!("grpc_client_{name}_total{{")))
            .find(|l| !l.ends_with(" 0"))
            .unwrap();
        assert!(line.contains("NewTerm") && line.ends_with(" 1"), "{line}");
    }
}
