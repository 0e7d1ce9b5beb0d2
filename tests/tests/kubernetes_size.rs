//! How much fits into a ConfigMap, on a real API server.
#![cfg(target_os = "linux")]
#![expect(clippy::panic, reason = "helpers of tests may fail the test")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks out what it looks for"
)]

use std::sync::Arc;

use stepdown_backends::configmap::Layout;
use stepdown_core::cluster::{
    ClusterStatus, DataServerIdentity, HashRange, NamespaceStatus, ShardMetadata, ShardStatus,
};
use stepdown_core::store::{LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome};
use stepdown_core::{Epoch, ProcessId, RequestId, ShardId, Term, WriteId};
use stepdown_tests::contract::Cluster;
use stepdown_tests::contract::configmap::ConfigMaps;
use stepdown_tests::fleet::{Fleet, FleetOptions};
use stepdown_tests::kubernetes::Grants;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_shards_fit_compressed_and_not_plain_and_there_is_a_way_back() {
    let Some(mut cluster) = ConfigMaps::new(Grants::Ours, Layout::Plain).await else {
        // It has been said that it is skipped.
        return;
    };
    let plain = cluster.coordinator("a").await.store;
    let first = stored(plain.store(None, document(1, status(100))).await);
    let before = cluster.writes();
    let refused = plain
        .store(Some(first.clone()), document(2, status(10_000)))
        .await;
    assert!(matches!(refused, StoreOutcome::TooLarge(_)), "{refused:?}");
    assert_eq!(cluster.writes(), before, "nothing is sent that can't fit");

    cluster.use_layout(Layout::Compressed);
    let compressed = cluster.coordinator("a").await.store;
    let loaded = found(compressed.load().await);
    assert_eq!(*loaded.status, status(100));
    let large = document(3, status(10_000));
    let second = stored(compressed.store(Some(loaded.version), large).await);
    let loaded = found(compressed.load().await);
    assert_eq!((&loaded.version, loaded.intact), (&second, true));
    assert_eq!(*loaded.status, status(10_000));
    let object = cluster.present().await;
    let bytes = &object.binary_data.expect("it is compressed")["status.gz"].0;
    println!("10,000 shards take {} bytes of {}", bytes.len(), 1 << 20);
    assert_eq!(object.data.unwrap_or_default().get("status"), None);

    // Back again, as soon as it is small enough.
    let third = stored(
        compressed
            .store(Some(second), document(4, status(100)))
            .await,
    );
    let loaded = found(plain.load().await);
    assert_eq!(loaded.version, third);
    stored(plain.store(Some(third), document(5, status(100))).await);
    let object = cluster.present().await;
    assert!(object.data.is_some_and(|data| data.contains_key("status")));
    assert_eq!(object.binary_data, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_does_not_fit_is_refused_and_all_else_goes_on() {
    let Some(mut fleet) = Fleet::start(FleetOptions::default()).await else {
        // It has been said that it is skipped.
        return;
    };
    let leader = fleet.steady().await;
    let epoch = fleet.onlooker.epoch();
    fleet.add_namespace_of("large", 4_000).await;
    fleet
        .until("the namespace to be refused", async |fleet| {
            let refused = [("outcome", "too_large")];
            let stores = fleet
                .metric(leader, "stepdown_stores_total", &refused)
                .await;
            (stores > 0.0).then_some(())
        })
        .await;
    fleet.forget_namespace("large").await;
    fleet.add_namespace().await;
    assert_eq!(fleet.steady().await, leader);
    assert_eq!(fleet.onlooker.epoch(), epoch);
    fleet.nothing_is_lost().await;
}

fn stored(outcome: StoreOutcome) -> stepdown_core::Version {
    match outcome {
        StoreOutcome::Stored(version) => version,
        other => panic!("not stored: {other:?}"),
    }
}

fn found(outcome: LoadOutcome) -> LoadedStatus {
    match outcome {
        LoadOutcome::Found(loaded) => loaded,
        other => panic!("not found: {other:?}"),
    }
}

fn document(request: u64, status: ClusterStatus) -> StatusDocument {
    let epoch = Epoch(1);
    StatusDocument {
        admits: false,
        epoch,
        write_id: WriteId {
            epoch,
            request: RequestId(request),
            process: ProcessId(7),
        },
        status: Arc::new(status),
    }
}

/// So many shards on nine servers with names as a chart makes them, in terms of their own.
fn status(shards: i64) -> ClusterStatus {
    let server = |number: i64| {
        let host = format!("oxia-{number}.oxia-svc.messaging.svc.cluster.local");
        DataServerIdentity {
            name: Some(format!("oxia-{number}").into()),
            public: format!("{host}:6648").into(),
            internal: format!("oxia-{number}.oxia-svc:6649").into(),
        }
    };
    let range = u32::MAX / u32::try_from(shards).unwrap_or(1);
    let shard = |id: i64| {
        let ensemble: Vec<_> = (0..3).map(|it| server((id * 7 + it * 2) % 9)).collect();
        let min = u32::try_from(id).unwrap_or(0) * range;
        let metadata = ShardMetadata {
            status: ShardStatus::SteadyState,
            term: Term(id * 13 % 97),
            leader: ensemble.get(usize::try_from(id % 3).unwrap_or(0)).cloned(),
            ensemble,
            removed_nodes: Vec::new(),
            pending_delete_shard_nodes: Vec::new(),
            int32_hash_range: Some(HashRange {
                min,
                max: min + range - 1,
            }),
            split: None,
            ..ShardMetadata::default()
        };
        (ShardId(id), Arc::new(metadata))
    };
    let namespace = NamespaceStatus {
        replication_factor: 3,
        shards: (0..shards).map(shard).collect(),
    };
    ClusterStatus {
        namespaces: [(Arc::from("default"), namespace)].into(),
        shard_id_generator: shards,
        instance_id: "4e196f5a-355f-4f3c-9a4e-000000000000".into(),
        ..ClusterStatus::default()
    }
}
