use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_backends::{Backend, Candidate, LeadershipReport, PublicAddress};
use stepdown_core::cluster::{
    ClusterStatus, DataServerIdentity, HashRange, LastLeader, NamespaceStatus, ShardMetadata,
    ShardStatus, SplitMetadata, SplitPhase,
};
use stepdown_core::lease::LeaseTiming;
use stepdown_core::store::{
    Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome,
};
use stepdown_core::{Epoch, ProcessId, RequestId, ServerId, ShardId, Term, Version, WriteId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Cluster;

/// One more coordinator of that name.
pub(super) fn candidate(name: &str) -> Candidate {
    Candidate {
        name: name.into(),
        process: ProcessId(fastrand::u128(..)),
        pod: None,
        public_address: PublicAddress::parse(&address_of(name)),
        seed: fastrand::u64(..),
        timing: LeaseTiming::SHORT,
    }
}

/// Where people reach the coordinator of that name.
pub(super) fn address_of(name: &str) -> String {
    format!("{name}.example:6651")
}

/// A coordinator's campaign, under way or won.
pub(super) struct Campaign {
    pub(super) backend: Backend,
    reports: mpsc::Receiver<LeadershipReport>,
    task: JoinHandle<()>,
}

impl Campaign {
    pub(super) fn begin(backend: &Backend) -> Self {
        let (sender, reports) = mpsc::channel(8);
        let leadership = backend.leadership.clone();
        Self {
            backend: backend.clone(),
            reports,
            task: tokio::spawn(async move { leadership.lead(sender).await }),
        }
    }

    /// Campaigns as a new coordinator, and waits until it leads.
    pub(super) async fn win(cluster: &dyn Cluster, name: &str) -> Self {
        let mut campaign = Self::begin(&cluster.coordinator(name).await);
        campaign.won().await;
        campaign
    }

    pub(super) async fn won(&mut self) {
        let report = self.reports.recv().await;
        assert!(
            matches!(report, Some(LeadershipReport::Won { .. })),
            "{report:?}"
        );
    }

    /// Waits for the loss, and for the end of the future.
    pub(super) async fn lost(&mut self) {
        while let Some(report) = self.reports.recv().await {
            match report {
                LeadershipReport::Extended { .. } => {}
                LeadershipReport::Won { .. } => panic!("won twice"),
                LeadershipReport::Lost { reason } => {
                    assert!(!reason.is_empty());
                    assert_eq!(self.reports.recv().await, None);
                    return;
                }
            }
        }
        panic!("ended without saying that leadership was lost");
    }

    /// Whether it has reported that it won, or anything else.
    pub(super) fn has_reported(&mut self) -> bool {
        self.reports.try_recv().is_ok()
    }

    /// Drops the future; leadership that is won stays.
    pub(super) async fn abandon(self) -> Backend {
        self.task.abort();
        if let Err(error) = self.task.await {
            assert!(error.is_cancelled(), "{error}");
        }
        self.backend
    }

    /// Listens no more, and waits for the end of the future.
    pub(super) async fn stop_listening(self) -> Backend {
        drop(self.reports);
        self.task.await.expect("the campaign panicked");
        self.backend
    }

    /// Drops the future and gives leadership back.
    pub(super) async fn leave(self) -> Backend {
        let backend = self.abandon().await;
        backend.leadership.release().await;
        backend
    }
}

pub(super) fn write_id(epoch: u64, request: u64) -> WriteId {
    WriteId {
        epoch: Epoch(epoch),
        request: RequestId(request),
        process: ProcessId(0xfeed),
    }
}

pub(super) fn document(epoch: u64, request: u64, status: ClusterStatus) -> StatusDocument {
    StatusDocument {
        admits: false,
        epoch: Epoch(epoch),
        write_id: write_id(epoch, request),
        status: Arc::new(status),
    }
}

pub(super) async fn store(
    backend: &Backend,
    expected: Option<&Version>,
    document: StatusDocument,
) -> Version {
    stored(backend.store.store(expected.cloned(), document).await)
}

pub(super) fn stored(outcome: StoreOutcome) -> Version {
    let StoreOutcome::Stored(version) = outcome else {
        panic!("not stored: {outcome:?}");
    };
    version
}

/// The store says no; over a network that may only mean that an earlier try came first.
pub(super) fn refused(cluster: &dyn Cluster, outcome: StoreOutcome) {
    assert!(says_no(cluster, &outcome), "not a conflict: {outcome:?}");
}

pub(super) fn says_no(cluster: &dyn Cluster, outcome: &StoreOutcome) -> bool {
    match outcome {
        StoreOutcome::Conflict(_) => true,
        StoreOutcome::Ambiguous(_) => cluster.is_over_a_network(),
        StoreOutcome::Corrupt(_)
        | StoreOutcome::Forbidden(_)
        | StoreOutcome::Invalid(_)
        | StoreOutcome::Stored(_)
        | StoreOutcome::TooLarge(_)
        | StoreOutcome::Unavailable { .. } => false,
    }
}

pub(super) fn ambiguous(outcome: StoreOutcome) {
    assert!(
        matches!(outcome, StoreOutcome::Ambiguous(_)),
        "not ambiguous: {outcome:?}"
    );
}

pub(super) async fn load(backend: &Backend) -> LoadedStatus {
    let outcome = backend.store.load().await;
    let LoadOutcome::Found(loaded) = outcome else {
        panic!("not found: {outcome:?}");
    };
    loaded
}

pub(super) async fn head(backend: &Backend) -> Head {
    let outcome = backend.store.head().await;
    let HeadOutcome::Found(head) = outcome else {
        panic!("not found: {outcome:?}");
    };
    head
}

/// A small status that is told from others by its number.
pub(super) fn status(number: i64) -> ClusterStatus {
    ClusterStatus {
        shard_id_generator: number,
        instance_id: "b3a5c1f0".into(),
        ..large_status(1)
    }
}

/// A status of so many shards.
pub(super) fn large_status(shards: i64) -> ClusterStatus {
    let shards = (0..shards).map(|id| {
        let shard = ShardMetadata {
            status: ShardStatus::SteadyState,
            term: Term(id),
            leader: Some(server(1)),
            ensemble: vec![server(1), server(2), server(3)],
            int32_hash_range: Some(HashRange {
                min: 0,
                max: u32::MAX,
            }),
            ..ShardMetadata::default()
        };
        (ShardId(id), Arc::new(shard))
    });
    let namespace = NamespaceStatus {
        replication_factor: 3,
        shards: shards.collect(),
    };
    ClusterStatus {
        namespaces: BTreeMap::from([("default".into(), namespace)]),
        ..ClusterStatus::default()
    }
}

/// A status in which every field says something.
pub(super) fn full_status() -> ClusterStatus {
    let parent = ShardMetadata {
        status: ShardStatus::Election,
        term: Term(i64::MAX),
        leader: None,
        ensemble: vec![server(1), server(2)],
        removed_nodes: vec![server(3)],
        pending_delete_shard_nodes: vec![server(4), server(5)],
        int32_hash_range: Some(HashRange {
            min: 0,
            max: u32::MAX - 1,
        }),
        split: Some(SplitMetadata {
            phase: SplitPhase::Cutover,
            parent_shard_id: ShardId(1),
            child_shard_ids: vec![ShardId(2), ShardId(3)],
            split_point: 8,
            snapshot_offset: 4,
            parent_term_at_bootstrap: 5,
            child_leaders_at_bootstrap: BTreeMap::from([
                (ShardId(2), "s2:6649".into()),
                (ShardId(3), "s3:6649".into()),
            ]),
        }),
        beginnings: "2@1/29 3-4@2/31".parse().expect("it can be so"),
        last_leader: Some(LastLeader {
            term: Term(2),
            server: Some(ServerId("s1".into())),
            committed: 29,
        }),
        loss_accepted: None,
    };
    let never = ShardMetadata {
        term: Term::NEVER,
        ensemble: vec![server(1)],
        int32_hash_range: Some(HashRange {
            min: u32::MAX,
            max: u32::MAX,
        }),
        ..ShardMetadata::default()
    };
    let bare = ShardMetadata {
        status: ShardStatus::Deleting,
        ..ShardMetadata::default()
    };
    let mut status = large_status(1);
    for (name, shards) in [
        ("no: yes", vec![(ShardId(4), bare)]),
        (
            "größer",
            vec![(ShardId(1), parent), (ShardId(i64::MAX), never)],
        ),
    ] {
        let namespace = NamespaceStatus {
            replication_factor: 2,
            shards: shards
                .into_iter()
                .map(|(id, it)| (id, Arc::new(it)))
                .collect(),
        };
        status.namespaces.insert(name.into(), namespace);
    }
    status.shard_id_generator = i64::MAX;
    status.server_idx = u32::MAX;
    status.instance_id = "6f1c# 'x'".into();
    status
}

fn server(number: u32) -> DataServerIdentity {
    DataServerIdentity {
        name: (number % 2 == 1).then(|| format!("server-{number}").into()),
        public: format!("s{number}.example.org:6648").into(),
        internal: format!("s{number}:6649").into(),
    }
}
