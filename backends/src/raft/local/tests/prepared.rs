//! Leaders of more than three nodes that give their place away.

use super::*;

const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

async fn all_have_everything(leader: &Node) {
    let all = leader.raft().wait(Some(LIMIT));
    let all = all.metrics(
        |metrics| {
            let replication = metrics.replication.iter().flatten();
            let mut matched = replication.map(|(_, id)| id.map(|id| id.index));
            matched.all(|index| index == metrics.last_log_index)
        },
        "all have everything",
    );
    all.await.unwrap();
}

/// Five nodes that have all that there is, the one that leads, and its coordinator.
async fn five() -> (TempDir, LocalCluster, Arc<Node>, Backend, Campaign) {
    let (directory, cluster) = formed(&FIVE).await;
    let (node, leader, reports) = led(&cluster).await;
    all_have_everything(&node).await;
    (directory, cluster, node, leader, reports)
}

fn alone_beside(node: &Node) -> Vec<NodeId> {
    (1..=5).filter(|id| node.hush.includes(*id)).collect()
}

fn is_still_led(reports: &mut Campaign) -> bool {
    let mut reports = std::iter::from_fn(|| reports.reports.try_recv().ok());
    reports.all(|report| matches!(report, LeadershipReport::Extended { .. }))
}

/// Has it stand for election, and waits until it leads.
async fn stands(cluster: &LocalCluster, id: NodeId) -> Arc<Node> {
    let next = cluster.node(id).unwrap();
    next.raft().trigger().elect().await.unwrap();
    let leads = next.raft().wait(Some(LIMIT));
    leads.current_leader(id, "it leads").await.unwrap();
    next
}

async fn has(cluster: &LocalCluster, id: NodeId, version: u64) {
    let mut held = cluster.node(id).unwrap().held.clone();
    let has_it = held.wait_for(|held| held.machine.version() == Some(version));
    timeout(LIMIT, has_it).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_leader_of_five_that_has_prepared_for_it_leads_on_and_is_then_followed_at_once() {
    let _alone = alone().await;
    let (_directory, cluster, node, leader, mut reports) = five().await;
    let term = node.leads().unwrap();
    leader.leadership.prepare_release().await;
    let alone = alone_beside(&node);
    assert_eq!(alone.len(), 1);
    stored(&leader, None, 1).await;
    assert!(is_still_led(&mut reports));
    let mut rest = (1..=5).filter(|id| *id != node.id() && !alone.contains(id));
    let next = rest.next().unwrap();
    has(&cluster, next, 1).await;
    leader.leadership.release().await;
    for id in alone {
        assert_eq!(node.make_way(id), None, "it lacks what was written since");
    }
    assert_eq!(node.make_way(next), Some(Duration::ZERO));
    let next = stands(&cluster, next).await;
    assert_eq!(next.leads(), Some(term + 1), "it stood more than once");
}

#[tokio::test]
async fn whoever_was_left_alone_hears_everything_again_where_nobody_follows() {
    let _alone = alone().await;
    let (_directory, cluster, node, leader, _reports) = five().await;
    leader.leadership.prepare_release().await;
    let alone = alone_beside(&node);
    let first = stored(&leader, None, 1).await;
    leader.leadership.release().await;
    won(&mut campaign(&leader)).await;
    stored(&leader, Some(&first), 2).await;
    for id in alone {
        has(&cluster, id, 2).await;
    }
}

#[tokio::test]
async fn a_leader_of_five_gives_its_place_to_whoever_is_named_and_need_not_be_silent_for_that() {
    let _alone = alone().await;
    let (_directory, cluster, node, leader, mut reports) = five().await;
    let successor = (1..=5).rev().find(|id| *id != node.id()).unwrap();
    let handing = {
        let node = node.clone();
        tokio::spawn(async move { node.hand_over(successor).await })
    };
    lost(&mut reports).await;
    leader.leadership.release().await;
    assert_eq!(node.make_way(successor), Some(Duration::ZERO));
    stands(&cluster, successor).await;
    assert!(timeout(LIMIT, handing).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_leader_whose_successor_goes_away_before_it_is_ready_leads_on() {
    let _alone = alone().await;
    let (_directory, cluster, node, leader, mut reports) = five().await;
    let successor = (1..=5).find(|id| *id != node.id()).unwrap();
    let handing = {
        let node = node.clone();
        tokio::spawn(async move { node.hand_over(successor).await })
    };
    let begun = async {
        while alone_beside(&node).is_empty() {
            sleep(TIMING.heartbeat / 10).await;
        }
    };
    timeout(LIMIT, begun).await.unwrap();
    cluster.kill(successor).await;
    assert!(!timeout(LIMIT, handing).await.unwrap().unwrap());
    assert!(is_still_led(&mut reports));
    assert_eq!(alone_beside(&node), Vec::<NodeId>::new());
    stored(&leader, None, 1).await;
}

#[tokio::test]
async fn a_leader_that_turns_out_to_need_whom_it_left_alone_leads_on_with_it() {
    let _alone = alone().await;
    let (_directory, cluster, node, leader, mut reports) = five().await;
    leader.leadership.prepare_release().await;
    let alone = alone_beside(&node);
    let gone = (1..=5).filter(|id| *id != node.id() && !alone.contains(id));
    for id in gone.take(2) {
        cluster.kill(id).await;
    }
    stored(&leader, None, 1).await;
    assert!(is_still_led(&mut reports));
    assert_eq!(alone_beside(&node), Vec::<NodeId>::new());
}

#[tokio::test]
async fn a_leader_of_five_leaves_nobody_alone_where_it_needs_all_that_are_there() {
    let _alone = alone().await;
    let (_directory, cluster, node, leader, _reports) = five().await;
    let away = (1..=5).filter(|id| *id != node.id()).take(2);
    for id in away {
        cluster.kill(id).await;
    }
    leader.leadership.prepare_release().await;
    assert_eq!(alone_beside(&node), Vec::<NodeId>::new());
    stored(&leader, None, 1).await;
}
