//! Entries that a node makes nothing of.

use stepdown_wire::raft as wire;
use tonic::{Code, Status};
use wire::entry::Payload;

use super::super::Identity;
use super::snapshots::raw_client;
use super::support::{Node, OURS};

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
