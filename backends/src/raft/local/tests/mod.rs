mod address;
mod ballot;
mod copies;
mod prepared;

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::lease::LeaseTiming;
use stepdown_core::store::{LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Epoch, ProcessId, Timestamp, Version};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::super::fixtures::{alone, elected, status, write_id};
use super::super::{Node, NodeId, RaftTiming};
use super::LocalCluster;
use crate::backend::{Backend, LeadershipReport};
use crate::candidate::Candidate;
use crate::clock::boottime;
use crate::public_address::PublicAddress;

/// Nothing waits for it otherwise.
const LIMIT: Duration = Duration::from_secs(30);
/// Long enough that a busy machine takes leadership from nobody.
const TIMING: RaftTiming = RaftTiming {
    heartbeat: Duration::from_millis(200),
    election_min: Duration::from_millis(1_500),
    election_max: Duration::from_millis(3_000),
};

fn backend(node: &Arc<Node>) -> Backend {
    backend_at(node, None)
}

fn backend_at(node: &Arc<Node>, public_address: Option<&str>) -> Backend {
    node.backend(&Candidate {
        name: "somebody".into(),
        process: ProcessId(7),
        pod: None,
        public_address: public_address.and_then(PublicAddress::parse),
        seed: 0,
        timing: LeaseTiming::SHORT,
    })
}

fn document(request: u64) -> StatusDocument {
    let request_number = i64::try_from(request).unwrap();
    let mut document = elected(&status(3), request_number % 3);
    document.shard_id_generator = request_number;
    StatusDocument {
        admits: false,
        epoch: Epoch(1),
        write_id: write_id(1, request),
        status: Arc::new(document),
    }
}

/// One coordinator that stands, or leads.
struct Campaign {
    reports: mpsc::Receiver<LeadershipReport>,
    /// Until when it may act, by the last report that was read.
    authority: Timestamp,
}

fn campaign(backend: &Backend) -> Campaign {
    // No report is left out for want of room: a test reads them only now and then.
    let (sender, reports) = mpsc::channel(4_096);
    let leadership = backend.leadership.clone();
    tokio::spawn(async move { leadership.lead(sender).await });
    Campaign {
        reports,
        authority: Timestamp(0),
    }
}

impl Campaign {
    async fn report(&mut self) -> LeadershipReport {
        timeout(LIMIT, self.reports.recv()).await.unwrap().unwrap()
    }
}

async fn won(campaign: &mut Campaign) {
    let report = campaign.report().await;
    let LeadershipReport::Won { authority } = report else {
        panic!("{report:?}");
    };
    campaign.authority = authority.unwrap();
}

/// Waits for the loss; says until when authority was given.
async fn lost(campaign: &mut Campaign) -> Timestamp {
    loop {
        match campaign.report().await {
            LeadershipReport::Extended { authority } => campaign.authority = authority,
            LeadershipReport::Lost { .. } => return campaign.authority,
            again @ LeadershipReport::Won { .. } => panic!("{again:?}"),
        }
    }
}

async fn stored(backend: &Backend, at: Option<&Version>, request: u64) -> Version {
    let outcome = backend.store.store(at.cloned(), document(request)).await;
    let StoreOutcome::Stored(version) = outcome else {
        panic!("not stored: {outcome:?}");
    };
    version
}

/// The number of the document that is there.
async fn found(backend: &Backend) -> (Version, i64) {
    for _ in 0..20 {
        match backend.store.load().await {
            LoadOutcome::Found(found) => return (found.version, found.status.shard_id_generator),
            LoadOutcome::Unavailable { .. } => {}
            outcome @ (LoadOutcome::Absent { .. }
            | LoadOutcome::Corrupt(_)
            | LoadOutcome::Forbidden(_)) => panic!("{outcome:?}"),
        }
    }
    panic!("never available");
}

async fn three() -> (TempDir, LocalCluster) {
    formed(&["a", "b", "c"]).await
}

async fn formed(names: &[&str]) -> (TempDir, LocalCluster) {
    let directory = TempDir::new().unwrap();
    let cluster = LocalCluster::form(directory.path(), names, TIMING)
        .await
        .unwrap();
    (directory, cluster)
}

/// The backends of all nodes, and the campaign of the one that leads.
async fn led(cluster: &LocalCluster) -> (Arc<Node>, Backend, Campaign) {
    let node = timeout(LIMIT, async {
        loop {
            match cluster.leader() {
                Some(node) => return node,
                None => sleep(TIMING.heartbeat).await,
            }
        }
    });
    let node = node.await.unwrap();
    let backend = backend(&node);
    let mut reports = campaign(&backend);
    won(&mut reports).await;
    (node, backend, reports)
}

fn others(cluster: &LocalCluster, but: NodeId) -> Vec<Backend> {
    let nodes = cluster.nodes();
    let others = nodes.iter().filter(|node| node.id() != but);
    others.map(backend).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_followed_by_another_that_has_all_it_stored() {
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let (node, leader, _reports) = led(&cluster).await;
    let others = others(&cluster, node.id());
    let mut campaigns: Vec<_> = others.iter().map(campaign).collect();
    let first = stored(&leader, None, 1).await;
    let second = stored(&leader, Some(&first), 2).await;
    cluster.kill(node.id()).await;
    let (one, other) = campaigns.split_at_mut(1);
    let next = tokio::select! {
        () = won(&mut one[0]) => &others[0],
        () = won(&mut other[0]) => &others[1],
    };
    assert_eq!(found(next).await, (second.clone(), 2));
    stored(next, Some(&second), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authority_of_a_leader_cut_off_ends_before_another_leads() {
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let (node, leader, mut reports) = led(&cluster).await;
    let mut campaigns: Vec<_> = others(&cluster, node.id()).iter().map(campaign).collect();
    let first = stored(&leader, None, 1).await;
    cluster.cut(node.id(), true);
    let (one, other) = campaigns.split_at_mut(1);
    let next = async {
        tokio::select! {
            () = won(&mut one[0]) => {}
            () = won(&mut other[0]) => {}
        }
        boottime()
    };
    let (won_at, authority) = tokio::join!(next, lost(&mut reports));
    assert!(authority < won_at, "two led at once");
    let late = leader.store.store(Some(first), document(2)).await;
    assert!(
        matches!(
            late,
            StoreOutcome::Conflict(_)
                | StoreOutcome::Ambiguous(_)
                | StoreOutcome::Unavailable { .. }
        ),
        "{late:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_cut_off_deposes_nobody_when_it_is_back() {
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let (node, leader, mut reports) = led(&cluster).await;
    let term = node.leads();
    let away = (1..=3).find(|id| *id != node.id()).unwrap();
    cluster.cut(away, true);
    let cut = cluster.node(away).unwrap();
    // Long enough for it to stand several times, if it did.
    let first = stored(&leader, None, 1).await;
    sleep((TIMING.election_max + TIMING.election_max) * 3).await;
    assert!(cut.misses_a_leader().await.unwrap());
    cluster.cut(away, false);
    let mut held = cut.held.clone();
    let caught_up = held.wait_for(|held| held.machine.version() == Some(1));
    timeout(LIMIT, caught_up).await.unwrap().unwrap();
    stored(&leader, Some(&first), 2).await;
    assert_eq!(node.leads(), term);
    while let Ok(report) = reports.reports.try_recv() {
        assert!(
            matches!(report, LeadershipReport::Extended { .. }),
            "{report:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_leader_gives_its_place_to_whoever_waits() {
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let (node, leader, _reports) = led(&cluster).await;
    let first = stored(&leader, None, 1).await;
    let next = others(&cluster, node.id()).remove(0);
    let mut campaign = campaign(&next);
    leader.leadership.release().await;
    won(&mut campaign).await;
    stored(&next, Some(&first), 2).await;
    let late = leader.store.store(Some(first), document(3)).await;
    assert!(matches!(late, StoreOutcome::Conflict(_)), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_killed_at_once_come_back_with_all_that_was_stored() {
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let mut version = None;
    for round in 1..4 {
        let (_, leader, reports) = led(&cluster).await;
        version = Some(stored(&leader, version.as_ref(), round).await);
        drop((leader, reports));
        for id in 1..=3 {
            cluster.kill(id).await;
        }
        for id in 1..=3 {
            cluster.start(id).await.unwrap();
        }
        for node in cluster.nodes() {
            let expected = (version.clone().unwrap(), i64::try_from(round).unwrap());
            assert_eq!(found(&backend(&node)).await, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_started_again_on_an_older_copy_of_its_directory_does_not_lead_on() {
    let _alone = alone().await;
    let (directory, cluster) = three().await;
    let (node, leader, reports) = led(&cluster).await;
    let id = node.id();
    let first = stored(&leader, None, 1).await;
    let file = directory.path().join(id.to_string()).join("raft.redb");
    let copy = directory.path().join("copy");
    std::fs::copy(&file, &copy).unwrap();
    let second = stored(&leader, Some(&first), 2).await;
    // Both others have it, or one could take the other's vote without it.
    for node in cluster.nodes() {
        let mut held = node.held.clone();
        let has_it = held.wait_for(|held| held.machine.version() == Some(2));
        timeout(LIMIT, has_it).await.unwrap().unwrap();
    }
    drop((node, leader, reports));
    cluster.kill(id).await;
    cluster.lock(id).await.map(drop).unwrap();
    std::fs::rename(&copy, &file).unwrap();
    cluster.start(id).await.unwrap();
    let (_, leader, _reports) = led(&cluster).await;
    assert_eq!(found(&leader).await, (second, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_while_the_log_was_compacted_catches_up() {
    let _alone = alone().await;
    let (_directory, cluster) = three().await;
    let (node, leader, _reports) = led(&cluster).await;
    let away = (1..=3).find(|id| *id != node.id()).unwrap();
    let mut version = Some(stored(&leader, None, 1).await);
    cluster.kill(away).await;
    for request in 2..80 {
        version = Some(stored(&leader, version.as_ref(), request).await);
    }
    // Its coordinator gives its place up; those that can't take it do not get it.
    leader.leadership.release().await;
    let there = (1..=3).find(|id| ![away, node.id()].contains(id)).unwrap();
    let stranger = 9;
    for candidate in [away, stranger] {
        assert_eq!(node.make_way(candidate), None, "{candidate}");
    }
    assert!(node.make_way(there).is_some());
    node.raft().trigger().snapshot().await.unwrap();
    let purged = node.raft().wait(Some(LIMIT));
    purged
        .metrics(
            |metrics| metrics.purged.is_some_and(|id| id.index > 20),
            "purged",
        )
        .await
        .unwrap();
    let back = cluster.start(away).await.unwrap();
    let mut held = back.held.clone();
    let caught_up = held.wait_for(|held| held.machine.version() == Some(79));
    timeout(LIMIT, caught_up).await.unwrap().unwrap();
    assert_eq!(found(&backend(&back)).await, (version.unwrap(), 79));
    assert_eq!(back.held().machine, node.held().machine);
}

/// One of five is away, and the leader reaches one other. The rest, a majority, reach each other.
#[tokio::test]
async fn a_leader_that_reaches_only_a_minority_does_not_keep_the_rest_from_electing() {
    let _alone = alone().await;
    let (_directory, cluster) = formed(&["a", "b", "c", "d", "e"]).await;
    let (leader, _, mut reports) = led(&cluster).await;
    let others: Vec<_> = (1..=5).filter(|id| *id != leader.id()).collect();
    cluster.kill(others[0]).await;
    cluster.sever(leader.id(), others[1]);
    cluster.sever(leader.id(), others[2]);
    lost(&mut reports).await;
    let followed = timeout(LIMIT, async {
        loop {
            let nodes = cluster.nodes().into_iter();
            let mut leading = nodes.filter(|node| node.leads().is_some());
            if let Some(node) = leading.find(|node| node.id() != leader.id()) {
                return node;
            }
            sleep(TIMING.heartbeat).await;
        }
    });
    let next = followed.await.unwrap();
    let backend = backend(&next);
    won(&mut campaign(&backend)).await;
    stored(&backend, None, 1).await;
}

/// Entries that take longer than a lease are no sign that nobody answers.
#[tokio::test]
async fn a_leader_of_five_whose_entries_take_long_goes_on() {
    let _alone = alone().await;
    let (_directory, cluster) = formed(&["a", "b", "c", "d", "e"]).await;
    let (_, backend, mut reports) = led(&cluster).await;
    let first = stored(&backend, None, 1).await;
    cluster.stall(true);
    let storing = backend.store.store(Some(first), document(2));
    let ended = timeout(TIMING.election_max * 2, lost(&mut reports));
    let (outcome, ended) = tokio::join!(timeout(LIMIT, storing), async {
        let ended = ended.await;
        cluster.stall(false);
        ended
    });
    assert!(ended.is_err(), "leadership was lost");
    let StoreOutcome::Stored(version) = outcome.unwrap() else {
        panic!("not stored");
    };
    assert_eq!(found(&backend).await, (version, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_full_the_room_for_the_status_is_is_told_with_each_store() {
    let _alone = alone().await;
    let (_directory, cluster) = formed(&["a"]).await;
    let (_node, leader, _reports) = led(&cluster).await;
    assert_eq!(*leader.sizes.borrow(), None);
    stored(&leader, None, 1).await;
    let size = leader.sizes.borrow().unwrap();
    assert_eq!(size.limit, 32 << 20);
    let expected = document(1).status.estimated_bytes();
    let bytes = u64::try_from(size.bytes).unwrap();
    assert!((expected / 2..=expected * 2).contains(&bytes), "{size}");
}
