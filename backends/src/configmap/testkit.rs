//! What the tests of this backend are made with.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_core::cluster::{
    ClusterStatus, DataServerIdentity, HashRange, NamespaceStatus, ShardMetadata, ShardStatus,
};
use stepdown_core::store::StatusDocument;
use stepdown_core::{Epoch, ProcessId, RequestId, ShardId, Term, WriteId};

pub(super) fn document(number: u64) -> StatusDocument {
    StatusDocument {
        admits: false,
        epoch: Epoch(number),
        write_id: WriteId {
            epoch: Epoch(number),
            request: RequestId(number),
            process: ProcessId(1),
        },
        status: Arc::new(ClusterStatus {
            instance_id: format!("document-{number}").into(),
            ..ClusterStatus::default()
        }),
    }
}

/// A status as large clusters have it: so many shards, three replicas of each on 60 servers whose
/// addresses are those of pods, names as Oxia fills them in, terms that have gone apart.
pub(super) fn realistic_status(shards: u32) -> ClusterStatus {
    let mut rng = fastrand::Rng::with_seed(7);
    let width = u32::MAX / shards;
    let shards: BTreeMap<_, _> = (0..shards)
        .map(|index| {
            let first = rng.u32(0..60);
            let ensemble = [0, 7, 23].map(|step| server((first + step) % 60));
            let min = index * width;
            let shard = ShardMetadata {
                status: ShardStatus::SteadyState,
                term: Term(rng.i64(0..2_000)),
                leader: Some(ensemble[rng.usize(0..3)].clone()),
                ensemble: ensemble.to_vec(),
                int32_hash_range: Some(HashRange {
                    min,
                    max: min + (width - 1),
                }),
                ..ShardMetadata::default()
            };
            (ShardId(i64::from(index) + 17), Arc::new(shard))
        })
        .collect();
    let namespace = NamespaceStatus {
        replication_factor: 3,
        shards,
    };
    ClusterStatus {
        namespaces: BTreeMap::from([("default".into(), namespace)]),
        shard_id_generator: 20_000,
        server_idx: 0,
        instance_id: "0e2b2b0a-6c9f-4a7a-9f0e-2f6d4b9ad6c1".into(),
    }
}

fn server(number: u32) -> DataServerIdentity {
    let pod = format!("pulsar-production-oxia-server-{number}");
    let service = "pulsar-production-oxia-svc";
    let internal: Arc<str> = format!("{pod}.{service}:6649").into();
    DataServerIdentity {
        name: Some(internal.clone()),
        public: format!("{pod}.{service}.pulsar-production.svc.cluster.local:6648").into(),
        internal,
    }
}
