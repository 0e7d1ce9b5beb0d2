//! Who leads is told by every node, and handed over.

use tokio::time::timeout;

use super::support::{LIMIT, campaign, cluster, follower, leader};
use crate::raft::fixtures::alone;
use stepdown_wire::raft as wire;

fn to(member: &str) -> wire::TransferRequest {
    wire::TransferRequest {
        member: member.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_tells_of_the_members_and_of_who_leads() {
    let _alone = alone().await;
    let nodes = cluster(&["a", "b", "c"]).await;
    let (first, other) = (leader(&nodes).await, follower(&nodes).await);
    for node in [first, other] {
        let status = node.client().status().await.unwrap();
        assert_eq!(status.node, node.id);
        assert_eq!(status.leader, Some(first.id));
        let names: Vec<_> = status.members.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(status.members.iter().all(|it| it.votes));
        assert!(status.file_bytes.is_some_and(|bytes| bytes > 0));
        assert_eq!(status.failure, "");
    }
    let status = first.client().status().await.unwrap();
    assert!(status.members.iter().all(|it| it.matched.is_some()));
    assert!(status.quorum_millis.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_that_is_named_leads_though_others_wait_for_it_too() {
    let _alone = alone().await;
    let nodes = cluster(&["a", "b", "c"]).await;
    let mut wins: Vec<_> = nodes.iter().map(|it| campaign(it.backend())).collect();
    let first = leader(&nodes).await;
    let at = nodes.iter().position(|it| it.id == first.id).unwrap();
    timeout(LIMIT, wins[at].recv()).await.unwrap().unwrap();
    assert!(first.client().status().await.unwrap().serves);
    // Both of the others, one after the other, asked through whoever is at hand.
    for next in [(at + 1) % 3, (at + 2) % 3] {
        let name = nodes[next].member.name.clone();
        let answer = nodes[at].client().transfer(to(&name)).await.unwrap();
        assert!(!answer.already);
        timeout(LIMIT, wins[next].recv()).await.unwrap().unwrap();
        let again = nodes[at].client().transfer(to(&name)).await.unwrap();
        assert!(again.already);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_handed_over_to_one_that_is_not_there() {
    let _alone = alone().await;
    let mut nodes = cluster(&["a", "b", "c"]).await;
    let first = leader(&nodes).await.id;
    let refused = nodes[0].client().transfer(to("nobody")).await.unwrap_err();
    assert!(
        refused.to_string().contains("no member is nobody"),
        "{refused}"
    );
    let away = nodes.iter().position(|it| it.id != first).unwrap();
    nodes[away].stop().await;
    let name = nodes[away].member.name.clone();
    let leader = leader(&nodes).await;
    let refused = leader.client().transfer(to(&name)).await.unwrap_err();
    assert!(refused.to_string().contains("does not answer"), "{refused}");
    assert_eq!(leader.id, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_asked_for_has_all_that_is_applied() {
    let _alone = alone().await;
    let nodes = cluster(&["a"]).await;
    let (status, made) = nodes[0].client().take_snapshot().await.unwrap();
    assert_eq!(status.node, 1);
    assert!(made.index >= status.applied && made.index.is_some());
    let status = nodes[0].client().status().await.unwrap();
    assert_eq!(status.snapshot, made.index);
}
