use std::sync::Arc;
use std::time::Duration;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{HeadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Epoch, ProcessId, RequestId, Version, WriteId};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::{Fault, Late, MemoryCluster};
use crate::backend::{Backend, LeadershipReport};

const LIMIT: Duration = Duration::from_secs(10);

fn document(request: u64) -> StatusDocument {
    StatusDocument {
        admits: false,
        epoch: Epoch(1),
        write_id: WriteId {
            epoch: Epoch(1),
            request: RequestId(request),
            process: ProcessId(7),
        },
        status: Arc::new(ClusterStatus::default()),
    }
}

fn stored(outcome: StoreOutcome) -> Version {
    let StoreOutcome::Stored(version) = outcome else {
        panic!("not stored: {outcome:?}");
    };
    version
}

fn campaign(backend: &Backend) -> mpsc::Receiver<LeadershipReport> {
    let (sender, receiver) = mpsc::channel(8);
    let leadership = backend.leadership.clone();
    tokio::spawn(async move { leadership.lead(sender).await });
    receiver
}

async fn next(reports: &mut mpsc::Receiver<LeadershipReport>) -> LeadershipReport {
    timeout(LIMIT, reports.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn leadership_taken_away_goes_to_whoever_waits() {
    let cluster = MemoryCluster::new();
    let (a, b) = (cluster.backend("a"), cluster.backend("b"));
    let mut first = campaign(&a);
    let won = LeadershipReport::Won { authority: None };
    assert_eq!(next(&mut first).await, won);
    let mut second = campaign(&b);
    assert!(cluster.take_away("tested"));
    let reason = "tested".to_owned();
    assert_eq!(next(&mut first).await, LeadershipReport::Lost { reason });
    assert_eq!(next(&mut second).await, won);
    assert_eq!(cluster.leader().as_deref(), Some("b"));
}

#[tokio::test]
async fn a_held_store_goes_on_though_its_caller_is_gone_and_release_waits_for_it() {
    let cluster = MemoryCluster::new();
    let backend = cluster.backend("a");
    let mut reports = campaign(&backend);
    next(&mut reports).await;
    cluster.hold_stores();
    let store = backend.store.clone();
    let caller = tokio::spawn(async move { store.store(None, document(1)).await });
    timeout(LIMIT, cluster.stores_held(1)).await.unwrap();
    caller.abort();
    let leadership = backend.leadership.clone();
    let release = tokio::spawn(async move { leadership.release().await });
    tokio::task::yield_now().await;
    assert!(cluster.leader().is_some());
    cluster.let_stores_pass();
    timeout(LIMIT, release).await.unwrap().unwrap();
    assert_eq!((cluster.leader(), cluster.accepted_stores()), (None, 1));
}

#[tokio::test]
async fn a_late_store_is_tried_against_the_document_of_then() {
    let cluster = MemoryCluster::new();
    let store = cluster.backend("a").store;
    let notify = Arc::new(Notify::new());
    cluster.inject(Fault::AmbiguousLate(Late::Notified(notify.clone())));
    let answer = store.store(None, document(1)).await;
    assert!(matches!(answer, StoreOutcome::Ambiguous(_)));
    let version = stored(store.store(None, document(2)).await);
    notify.notify_one();
    tokio::task::yield_now().await;
    let HeadOutcome::Found(head) = store.head().await else {
        panic!("no document");
    };
    assert_eq!((head.version, cluster.accepted_stores()), (version, 1));
}

#[tokio::test]
async fn limits_refuse_only_what_is_above_them() {
    let cluster = MemoryCluster::new();
    let store = cluster.backend("a").store;
    cluster.limit_bytes(Some(10));
    let refused = store.store(None, document(1)).await;
    assert!(matches!(refused, StoreOutcome::TooLarge(_)));
    cluster.limit_bytes(None);
    cluster.limit_shards(Some(0));
    stored(store.store(None, document(1)).await);
}

#[tokio::test]
async fn namespaces_are_admitted_only_below_the_limit_that_they_grow_to() {
    let cluster = MemoryCluster::new();
    let store = cluster.backend("a").store;
    let admitting = StatusDocument {
        admits: true,
        status: Arc::new(ClusterStatus::decode(ONE_SHARD).unwrap()),
        ..document(1)
    };
    let (bytes, grown) = (
        admitting.status.estimated_bytes(),
        admitting.status.grown().estimated_bytes(),
    );
    assert!(grown > bytes);
    cluster.limit_bytes(Some(grown - 1));
    let refused = store.store(None, admitting.clone()).await;
    assert!(matches!(refused, StoreOutcome::TooLarge(_)));
    cluster.limit_bytes(Some(grown));
    stored(store.store(None, admitting).await);
}

const ONE_SHARD: &str =
    "namespaces: {some: {shards: {0: {status: 2, term: 0, ensemble: [{internal: a}]}}}}";
