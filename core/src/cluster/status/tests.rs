use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::call::EntryId;
use crate::cluster::DataServerIdentity;
use crate::id::{ServerId, ShardId, Term};

/// Names, addresses, and texts that YAML makes hard.
fn text() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        "[a-z0-9.-]{0,12}(:[0-9]{1,5})?",
        "[-+0-9._xobe:T]{0,8}",
        "[-?:,\\[\\]{}#&*!|>'\"%@`~=<. \\\\a]{0,6}",
        ".{0,8}",
        Just("null".to_owned()),
        Just("on".to_owned()),
        Just("x".repeat(200)),
    ]
    .prop_map(Arc::from)
}

fn server() -> impl Strategy<Value = DataServerIdentity> {
    (option::of(text()), text(), text()).prop_map(|(name, public, internal)| DataServerIdentity {
        name,
        public,
        internal,
    })
}

fn shard_id() -> impl Strategy<Value = ShardId> {
    prop_oneof![0..50_i64, any::<i64>()].prop_map(ShardId)
}

prop_compose! {
    fn split()(
        phase in prop_oneof![
            Just(SplitPhase::Bootstrap),
            Just(SplitPhase::CatchUp),
            Just(SplitPhase::Cutover),
        ],
        parent_shard_id in shard_id(),
        child_shard_ids in vec(shard_id(), 0..3),
        split_point in any::<u32>(),
        snapshot_offset in -1..2_i64,
        parent_term_at_bootstrap in any::<i64>(),
        child_leaders_at_bootstrap in btree_map(shard_id(), text(), 0..3),
    ) -> SplitMetadata {
        SplitMetadata {
            phase,
            parent_shard_id,
            child_shard_ids,
            split_point,
            snapshot_offset,
            parent_term_at_bootstrap,
            child_leaders_at_bootstrap,
        }
    }
}

prop_compose! {
    fn shard()(
        status in prop_oneof![
            Just(ShardStatus::Unknown),
            Just(ShardStatus::SteadyState),
            Just(ShardStatus::Election),
            Just(ShardStatus::Deleting),
        ],
        term in prop_oneof![-1..9_i64, any::<i64>()],
        leader in option::of(server()),
        ensemble in vec(server(), 0..4),
        removed_nodes in vec(server(), 0..2),
        pending_delete_shard_nodes in vec(server(), 0..2),
        int32_hash_range in option::of(any::<(u32, u32)>()),
        split in option::of(split()),
        (beginnings, last_leader, loss_accepted) in history(),
    ) -> ShardMetadata {
        ShardMetadata {
            status,
            term: Term(term),
            leader,
            ensemble,
            removed_nodes,
            pending_delete_shard_nodes,
            int32_hash_range: int32_hash_range.map(|(min, max)| HashRange { min, max }),
            split,
            beginnings,
            last_leader,
            loss_accepted,
        }
    }
}

prop_compose! {
    fn history()(
        beginnings in beginnings(),
        last_leader in option::of((any::<i64>(), option::of(text()), any::<i64>())),
        loss_accepted in option::of(any::<i64>()),
    ) -> (Beginnings, Option<LastLeader>, Option<Term>) {
        let last_leader = last_leader.map(|(term, server, committed)| LastLeader {
            committed,
            term: Term(term),
            server: server.map(ServerId),
        });
        (beginnings, last_leader, loss_accepted.map(Term))
    }
}

prop_compose! {
    fn beginnings()(runs in vec((1..9_i64, 0..3_i64, 0..999_i64), 0..5)) -> Beginnings {
        let mut term = 0;
        Beginnings::of_last(runs.into_iter().map(|(more, terms, offset)| {
            let head = Some(EntryId { term: Term(term), offset });
            let first = term + more;
            term = first + terms;
            Beginning { first: Term(first), last: Term(term), head }
        }))
    }
}

prop_compose! {
    fn namespace()(
        replication_factor in any::<u32>(),
        shards in btree_map(shard_id(), shard().prop_map(Arc::new), 0..4),
    ) -> NamespaceStatus {
        NamespaceStatus { replication_factor, shards }
    }
}

prop_compose! {
    fn status()(
        namespaces in btree_map(text(), namespace(), 0..4),
        shard_id_generator in -1..100_i64,
        server_idx in 0..2_u32,
        instance_id in text(),
    ) -> ClusterStatus {
        ClusterStatus { namespaces, shard_id_generator, server_idx, instance_id }
    }
}

proptest! {
    #[test]
    fn a_written_status_reads_as_itself(status in status()) {
        prop_assert_eq!(ClusterStatus::decode(&status.encode()), Ok(status));
    }

    #[test]
    fn any_status_can_be_checked_and_raised(mut status in status()) {
        let _ = status.problems();
        let greatest = status.shards().map(|(_, id, _)| id).max();
        status.raise_shard_id_generator();
        prop_assert!(greatest.is_none_or(|id| id.0 == i64::MAX || status.shard_id_generator > id.0));
    }
}

#[test]
fn an_empty_status_is_an_empty_mapping() {
    assert_eq!(ClusterStatus::default().encode(), "{}\n");
    assert_eq!(ClusterStatus::decode("{}"), Ok(ClusterStatus::default()));
}

#[test]
fn a_copy_of_a_status_shares_its_shards() {
    let mut status = ClusterStatus::default();
    let shards = BTreeMap::from([(ShardId(0), Arc::new(ShardMetadata::default()))]);
    status.namespaces.insert(
        Arc::from("a"),
        NamespaceStatus {
            replication_factor: 1,
            shards,
        },
    );
    let copy = status.clone();
    let pairs = status.shards().zip(copy.shards());
    assert!(
        pairs
            .into_iter()
            .all(|((_, _, left), (_, _, right))| Arc::ptr_eq(left, right))
    );
}
