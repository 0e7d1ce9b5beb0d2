//! Who is at an address.

use std::sync::atomic::Ordering;

use super::support::{Node, OURS, THEIRS, connections, introduction};
use crate::raft::command::ClusterId;
use crate::raft::network::{CallError, Greeting, Identity, StrangerKind};

async fn greeted(node: &Node, greeting: Greeting) -> Result<Greeting, CallError> {
    let greeter = connections(1, OURS).greeter(&node.address().to_string());
    greeter.greet(greeting).await
}

fn greeting(node: u64, cluster: Option<ClusterId>) -> Greeting {
    introduction(Identity::new(node, cluster)).greeting(false)
}

#[tokio::test]
async fn an_address_becomes_a_number_and_a_cluster() {
    let node = Node::start(2, OURS).await;
    let answer = greeted(&node, greeting(1, None)).await.unwrap();
    assert_eq!((answer.node, answer.cluster), (2, Some(OURS)));
    assert_eq!(answer.member.name, "node-2");
    assert!(answer.is_formed && answer.has_member);
    let answer = greeted(&node, greeting(3, None)).await.unwrap();
    assert!(answer.is_formed && !answer.has_member);
}

#[tokio::test]
async fn nobody_is_greeted_by_another_cluster_by_a_copy_or_by_another_list() {
    let node = Node::start(2, OURS).await;
    node.heard.is_formed.store(false, Ordering::SeqCst);
    let another_list = Greeting {
        bootstrap: ["3:1".to_owned()].into(),
        ..greeting(1, None)
    };
    for (greeting, word) in [
        (greeting(1, Some(THEIRS)), "is of cluster"),
        (greeting(2, None), "copies of one data directory"),
        (another_list, "the same list"),
    ] {
        let error = greeted(&node, greeting).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let kinds: Vec<_> = node.server.strangers().counts().into_keys().collect();
    let expected = [
        StrangerKind::AnotherCluster,
        StrangerKind::AnotherList,
        StrangerKind::Twin,
    ];
    assert_eq!(kinds, expected);
}
