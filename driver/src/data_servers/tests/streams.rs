//! Assignments and health watches.

use std::sync::Arc;

use stepdown_core::ShardId;
use stepdown_core::assign::{ShardAssignment, ShardAssignments};
use stepdown_core::call::CallErrorKind;
use stepdown_core::cluster::HashRange;
use stepdown_wire::error::{Reason, to_status};
use stepdown_wire::v1;
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tonic_health::ServingStatus;

use super::peer::{Peer, identity};
use super::servers;

fn assignments(shard: i64) -> Arc<ShardAssignments> {
    let assignment = ShardAssignment {
        shard: ShardId(shard),
        leader: Arc::from("a:6648"),
        hash_range: HashRange {
            min: 5,
            max: u32::MAX,
        },
    };
    Arc::new(ShardAssignments {
        namespaces: [(Arc::from("default"), vec![assignment])].into(),
        allowed_authorities: [Arc::from("a:6648"), Arc::from("b:6648")].into(),
    })
}

fn on_the_wire(shard: i64) -> v1::ShardAssignments {
    let range = v1::Int32HashRange {
        min_hash_inclusive: 5,
        max_hash_inclusive: u32::MAX,
    };
    let assignment = v1::ShardAssignment {
        shard,
        leader: "a:6648".into(),
        shard_boundaries: Some(v1::shard_assignment::ShardBoundaries::Int32HashRange(range)),
    };
    let namespace = v1::NamespaceShardsAssignment {
        assignments: vec![assignment],
        shard_key_router: v1::ShardKeyRouter::Xxhash3.into(),
    };
    v1::ShardAssignments {
        namespaces: [("default".into(), namespace)].into(),
        allowed_authorities: vec!["a:6648".into(), "b:6648".into()],
    }
}

#[tokio::test]
async fn a_server_gets_the_latest_assignments_and_none_in_between() {
    let mut peer = Peer::start().await;
    let (latest, receiver) = watch::channel(assignments(1));
    latest.send_replace(assignments(2));
    let push = tokio::spawn({
        let (servers, server) = (servers(), peer.identity());
        async move { servers.push(&server, receiver).await }
    });
    assert_eq!(peer.pushed.recv().await, Some(Some(on_the_wire(2))));
    for shard in 3..10 {
        latest.send_replace(assignments(shard));
    }
    assert_eq!(peer.pushed.recv().await, Some(Some(on_the_wire(9))));
    drop(latest);
    assert_eq!(peer.pushed.recv().await, Some(None));
    let error = push.await.unwrap();
    assert!(error.message.contains("ended the stream"), "{error}");
}

#[tokio::test]
async fn a_push_ends_with_the_servers_reason() {
    let peer = Peer::start().await;
    peer.fail(
        "PushShardAssignments",
        to_status(Reason::NotInitialized, []),
    );
    let (_latest, receiver) = watch::channel(assignments(1));
    let error = servers().push(&peer.identity(), receiver).await;
    assert_eq!(error.kind, CallErrorKind::NotInitialized);
}

#[tokio::test]
async fn a_dropped_push_ends_at_the_server() {
    let mut peer = Peer::start().await;
    let (latest, receiver) = watch::channel(assignments(1));
    let push = tokio::spawn({
        let (servers, server) = (servers(), peer.identity());
        async move { servers.push(&server, receiver).await }
    });
    assert_eq!(peer.pushed.recv().await, Some(Some(on_the_wire(1))));
    push.abort();
    assert_eq!(peer.pushed.recv().await, Some(None));
    drop(latest);
}

#[tokio::test]
async fn a_push_ends_when_the_server_dies() {
    let mut peer = Peer::start().await;
    let (_latest, receiver) = watch::channel(assignments(1));
    let push = tokio::spawn({
        let (servers, server) = (servers(), peer.identity());
        async move { servers.push(&server, receiver).await }
    });
    peer.pushed.recv().await.unwrap();
    peer.kill().await;
    assert_eq!(push.await.unwrap().kind, CallErrorKind::Unreachable);
}

#[tokio::test]
async fn a_health_watch_tells_each_change_and_at_last_why_it_ended() {
    let peer = Peer::start().await;
    let mut watch = servers().watch_health(&peer.identity());
    assert_eq!(watch.next().await, Some(Ok(true)));
    peer.health
        .set_service_status("", ServingStatus::NotServing)
        .await;
    assert_eq!(watch.next().await, Some(Ok(false)));
    peer.kill().await;
    let error = watch.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Unreachable, "{error}");
    assert_eq!(watch.next().await, None);
}

#[tokio::test]
async fn a_watch_of_a_dead_address_ends_with_its_first_item() {
    let address = Peer::start().await.kill().await;
    let mut watch = servers().watch_health(&identity(&address.to_string()));
    let error = watch.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Unreachable);
    assert_eq!(watch.next().await, None);
}
