//! Entries that a node makes nothing of.

use stepdown_wire::raft as wire;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::{Code, Status};
use wire::entry::Payload;

use super::super::Identity;
use super::super::service::APPENDS;
use super::snapshots::raw_client;
use super::support::{LONG, Node, OURS, append_entries, connections};

/// One entry of a command that is none.
fn nonsense(json: Vec<u8>) -> wire::AppendRequest {
    wire::AppendRequest {
        envelope: Some(Identity::new(1, Some(OURS)).envelope(2)),
        ballot: Some(wire::Ballot {
            term: 1,
            node: 1,
            committed: true,
        }),
        entries: vec![wire::Entry {
            id: Some(wire::LogId::default()),
            payload: Some(Payload::Command(json.into())),
        }],
        ..wire::AppendRequest::default()
    }
}

async fn refused(node: &Node, request: wire::AppendRequest) -> Status {
    let mut client = raw_client(&node.address().to_string()).await;
    client.append(request).await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_says_no_more_of_what_was_sent_than_anybody_reads() {
    let node = Node::start(2, OURS).await;
    let json = format!(r#"{{"{}": 1}}"#, "x".repeat(100_000));
    let refused = refused(&node, nonsense(json.into_bytes())).await;
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let said = refused.message();
    assert!(said.contains("unknown variant") && said.len() < 2_000);
}

#[tokio::test]
async fn nothing_is_made_of_entries_for_which_there_is_no_place() {
    let node = Node::start(2, OURS).await;
    node.heard.entry_permits.forget_permits(1000);
    let connections = connections(1, OURS);
    let mut busy = JoinSet::new();
    for _ in 0..APPENDS {
        let mut peer = connections.peer(2, &node.address().to_string());
        busy.spawn(async move { append_entries(&mut peer, 3, LONG).await });
    }
    let full = async {
        while refused(&node, nonsense(b"[".to_vec())).await.code() != Code::ResourceExhausted {}
    };
    timeout(LONG, full).await.unwrap();
}
