//! Who is let in, and what health says.

use stepdown_sandbox::proto::GetAssignmentsRequest;
use stepdown_wire::error::{Reason, info_of, reason_of};
use stepdown_wire::replication::{
    AddFollowerRequest, GetInfoRequest, GetStatusRequest, HandshakeStatus,
};
use stepdown_wire::v1::shard_assignment::ShardBoundaries;
use stepdown_wire::v1::{
    Int32HashRange, NamespaceShardsAssignment, ShardAssignment, ShardAssignments,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::coordinator::*;

fn service(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

fn assignments(leader: &str) -> ShardAssignments {
    let assignment = ShardAssignment {
        shard: SHARD,
        leader: leader.to_owned(),
        shard_boundaries: Some(ShardBoundaries::Int32HashRange(Int32HashRange {
            min_hash_inclusive: 0,
            max_hash_inclusive: u32::MAX,
        })),
    };
    let namespace = NamespaceShardsAssignment {
        assignments: vec![assignment],
        shard_key_router: 1,
    };
    ShardAssignments {
        namespaces: [("default".to_owned(), namespace)].into(),
        allowed_authorities: vec![leader.to_owned()],
    }
}

#[tokio::test]
async fn an_unbound_server_serves_only_the_handshake_and_health() {
    let mut server = unbound(options("a", None)).await;
    let refused = server.new_term(1).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(reason_of(&refused), Some(Reason::NotInitialized));
    let push = tokio_stream::iter([assignments("a")]);
    let refused = server
        .coordination
        .push_shard_assignments(from_us(push))
        .await
        .unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::NotInitialized));
    let health = server.health.check(service("")).await.unwrap();
    assert_eq!(health.into_inner().status(), ServingStatus::Serving);
    assert_eq!(
        server.handshake("").await.unwrap_err().code(),
        Code::InvalidArgument
    );
    for expected in [HandshakeStatus::Bound, HandshakeStatus::AlreadyBound] {
        assert_eq!(server.handshake("id").await.unwrap(), expected);
    }
    assert_eq!(
        server.handshake("other").await.unwrap(),
        HandshakeStatus::Mismatch
    );
}

#[tokio::test]
async fn every_other_call_needs_the_instance_id_exactly_once() {
    let mut server = bound(options("a", None)).await;
    let cases: [(&[&str], Code); 4] = [
        (&[], Code::Unauthenticated),
        (&[""], Code::InvalidArgument),
        (&["id", "id"], Code::InvalidArgument),
        (&["other"], Code::PermissionDenied),
    ];
    for (ids, code) in cases {
        let mut request = Request::new(GetStatusRequest { shard: SHARD });
        for id in ids {
            request
                .metadata_mut()
                .append("instance-id", id.parse().unwrap());
        }
        let refused = server.coordination.get_status(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{ids:?}");
    }
    let info = from_us(GetInfoRequest {});
    let info = server.coordination.get_info(info).await.unwrap();
    assert_eq!(info.into_inner().features_supported, [1]);
}

#[tokio::test]
async fn refusals_name_their_reasons() {
    let mut server = bound(options("a", None)).await;
    let refused = server.status().await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::NodeIsNotMember));
    server.new_term(2).await.unwrap();
    let refused = server.new_term(1).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::InvalidTerm));
    let refused = server.become_leader(3, [].into()).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::InvalidTerm));
}

#[tokio::test]
async fn a_server_is_ready_once_assignments_came_and_names_leaders_from_them() {
    let mut server = bound(options("a", None)).await;
    let unknown = server.health.check(service("oxia-readiness")).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    let mut watch = server
        .health
        .watch(service("oxia-readiness"))
        .await
        .unwrap()
        .into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);

    let (pushes, stream) = mpsc::channel(1);
    let mut client = server.coordination.clone();
    let stream = from_us(ReceiverStream::new(stream));
    let push = tokio::spawn(async move { client.push_shard_assignments(stream).await });
    pushes.send(assignments("elsewhere:1")).await.unwrap();
    let second = watch.message().await.unwrap().unwrap();
    assert_eq!(second.status(), ServingStatus::Serving);

    let refused = server.append().await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::NodeIsNotLeader));
    let info = info_of(&refused).unwrap();
    assert_eq!(info.metadata["leader"], "elsewhere:1");
    assert_eq!(info.metadata["shard"], SHARD.to_string());

    let seen = server.data.get_assignments(GetAssignmentsRequest {}).await;
    let seen = seen.unwrap().into_inner();
    assert_eq!(seen.pushes, 1);
    assert_eq!(seen.assignments[0].max_hash_inclusive, u32::MAX);
    assert_eq!(seen.allowed_authorities, ["elsewhere:1"]);
    drop(pushes);
    push.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_full_leader_refuses_a_follower_without_a_reason() {
    let mut servers = three().await;
    let leader = elect(1, &mut servers).await;
    let request = AddFollowerRequest {
        namespace: "default".into(),
        shard: SHARD,
        term: 1,
        follower_name: "127.0.0.1:1".into(),
        ..AddFollowerRequest::default()
    };
    let client = &mut servers[leader].coordination;
    let refused = client.add_follower(from_us(request)).await.unwrap_err();
    assert_eq!((refused.code(), reason_of(&refused)), (Code::Unknown, None));
}

#[tokio::test]
async fn a_shutdown_ends_watches_with_not_serving() {
    let mut server = bound(options("a", None)).await;
    let watch = server.health.watch(service("")).await.unwrap();
    let mut watch = watch.into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    server.server.shutdown().await;
    let last = watch.message().await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
}
