//! Where people reach whoever leads.

use super::*;

/// Returns once it says so of whoever leads.
async fn told(standby: &Backend, address: Option<&str>) {
    let told = async {
        loop {
            let leader = standby.leadership.leader();
            let known = leader.and_then(|it| standby.leadership.leader_address(&it));
            if known.as_deref() == address {
                return;
            }
            sleep(TIMING.heartbeat).await;
        }
    };
    timeout(LIMIT, told).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stands_knows_where_people_reach_the_one_that_leads_and_then_the_next() {
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let node = timeout(LIMIT, async {
        loop {
            match cluster.leader() {
                Some(node) => return node,
                None => sleep(TIMING.heartbeat).await,
            }
        }
    });
    let node = node.await.unwrap();
    let leader = backend_at(&node, Some("first.example:6651"));
    let mut reports = campaign(&leader);
    won(&mut reports).await;
    let nodes = cluster.nodes();
    let mut standbys = nodes.iter().filter(|it| it.id() != node.id());
    let (next, last) = (standbys.next().unwrap(), standbys.next().unwrap());
    let next = backend_at(next, Some("next.example:6651"));
    let last = backend(last);
    let mut next_reports = campaign(&next);
    told(&next, Some("first.example:6651")).await;
    let name = leader.leadership.leader().unwrap();
    assert_eq!(
        leader.leadership.leader_address(&name),
        None,
        "it is itself"
    );
    assert_eq!(next.leadership.leader_address("nobody"), None);
    leader.leadership.release().await;
    won(&mut next_reports).await;
    let _last_reports = campaign(&last);
    told(&last, Some("next.example:6651")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_coordinator_does_not_lead_names_nobody() {
    let _alone = alone().await;
    let (_directory, cluster) = formed(&["a"]).await;
    let (node, leader, _reports) = led(&cluster).await;
    let own = |node: &Arc<Node>| node.asked_for_place(9).public_address;
    assert_eq!(own(&node), None, "it does not say where it is reached");
    leader.leadership.release().await;
    let named = backend_at(&node, Some("a.example:6651"));
    assert_eq!(own(&node), None, "it does not lead yet");
    won(&mut campaign(&named)).await;
    assert_eq!(own(&node).as_deref(), Some("a.example:6651"));
    named.leadership.release().await;
    assert_eq!(own(&node), None, "it leads no more");
}
