//! Nodes that are started on older copies of their directories, which nobody should do.

use std::path::PathBuf;

use super::*;

/// A node's file, as it was once.
struct Older {
    file: PathBuf,
    copy: PathBuf,
    id: NodeId,
}

impl Older {
    fn of(directory: &TempDir, id: NodeId) -> Self {
        let file = directory.path().join(id.to_string()).join("raft.redb");
        let copy = file.with_extension("older");
        std::fs::copy(&file, &copy).unwrap();
        Self { file, copy, id }
    }

    /// Ends the node, where it runs, and starts it on that.
    async fn restore(self, cluster: &LocalCluster) -> Arc<Node> {
        cluster.kill(self.id).await;
        cluster.lock(self.id).await.map(drop).unwrap();
        std::fs::rename(&self.copy, &self.file).unwrap();
        cluster.start(self.id).await.unwrap()
    }
}

async fn have(nodes: impl IntoIterator<Item = Arc<Node>>, version: u64) {
    for node in nodes {
        let mut held = node.held.clone();
        let has_it = held.wait_for(|held| held.machine.version() == Some(version));
        timeout(LIMIT, has_it).await.unwrap().unwrap();
    }
}

/// Why it has ended.
async fn failed(node: &Node) -> Arc<str> {
    let mut failure = node.failure.subscribe();
    let failed = timeout(LIMIT, failure.wait_for(Option::is_some)).await;
    let failed = failed.expect("it has ended").unwrap();
    failed.clone().unwrap()
}

async fn snapshot(node: &Node) {
    node.raft().trigger().snapshot().await.unwrap();
    let purged = node.raft().wait(Some(LIMIT));
    purged
        .metrics(
            |metrics| metrics.purged.is_some_and(|id| id.index > 20),
            "purged",
        )
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_has_forgotten_what_it_has_acknowledged_ends_and_the_others_go_on() {
    let _alone = alone().await;
    // Whether the leader still has in its log what was forgotten.
    for has_all in [true, false] {
        let (directory, cluster) = three().await;
        let (node, leader, mut reports) = led(&cluster).await;
        let term = node.leads();
        let follower = (1..=3).find(|id| *id != node.id()).unwrap();
        let mut version = stored(&leader, None, 1).await;
        have(cluster.nodes(), 1).await;
        let older = Older::of(&directory, follower);
        for request in 2..60 {
            version = stored(&leader, Some(&version), request).await;
        }
        have(cluster.nodes(), 59).await;
        if !has_all {
            snapshot(&node).await;
        }
        let restored = older.restore(&cluster).await;
        let reason = failed(&restored).await;
        assert!(
            reason.contains("started on an older copy of its directory"),
            "{reason}"
        );
        assert!(reason.contains(&format!("node {follower} ")), "{reason}");
        let version = stored(&leader, Some(&version), 60).await;
        assert_eq!(found(&leader).await, (version, 60));
        assert_eq!(node.leads(), term);
        while let Ok(report) = reports.reports.try_recv() {
            assert!(
                matches!(report, LeadershipReport::Extended { .. }),
                "{report:?}"
            );
        }
    }
}

/// A majority of which one has forgotten what is stored, and one has never heard of it, goes on without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_made_to_take_back_what_is_stored_ends_and_says_why() {
    let _alone = alone().await;
    let (directory, cluster) = three().await;
    let (node, leader, reports) = led(&cluster).await;
    let has_all = node.id();
    let mut others = (1..=3).filter(|id| *id != has_all);
    let (forgets, lags) = (others.next().unwrap(), others.next().unwrap());
    let mut version = stored(&leader, None, 1).await;
    have(cluster.nodes(), 1).await;
    let older = Older::of(&directory, forgets);
    cluster.kill(lags).await;
    for request in 2..10 {
        version = stored(&leader, Some(&version), request).await;
    }
    drop((node, leader, reports));
    cluster.kill(has_all).await;
    older.restore(&cluster).await;
    cluster.start(lags).await.unwrap();
    let (next, leader, _reports) = led(&cluster).await;
    let (version, _) = found(&leader).await;
    stored(&leader, Some(&version), 100).await;

    let back = cluster.start(has_all).await.unwrap();
    let reason = failed(&back).await;
    assert!(
        reason.contains("started on an old copy of its directory"),
        "{reason}"
    );
    assert!(reason.contains("was committed here"), "{reason}");
    assert_eq!(back.held().machine.version(), Some(9));
    let (_, number) = found(&leader).await;
    assert_eq!((next.leads().is_some(), number), (true, 100));
}
