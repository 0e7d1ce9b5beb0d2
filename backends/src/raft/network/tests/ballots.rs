//! Nobody is told that it leads, and whoever leads no more costs nothing.

use std::time::Duration;

use openraft::Vote;
use openraft::raft::AppendEntriesResponse;
use stepdown_wire::raft as wire;
use stepdown_wire::raft::snapshot_part::Part;
use tokio::time::timeout;
use tonic::Code;

use super::super::convert::to_ballot;
use super::super::{Identity, Peer};
use super::snapshots::{head_of, part, raw_client, send_raw};
use super::support::{LONG, Node, OURS, append, append_entries, connections, vote};

#[tokio::test]
async fn a_message_that_elects_somebody_else_than_its_sender_is_not_heard() {
    let node = Node::start(2, OURS).await;
    let mut client = raw_client(&node.address().to_string()).await;
    let envelope = Some(Identity::new(1, Some(OURS)).envelope(2));
    for elected in [2, 3] {
        let ballot = Some(to_ballot(&Vote::new_committed(9, elected)));
        let append = wire::AppendRequest {
            envelope: envelope.clone(),
            ballot,
            ..wire::AppendRequest::default()
        };
        let vote = wire::VoteRequest {
            envelope: envelope.clone(),
            ballot,
            ..wire::VoteRequest::default()
        };
        let head = wire::SnapshotHead {
            ballot,
            ..head_of(b"abc")
        };
        let data = Part::Data(b"abc"[..].into());
        for refused in [
            client.append(append).await.unwrap_err(),
            client.vote(vote).await.unwrap_err(),
            send_raw(&node, vec![part(Part::Head(head)), part(data)]).await,
        ] {
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        }
    }
    assert_eq!(node.heard.counts(), [0; 4]);
}

#[tokio::test]
async fn entries_of_whoever_leads_no_more_are_answered_though_the_node_is_busy() {
    let node = Node::start(2, OURS).await;
    node.heard.entry_permits.forget_permits(1000);
    let own = Vote::new_committed(7, 3);
    let connections = connections(1, OURS);
    let peer = || connections.peer(2, &node.address().to_string());
    let entries = async |mut peer: Peer, within| append_entries(&mut peer, 3, within).await;
    let mut busy = tokio::task::JoinSet::new();
    *node.heard.ballot.lock().unwrap() = own;
    for _ in 0..100 {
        let answer = entries(peer(), LONG).await;
        assert_eq!(answer, Some(AppendEntriesResponse::HigherVote(own)));
    }
    *node.heard.ballot.lock().unwrap() = Vote::default();
    for _ in 0..4 {
        busy.spawn(entries(peer(), LONG));
    }
    let answer = timeout(LONG, append(&mut peer(), LONG)).await.unwrap();
    assert_eq!(answer.unwrap(), AppendEntriesResponse::Success);
    let none = timeout(Duration::ZERO, busy.join_next()).await;
    assert!(none.is_err());
}

#[tokio::test]
async fn a_snapshot_of_whoever_leads_no_more_is_answered_by_its_head() {
    let node = Node::start(2, OURS).await;
    let own = Vote::new_committed(7, 3);
    *node.heard.ballot.lock().unwrap() = own;
    let mut client = raw_client(&node.address().to_string()).await;
    let head = tokio_stream::iter([part(Part::Head(head_of(b"abc")))]);
    let answer = client.install_snapshot(head).await.unwrap().into_inner();
    assert_eq!(answer.ballot, Some(to_ballot(&own)));
}

#[tokio::test]
async fn a_candidate_hears_no_answer_by_which_it_would_have_stood_again() {
    let node = Node::start(2, OURS).await;
    let mut peer = connections(1, OURS).peer(2, &node.address().to_string());
    for forged in [Vote::new(9, 1), Vote::new_committed(1, 1)] {
        *node.heard.voted.lock().unwrap() = Some(forged);
        let error = vote(&mut peer, LONG).await.unwrap_err().to_string();
        assert!(error.contains("has cast none like this"), "{error}");
    }
    for honest in [Vote::new(9, 3), Vote::new_committed(1, 0), Vote::new(0, 1)] {
        *node.heard.voted.lock().unwrap() = Some(honest);
        let answer = vote(&mut peer, LONG).await.unwrap();
        assert_eq!((answer.vote, answer.vote_granted), (honest, false));
    }
}
