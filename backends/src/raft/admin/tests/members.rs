//! Members come, go, and come back as others.

use std::time::Duration;

use stepdown_wire::raft as wire;
use tokio::time::{sleep, timeout};

use super::support::{LIMIT, Served, cluster, follower, leader};
use crate::raft::admin::AdminClient;
use crate::raft::fixtures::alone;

/// Asks until it is done.
async fn add(client: &AdminClient, address: &str, learner: bool) -> wire::AddResponse {
    let asked = timeout(LIMIT, async {
        loop {
            let request = wire::AddRequest {
                address: address.to_owned(),
                learner,
            };
            let answer = client.add(request).await.unwrap();
            if answer.catching_up.is_none() {
                return answer;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    asked.await.unwrap()
}

async fn remove(client: &AdminClient, who: &str) -> Result<wire::RemoveResponse, String> {
    let member = who.to_owned();
    let asked = client.remove(wire::RemoveRequest { member });
    asked.await.map_err(|error| error.to_string())
}

async fn voters(client: &AdminClient) -> Vec<(u64, bool)> {
    let status = client.status().await.unwrap();
    assert!(!status.changing);
    let members = status.members.iter();
    members.map(|it| (it.node, it.votes)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_from_one_and_shrinks_to_one_but_not_to_none() {
    let _alone = alone().await;
    let nodes = cluster(&["a"]).await;
    let client = nodes[0].client();
    let (b, c) = (Served::start("b", 7).await, Served::start("c", 8).await);
    let added = add(&client, &b.member.address, false).await;
    assert!(added.member.is_some_and(|it| it.node == 7 && it.votes));
    add(&client, &c.member.address, true).await;
    assert_eq!(voters(&client).await, [(1, true), (7, true), (8, false)]);
    add(&client, &c.member.address, false).await;
    assert_eq!(voters(&client).await, [(1, true), (7, true), (8, true)]);
    let again = add(&client, &c.member.address, false).await;
    assert!(again.already && again.replaced.is_empty());
    // By its name, and by its number.
    remove(&client, "b").await.unwrap();
    remove(&client, "8").await.unwrap();
    assert_eq!(voters(&client).await, [(1, true)]);
    let refused = remove(&client, "a").await.unwrap_err();
    assert!(refused.contains("the only one that votes"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_are_added_at_once_are_both_there() {
    let _alone = alone().await;
    let nodes = cluster(&["a"]).await;
    let (b, c) = (Served::start("b", 7).await, Served::start("c", 8).await);
    let (client, other) = (nodes[0].client(), nodes[0].client());
    tokio::join!(
        add(&client, &b.member.address, false),
        add(&other, &c.member.address, false)
    );
    assert_eq!(voters(&client).await, [(1, true), (7, true), (8, true)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_lost_its_disk_takes_the_place_of_who_it_was() {
    let _alone = alone().await;
    let mut nodes = cluster(&["a", "b", "c"]).await;
    let first = leader(&nodes).await.id;
    let lost = nodes.iter().position(|it| it.id != first).unwrap();
    let old = nodes[lost].member.clone();
    let id = nodes[lost].id;
    nodes[lost].stop().await;
    let back = Served::start_at(&old.address, &old.name, 99).await;
    let client = leader(&nodes).await.client();
    let added = add(&client, &old.address, false).await;
    let replaced: Vec<_> = added.replaced.iter().map(|it| it.node).collect();
    assert_eq!(replaced, [id]);
    let mut expected: Vec<_> = (1..=3).filter(|it| *it != id).collect();
    expected.push(99);
    let present: Vec<_> = voters(&client).await.into_iter().collect();
    let voting: Vec<_> = present.iter().filter(|it| it.1).map(|it| it.0).collect();
    assert_eq!(voting, expected);
    assert_eq!(back.member, old);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_to_go_hands_over_and_is_removed_by_its_successor() {
    let _alone = alone().await;
    let nodes = cluster(&["a", "b", "c"]).await;
    let campaigns: Vec<_> = nodes
        .iter()
        .map(|it| super::support::campaign(it.backend()))
        .collect();
    let first = leader(&nodes).await;
    let other = follower(&nodes).await.client();
    let answer = remove(&other, &first.member.name).await.unwrap();
    let successor = answer.handed_over.unwrap();
    assert_ne!(successor.node, first.id);
    let answer = remove(&other, &first.member.name).await.unwrap();
    assert_eq!(answer.handed_over, None);
    let left = voters(&other).await;
    assert!(
        left.len() == 2 && left.iter().all(|it| it.0 != first.id),
        "{left:?}"
    );
    drop(campaigns);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_removed_whose_going_leaves_no_majority() {
    let _alone = alone().await;
    let mut nodes = cluster(&["a", "b", "c"]).await;
    let first = leader(&nodes).await.id;
    let away = nodes.iter().position(|it| it.id != first).unwrap();
    let left = nodes.iter().rposition(|it| it.id != first).unwrap();
    nodes[away].stop().await;
    let client = leader(&nodes).await.client();
    let refused = remove(&client, &nodes[left].member.name).await.unwrap_err();
    assert!(refused.contains("no majority answers"), "{refused}");
    remove(&client, &nodes[away].member.name).await.unwrap();
    assert_eq!(voters(&client).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_cluster_or_of_a_name_that_is_taken_is_not_taken_in() {
    let _alone = alone().await;
    let ours = cluster(&["a"]).await;
    let theirs = Served::start("b", 5).await;
    let members = [(5, theirs.member.clone())].into();
    theirs.node.form(members).await.unwrap();
    let request = |address: &str| wire::AddRequest {
        address: address.to_owned(),
        learner: false,
    };
    let client = ours[0].client();
    let refused = client.add(request(&theirs.member.address)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("a cluster of its own"), "{refused}");
    leader(std::slice::from_ref(&theirs)).await;
    let named = theirs.node.name_cluster(crate::raft::ClusterId(0xb)).await;
    named.unwrap();
    let refused = client.add(request(&theirs.member.address)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("belongs to cluster"), "{refused}");
    let namesake = Served::start("a", 6).await;
    let refused = client.add(request(&namesake.member.address)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("it has the name of a at"), "{refused}");
    let refused = client.add(request("127.0.0.1:1")).await.unwrap_err();
    assert!(refused.to_string().contains("does not answer"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_vote_the_dead_one_is_not_removed_but_said_to_be_missed() {
    let _alone = alone().await;
    let mut nodes = cluster(&["a", "b"]).await;
    let first = leader(&nodes).await.id;
    let dead = nodes.iter().position(|it| it.id != first).unwrap();
    let (client, name) = (
        leader(&nodes).await.client(),
        nodes[dead].member.name.clone(),
    );
    nodes[dead].stop().await;
    let refused = remove(&client, &name).await.unwrap_err();
    assert!(
        refused.contains("of the 2 that vote no majority answers"),
        "{refused}"
    );
    assert!(!client.status().await.unwrap().changing);
}
