//! Documents to try things with.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use stepdown_core::cluster::{
    Beginnings, ClusterStatus, DataServerIdentity, HashRange, LastLeader, NamespaceStatus,
    ShardMetadata, ShardStatus, SplitMetadata, SplitPhase,
};
use stepdown_core::{Epoch, ProcessId, RequestId, ServerId, ShardId, Term, WriteId};

use tokio::sync::{Mutex, MutexGuard};

use super::checksum::Checksum;
use super::command::Store;
use super::delta::Delta;
use super::machine::Machine;

static BUSY: Mutex<()> = Mutex::const_new(());

/// Tests of clusters run one after the other: where too many sync at once, leaders are lost.
pub(super) async fn alone() -> MutexGuard<'static, ()> {
    BUSY.lock().await
}

/// A document of so many shards.
pub(super) fn status(shards: i64) -> ClusterStatus {
    let shards = (0..shards).map(|id| (ShardId(id), Arc::new(shard(id, 0))));
    let namespace = NamespaceStatus {
        replication_factor: 3,
        shards: shards.collect(),
    };
    ClusterStatus {
        namespaces: BTreeMap::from([("default".into(), namespace)]),
        shard_id_generator: 0,
        server_idx: 0,
        instance_id: "b3a5c1f0".into(),
    }
}

/// The same with one shard in its next term.
pub(super) fn elected(old: &ClusterStatus, id: i64) -> ClusterStatus {
    let mut status = old.clone();
    let namespace = status.namespaces.get_mut("default").unwrap();
    let term = namespace.shards[&ShardId(id)].term.0;
    let next = Arc::new(shard(id, term + 1));
    namespace.shards.insert(ShardId(id), next);
    status
}

fn shard(id: i64, term: i64) -> ShardMetadata {
    let number = u32::try_from(id % 3).unwrap_or(0);
    ShardMetadata {
        status: ShardStatus::SteadyState,
        term: Term(term),
        leader: Some(server(number)),
        ensemble: (0..3).map(server).collect(),
        int32_hash_range: Some(HashRange { min: 0, max: 9 }),
        ..ShardMetadata::default()
    }
}

fn server(number: u32) -> DataServerIdentity {
    DataServerIdentity {
        name: Some(format!("server-{number}").into()),
        public: format!("server-{number}.example.org:6648").into(),
        internal: format!("server-{number}.example.org:6649").into(),
    }
}

pub(super) fn write_id(epoch: u64, request: u64) -> WriteId {
    WriteId {
        epoch: Epoch(epoch),
        request: RequestId(request),
        process: ProcessId(7),
    }
}

/// A store of this document, at the version that the machine is at.
pub(super) fn store(machine: &Machine, id: WriteId, status: &ClusterStatus) -> Store {
    let record = machine.status.clone().unwrap_or_default();
    Store {
        expected: machine.version(),
        base: record.checksum,
        epoch: id.epoch,
        write_id: id,
        delta: Delta::between(&record.status, status),
        checksum: Checksum::of(status),
    }
}

pub(super) fn any_status() -> impl Strategy<Value = ClusterStatus> {
    let namespace = (
        0..3u32,
        btree_map((0..4i64).prop_map(ShardId), any_shard(), 0..4),
    );
    let namespace = namespace.prop_map(|(replication_factor, shards)| NamespaceStatus {
        replication_factor,
        shards,
    });
    let namespaces = btree_map("[abc]".prop_map(Arc::from), namespace, 0..3);
    (namespaces, 0..3i64, 0..2u32, "[xy]?").prop_map(
        |(namespaces, shard_id_generator, server_idx, instance_id)| ClusterStatus {
            namespaces,
            shard_id_generator,
            server_idx,
            instance_id: instance_id.into(),
        },
    )
}

fn any_shard() -> impl Strategy<Value = Arc<ShardMetadata>> {
    let servers = || vec(any_server(), 0..3);
    let state = prop_oneof![
        Just(ShardStatus::Unknown),
        Just(ShardStatus::SteadyState),
        Just(ShardStatus::Election),
        Just(ShardStatus::Deleting),
    ];
    let range = (0..2u32, 8..10u32).prop_map(|(min, max)| HashRange { min, max });
    (
        (state, -1..2i64, option::of(any_server())),
        (servers(), servers(), servers()),
        (option::of(range), option::of(any_split()), any_history()),
    )
        .prop_map(
            |((status, term, leader), servers, (range, split, history))| {
                let (ensemble, removed_nodes, pending_delete_shard_nodes) = servers;
                let (beginnings, last_leader, loss_accepted) = history;
                Arc::new(ShardMetadata {
                    status,
                    term: Term(term),
                    leader,
                    ensemble,
                    removed_nodes,
                    pending_delete_shard_nodes,
                    int32_hash_range: range,
                    split,
                    beginnings,
                    last_leader,
                    loss_accepted,
                })
            },
        )
}

fn any_history() -> impl Strategy<Value = (Beginnings, Option<LastLeader>, Option<Term>)> {
    let last_leader = (0..2i64).prop_map(|term| LastLeader {
        committed: term * 10,
        term: Term(term),
        server: (term > 0).then(|| ServerId("server-1".into())),
    });
    let loss_accepted = option::of((0..2i64).prop_map(Term));
    (any_beginnings(), option::of(last_leader), loss_accepted)
}

fn any_beginnings() -> impl Strategy<Value = Beginnings> {
    prop_oneof![Just(""), Just("1@0/29"), Just("2-3@1/30 4@3/31")]
        .prop_map(|text| text.parse().unwrap())
}

fn any_server() -> impl Strategy<Value = DataServerIdentity> {
    (0..3u32, any::<bool>()).prop_map(|(number, named)| {
        let server = server(number);
        DataServerIdentity {
            name: server.name.filter(|_| named),
            ..server
        }
    })
}

fn any_split() -> impl Strategy<Value = SplitMetadata> {
    let phase = prop_oneof![
        Just(SplitPhase::Bootstrap),
        Just(SplitPhase::CatchUp),
        Just(SplitPhase::Cutover),
    ];
    let leaders = btree_map(
        (0..3i64).prop_map(ShardId),
        "[xy]".prop_map(Arc::from),
        0..2,
    );
    (
        (phase, 0..2i64, vec((0..3i64).prop_map(ShardId), 0..3)),
        (0..2u32, 0..2i64, 0..2i64),
        leaders,
    )
        .prop_map(
            |((phase, parent, children), numbers, leaders)| SplitMetadata {
                phase,
                parent_shard_id: ShardId(parent),
                child_shard_ids: children,
                split_point: numbers.0,
                snapshot_offset: numbers.1,
                parent_term_at_bootstrap: numbers.2,
                child_leaders_at_bootstrap: leaders,
            },
        )
}
