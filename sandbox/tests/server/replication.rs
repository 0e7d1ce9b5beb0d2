//! Elections and writes over real connections, and what outlives a process.

use std::path::Path;

use stepdown_sandbox::server::DataServerOptions;
use stepdown_wire::error::{Reason, reason_of};
use stepdown_wire::replication::{
    AddFollowerRequest, BecomeLeaderRequest, HandshakeStatus, ServingStatus,
};

use crate::coordinator::*;

#[tokio::test]
async fn an_elected_leader_commits_writes_on_its_followers() {
    let mut servers = three().await;
    let leader = elect(1, &mut servers).await;
    for offset in 0..3 {
        let entry = servers[leader].append().await.unwrap();
        assert_eq!((entry.term, entry.offset), (1, offset));
    }
    let status = servers[leader].status().await.unwrap();
    assert_eq!(status.status(), ServingStatus::Leader);
    assert_eq!((status.head_offset, status.commit_offset), (2, 2));
    let refused = servers[(leader + 1) % 3].append().await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::NodeIsNotLeader));

    let next = elect(2, &mut servers).await;
    let read = servers[next].read(Some(2)).await.unwrap();
    assert_eq!(read.entry.unwrap().term, 1);
    assert_eq!(read.leader_term, 2);
    assert_eq!(servers[next].read(Some(3)).await.unwrap().entry, None);
}

#[tokio::test]
async fn a_write_without_a_quorum_ends_with_the_next_term() {
    let mut servers = three().await;
    assert_eq!(elect(1, &mut servers).await, 0);
    let [mut leader, second, third] = servers;
    second.server.kill().await;
    third.server.kill().await;
    let write = leader.begin_append().await;
    leader.new_term(2).await.unwrap();
    let refused = write.await.unwrap().unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::ResourceUnavailable));
}

#[tokio::test]
async fn a_caller_that_goes_sets_a_waiting_shard_free() {
    let mut servers = three().await;
    assert_eq!(elect(1, &mut servers).await, 0);
    let [mut leader, second, third] = servers;
    second.server.kill().await;
    third.server.kill().await;
    let write = leader.begin_append().await;
    leader.new_term(2).await.unwrap();
    assert!(write.await.unwrap().is_err());

    // Nobody is left to have the write, so this waits, and the next call waits behind it.
    let mut lonely = leader.coordination.clone();
    let request = BecomeLeaderRequest {
        namespace: "default".into(),
        shard: SHARD,
        term: 2,
        replication_factor: 3,
        ..BecomeLeaderRequest::default()
    };
    let waiting = tokio::spawn(async move { lonely.become_leader(from_us(request)).await });
    tokio::task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(leader.new_term(3).await.unwrap().offset, 0);
}

/// The same server again, on the same addresses and directory.
fn again(server: &Server, directory: &Path) -> DataServerOptions {
    let identity = server.server.identity();
    DataServerOptions {
        name: identity.name.as_deref().unwrap().to_owned(),
        internal: identity.internal.parse().unwrap(),
        public: identity.public.parse().unwrap(),
        data_dir: Some(directory.to_owned()),
    }
}

#[tokio::test]
async fn terms_logs_and_the_binding_outlive_a_killed_server() {
    let directory = tempfile::tempdir().unwrap();
    let mut servers = vec![bound(options("a", Some(directory.path().into()))).await];
    servers.push(bound(options("b", None)).await);
    servers.push(bound(options("c", None)).await);
    assert_eq!(elect(4, &mut servers).await, 0);
    for _ in 0..5 {
        servers[0].append().await.unwrap();
    }
    let killed = servers.remove(0);
    let options = again(&killed, directory.path());
    killed.server.kill().await;

    let mut restarted = unbound(options).await;
    assert_eq!(
        restarted.handshake("id").await.unwrap(),
        HandshakeStatus::AlreadyBound
    );
    let refused = restarted.status().await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::NodeIsNotMember));
    let refused = restarted.new_term(3).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::InvalidTerm));
    let head = restarted.new_term(4).await.unwrap();
    assert_eq!((head.term, head.offset), (4, 4));
}

#[tokio::test]
async fn a_restarted_follower_is_found_again_by_its_leader() {
    let directory = tempfile::tempdir().unwrap();
    let mut servers = vec![bound(options("a", None)).await];
    servers.push(bound(options("b", Some(directory.path().into()))).await);
    servers.push(bound(options("c", None)).await);
    assert_eq!(elect(1, &mut servers).await, 0);
    servers[0].append().await.unwrap();
    let killed = servers.remove(1);
    let options = again(&killed, directory.path());
    killed.server.kill().await;
    servers[0].append().await.unwrap();

    let mut restarted = unbound(options).await;
    let status = restarted.wait_for_head(1).await;
    assert_eq!(status.status(), ServingStatus::Follower);
}

#[tokio::test]
async fn a_late_follower_is_added_and_truncated() {
    let mut servers = three().await;
    assert_eq!(elect(1, &mut servers).await, 0);
    servers[0].append().await.unwrap();
    let [mut first, second, third] = servers;
    let mut pair = [second, third];
    // The leader's own last write stays uncommitted, for both followers are fenced.
    for server in &mut pair {
        server.new_term(2).await.unwrap();
    }
    let write = first.begin_append().await;
    let leader = elect(2, &mut pair).await;
    pair[leader].append().await.unwrap();
    let head = first.new_term(2).await.unwrap();
    assert_eq!((head.term, head.offset), (1, 1));
    assert!(write.await.unwrap().is_err());

    let request = AddFollowerRequest {
        namespace: "default".into(),
        shard: SHARD,
        term: 2,
        follower_name: first.address(),
        follower_head_entry_id: Some(head),
        ..AddFollowerRequest::default()
    };
    let client = &mut pair[leader].coordination;
    client.add_follower(from_us(request)).await.unwrap();
    pair[leader].append().await.unwrap();
    first.wait_for_head(2).await;
    assert_eq!(first.new_term(3).await.unwrap().term, 2);
}
