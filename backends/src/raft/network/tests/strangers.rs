//! Whoever is not meant is not heard.

use std::time::Duration;

use super::support::{LONG, Node, OURS, THEIRS, append, connections, meta, send_snapshot, vote};
use crate::raft::network::StrangerKind;

#[tokio::test]
async fn nothing_that_another_cluster_says_is_heard() {
    let node = Node::start(2, OURS).await;
    let mut stranger = connections(1, THEIRS).peer(2, &node.address().to_string());
    let errors = [
        append(&mut stranger, LONG).await.unwrap_err().to_string(),
        vote(&mut stranger, LONG).await.unwrap_err().to_string(),
        send_snapshot(&mut stranger, vec![1; 1 << 20])
            .await
            .unwrap_err(),
        stranger.read_index().await.unwrap_err().to_string(),
        stranger.may_lead(1).await.unwrap_err().to_string(),
    ];
    for error in errors {
        assert!(error.contains(&OURS.to_string()), "{error}");
        assert!(error.contains(&THEIRS.to_string()), "{error}");
    }
    assert_eq!(node.heard.counts(), [0; 4]);
    let counts = node.server.strangers().counts();
    assert_eq!(counts, [(StrangerKind::AnotherCluster, 5)].into());
}

#[tokio::test]
async fn nodes_of_one_cluster_hear_each_other() {
    let node = Node::start(2, OURS).await;
    let mut friend = connections(1, OURS).peer(2, &node.address().to_string());
    append(&mut friend, LONG).await.unwrap();
    assert!(vote(&mut friend, LONG).await.unwrap().vote_granted);
    send_snapshot(&mut friend, vec![1; 10]).await.unwrap();
    assert_eq!(friend.read_index().await.unwrap(), meta().last_log_id);
    for (candidate, delay) in [(1, Some(Duration::from_millis(2))), (3, None)] {
        let answer = friend.may_lead(candidate).await.unwrap();
        assert_eq!(answer.delay, delay, "{candidate}");
        assert_eq!(answer.public_address.as_deref(), Some("a.example:6651"));
    }
    assert_eq!(node.heard.counts(), [1, 1, 3, 1]);
    assert_eq!(node.server.strangers().counts(), [].into());
}

#[tokio::test]
async fn what_is_said_to_the_node_that_was_here_before_is_not_heard() {
    let node = Node::start(3, OURS).await;
    let mut leader = connections(1, OURS).peer(2, &node.address().to_string());
    let error = vote(&mut leader, LONG).await.unwrap_err().to_string();
    assert!(error.contains("lost its disk"), "{error}");
    assert_eq!(node.heard.counts(), [0; 4]);
}
