//! Nobody is told that it leads, and whoever leads no more costs nothing.

use std::time::Duration;

use openraft::Vote;
use openraft::raft::AppendEntriesResponse;
use stepdown_wire::raft as wire;
use stepdown_wire::raft::snapshot_part::Part;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::super::convert::to_ballot;
use super::super::{Identity, Peer};
use super::snapshots::{head_of, part, raw_client, send_raw};
use super::support::{LONG, Node, OURS, append, append_entries, connections, send_snapshot, vote};

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
    *node.heard.voted.lock().unwrap() = Some(Vote::new_committed(1, 1));
    let error = vote(&mut peer, LONG).await.unwrap_err().to_string();
    assert!(error.contains("has cast none like this"), "{error}");
    for forged in [Vote::new(9, 1), Vote::new_committed(9, 1)] {
        *node.heard.voted.lock().unwrap() = Some(forged);
        let answer = vote(&mut peer, LONG).await.unwrap();
        assert_eq!(answer.vote, Vote::new(9, 2));
    }
    for honest in [Vote::new(9, 3), Vote::new_committed(1, 0), Vote::new(0, 1)] {
        *node.heard.voted.lock().unwrap() = Some(honest);
        let answer = vote(&mut peer, LONG).await.unwrap();
        assert_eq!((answer.vote, answer.vote_granted), (honest, false));
    }
}

#[tokio::test]
async fn whoever_says_that_it_leads_keeps_no_snapshot_of_the_leader_out() {
    let node = Node::start(2, OURS).await;
    let address = node.address().to_string();
    let stranger = Vote::new_committed(1_000, 3);
    let head = wire::SnapshotHead {
        envelope: Some(Identity::new(3, Some(OURS)).envelope(2)),
        ballot: Some(to_ballot(&stranger)),
        length: 9,
        ..head_of(b"abc")
    };
    let (parts, waiting) = mpsc::channel(2);
    parts.send(part(Part::Head(head))).await.unwrap();
    parts
        .send(part(Part::Data(b"abc"[..].into())))
        .await
        .unwrap();
    let mut client = raw_client(&address).await;
    let held =
        tokio::spawn(async move { client.install_snapshot(ReceiverStream::new(waiting)).await });
    // Which of the two begins first is not known: the stranger's is ended by one of these at last.
    let mut peer = connections(1, OURS).peer(2, &address);
    *node.heard.ballot.lock().unwrap() = Vote::new_committed(1, 1);
    let ended = async {
        while !held.is_finished() {
            let highest = send_snapshot(&mut peer, vec![7; 10]).await.unwrap();
            assert_eq!(highest, Vote::new_committed(1, 1));
        }
        held.await.unwrap().unwrap_err()
    };
    let status = timeout(LONG, ended).await.unwrap();
    assert_eq!(status.code(), Code::Aborted, "{status}");
}
