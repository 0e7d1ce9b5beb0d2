use openraft::Vote;
use openraft::raft::VoteRequest;

use super::super::super::handover::Place;
use super::super::super::seat::Sitter;
use super::*;

/// As of a candidate that has all that this node has.
fn candidature(of: NodeId, node: &Node) -> VoteRequest<NodeId> {
    let metrics = node.raft().metrics().borrow().clone();
    VoteRequest::new(
        Vote::new(metrics.current_term + 1, of),
        metrics.last_applied,
    )
}

/// Until it has led for longer than a lease: before, Raft itself has it vote for nobody.
async fn has_led_for_long(node: &Node) {
    let terms = node.terms.clone();
    while terms.borrow().elapsed() <= TIMING.election_max {
        sleep(TIMING.heartbeat).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_coordinator_is_in_office_votes_for_nobody_else() {
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let (node, leader, _reports) = led(&cluster).await;
    let first = stored(&leader, None, 1).await;
    has_led_for_long(&node).await;
    let term = node.leads();
    let other = (1..=3).find(|id| *id != node.id()).unwrap();
    let answer = node.vote(candidature(other, &node)).await.unwrap();
    assert!(!answer.vote_granted, "{answer:?}");
    assert_eq!(node.leads(), term);
    stored(&leader, Some(&first), 2).await;

    leader.leadership.release().await;
    let answer = node.vote(candidature(other, &node)).await.unwrap();
    assert!(answer.vote_granted, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_reaches_nobody_votes_for_another_once_its_authority_is_over_and_not_before()
{
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let (node, leader, mut reports) = led(&cluster).await;
    stored(&leader, None, 1).await;
    has_led_for_long(&node).await;
    let others: Vec<_> = (1..=3).filter(|id| *id != node.id()).collect();
    for other in &others {
        cluster.cut(*other, true);
    }
    let candidature = candidature(others[0], &node);
    let granted = async {
        while !node.vote(candidature.clone()).await.unwrap().vote_granted {
            sleep(TIMING.heartbeat).await;
        }
        boottime()
    };
    let granted = timeout(LIMIT, granted);
    let (granted_at, authority) = tokio::join!(granted, lost(&mut reports));
    assert!(authority < granted_at.unwrap(), "two might lead at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_is_given_a_place_too_late_does_not_stand() {
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let (node, leader, _reports) = led(&cluster).await;
    has_led_for_long(&node).await;
    let other = (1..=3).find(|id| *id != node.id()).unwrap();
    let candidate = cluster.node(other).unwrap();
    cluster.stall_places(true);
    leader.leadership.release().await;
    let asking = tokio::spawn(async move { candidate.ask_for_place().await });
    while !matches!(node.seat.sitter(), Sitter::Promised(..)) {
        sleep(TIMING.heartbeat).await;
    }
    // The place is kept for a while, and then the first one takes it again.
    let mut again = campaign(&leader);
    won(&mut again).await;
    let term = node.leads();
    cluster.stall_places(false);
    assert_eq!(asking.await.unwrap(), Place::NoLongerKept);
    let answers = node.raft().ensure_linearizable().await;
    answers.unwrap();
    assert_eq!(node.leads(), term);
}
