//! A node that is told what it has acknowledged, and one that has forgotten it.

use std::sync::atomic::Ordering;

use super::support::{
    LONG, Node, OURS, append, append_entries, connections, log_id, meta, send_snapshot,
};

#[tokio::test]
async fn a_node_is_told_what_it_has_acknowledged_by_whatever_way_that_was() {
    let node = Node::start(2, OURS).await;
    let ways = connections(1, OURS);
    let address = node.address().to_string();
    let mut entries = ways.peer(2, &address);
    let mut snapshots = ways.peer(2, &address);
    let told = || *node.heard.acknowledged.lock().unwrap();

    append(&mut entries, LONG).await.unwrap();
    assert_eq!(told(), None);
    append_entries(&mut entries, 5, LONG).await.unwrap();
    append(&mut entries, LONG).await.unwrap();
    assert_eq!(told(), Some(log_id(5)));
    send_snapshot(&mut snapshots, vec![1]).await.unwrap();
    append(&mut entries, LONG).await.unwrap();
    assert_eq!(told(), meta().last_log_id);
}

#[tokio::test]
async fn a_node_that_differs_where_it_has_acknowledged_something_is_not_handed_to_raft() {
    let node = Node::start(2, OURS).await;
    let mut way = connections(1, OURS).peer(2, &node.address().to_string());
    node.heard.differs.store(true, Ordering::SeqCst);
    append(&mut way, LONG).await.unwrap();
    node.heard.differs.store(false, Ordering::SeqCst);
    append_entries(&mut way, 5, LONG).await.unwrap();
    node.heard.differs.store(true, Ordering::SeqCst);
    let error = append(&mut way, LONG).await.unwrap_err().to_string();
    assert!(error.contains("node 2 has acknowledged entry 5"), "{error}");
    assert!(error.contains("add the node again"), "{error}");
}
