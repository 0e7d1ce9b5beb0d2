//! A node that is slow or gone is given up, and keeps nobody waiting.

use tokio::net::TcpListener;
use tokio::time::timeout;

use openraft::raft::AppendEntriesResponse;

use super::support::{LONG, Node, OURS, SHORT, append, append_entries, connections, log_id, vote};

#[tokio::test]
async fn a_node_that_takes_calls_and_never_answers_is_given_up() {
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = hole.local_addr().unwrap().to_string();
    let held = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = hole.accept().await {
            streams.push(stream);
        }
    });
    let connections = connections(1, OURS);
    let mut silent = connections.peer(2, &address);
    let error = append(&mut silent, SHORT).await.unwrap_err().to_string();
    assert!(error.contains("no answer within"), "{error}");

    let node = Node::start(3, OURS).await;
    let mut alive = connections.peer(3, &node.address().to_string());
    let waiting = tokio::spawn(async move { append(&mut silent, LONG).await });
    for _ in 0..100 {
        append(&mut alive, LONG).await.unwrap();
    }
    assert!(!waiting.is_finished());
    waiting.abort();
    held.abort();
}

#[tokio::test]
async fn a_node_that_is_gone_is_said_to_be_and_found_again_when_it_is_back() {
    let node = Node::start(2, OURS).await;
    let address = node.address().to_string();
    let connections = connections(1, OURS);
    let mut peer = connections.peer(2, &address);
    append(&mut peer, LONG).await.unwrap();
    node.server.close().await;
    let refused = async {
        loop {
            let error = append(&mut peer, LONG).await.err().map(|e| e.to_string());
            if error.is_some_and(|error| error.contains("Connection refused")) {
                return;
            }
        }
    };
    timeout(LONG, refused).await.unwrap();

    let _node = Node::start_at(&address, 2, OURS, None).await;
    let back = async { while append(&mut peer, LONG).await.is_err() {} };
    timeout(LONG, back).await.unwrap();
}

#[tokio::test]
async fn a_call_that_takes_long_does_not_hold_up_those_beside_it() {
    let node = Node::start(2, OURS).await;
    node.heard.vote_permits.forget_permits(1000);
    let connections = connections(1, OURS);
    let address = node.address().to_string();
    let mut candidate = connections.peer(2, &address);
    let waiting = tokio::spawn(async move { vote(&mut candidate, LONG).await });
    let mut leader = connections.peer(2, &address);
    for _ in 0..100 {
        append(&mut leader, LONG).await.unwrap();
    }
    assert!(!waiting.is_finished());
    node.heard.vote_permits.add_permits(1);
    assert!(waiting.await.unwrap().unwrap().vote_granted);
}

#[tokio::test]
async fn an_address_that_is_none_is_named() {
    for address in ["", "a", "a:b", "a:1/b", "http://a:1"] {
        let mut peer = connections(1, OURS).peer(2, address);
        let error = append(&mut peer, LONG).await.unwrap_err().to_string();
        assert!(error.contains(&format!("'{address}'")), "{error}");
        assert!(error.contains("host:port"), "{error}");
    }
}

#[tokio::test]
async fn entries_that_take_longer_than_raft_waits_arrive_though_it_sends_them_again() {
    let node = Node::start(2, OURS).await;
    node.heard.entry_permits.forget_permits(1000);
    let connections = connections(1, OURS);
    let mut peer = connections.peer(2, &node.address().to_string());
    for up_to in [3, 3, 5] {
        let answer = append_entries(&mut peer, up_to, SHORT).await;
        assert!(answer.is_none(), "{answer:?}");
    }
    // One more would be taken for the second time of sending.
    node.heard.entry_permits.add_permits(1);
    let answer = append_entries(&mut peer, 5, LONG).await;
    let first = AppendEntriesResponse::PartialSuccess(Some(log_id(3)));
    assert_eq!(answer, Some(first));
    assert_eq!(node.heard.counts()[0], 1);
    node.heard.entry_permits.add_permits(1);
    let answer = append_entries(&mut peer, 5, LONG).await;
    assert_eq!(answer, Some(AppendEntriesResponse::Success));
}
