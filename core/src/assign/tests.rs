use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::cluster::{NamespaceStatus, ShardMetadata, ShardStatus, SplitMetadata};

const STATUS: &str = "
x: [&a {name: a, public: 'a:1', internal: 'http://a:2'}, &b {public: 'tls://b:1', internal: 'b:2'}]
namespaces:
  empty: {}
  ns:
    shards:
      7: {status: 1, leader: *a, ensemble: [*a, *b], int32HashRange: {min: 0, max: 9}}
      0: {status: 2, ensemble: [*a], removedNodes: [{public: 'c:1', internal: 'c:2'}], int32HashRange: {min: 10, max: 19}}
      1: {status: 3, ensemble: [{public: 'd:1', internal: 'd:2'}], int32HashRange: {min: 0, max: 19}}
      2: {status: 1, leader: *b, ensemble: [*b], int32HashRange: {min: 20, max: 29}, split: {childShardIds: [3, 4]}}
      3: {status: 1, leader: *b, ensemble: [*b], int32HashRange: {min: 20, max: 24}, split: {parentShardId: 2}}
";

fn assigned(status: &ClusterStatus) -> Vec<(i64, String)> {
    let assignments = ShardAssignments::of(status, None);
    let shards = assignments.namespaces["ns"].iter();
    shards
        .map(|it| (it.shard.0, it.leader.to_string()))
        .collect()
}

#[test]
fn leaders_are_named_by_their_public_address_verbatim() {
    let status = ClusterStatus::decode(STATUS).unwrap();
    let expected = [(0, ""), (2, "tls://b:1"), (7, "a:1")];
    assert_eq!(
        assigned(&status),
        expected.map(|(id, leader)| (id, leader.to_owned()))
    );
}

#[test]
fn the_parent_of_a_split_is_left_out_once_all_its_children_are_told_of() {
    let mut text = STATUS.replace(", split: {parentShardId: 2}", "");
    let status = ClusterStatus::decode(&text).unwrap();
    assert!(assigned(&status).iter().any(|(id, _)| *id == 2));
    text.push_str(
        "      4: {status: 1, leader: *b, ensemble: [*b], int32HashRange: {min: 25, max: 29}}\n",
    );
    let status = ClusterStatus::decode(&text).unwrap();
    let ids: Vec<_> = assigned(&status).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [0, 3, 4, 7]);
}

#[test]
fn every_namespace_of_the_status_is_listed_even_without_shards() {
    let status = ClusterStatus::decode(STATUS).unwrap();
    let assignments = ShardAssignments::of(&status, None);
    assert_eq!(assignments.namespaces["empty"], []);
    assert_eq!(assignments.namespaces.len(), 2);
}

#[test]
fn authorities_are_all_addresses_without_their_schemes() {
    let status = ClusterStatus::decode(STATUS).unwrap();
    let configuration = ClusterConfiguration::decode(
        "
servers: [{public: 'e:1', internal: 'e:2'}, {public: 'a:1', internal: 'a:2'}]
allowExtraAuthorities: ['https://x:1', 'y', '']
",
    )
    .unwrap();
    let of = |configuration| {
        let assignments = ShardAssignments::of(&status, configuration);
        let authorities = assignments.allowed_authorities.into_iter();
        authorities.map(|it| it.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        of(None),
        ["a:1", "a:2", "b:1", "b:2", "c:1", "c:2", "d:1", "d:2"]
    );
    assert_eq!(
        of(Some(&configuration)),
        [
            "a:1", "a:2", "b:1", "b:2", "c:1", "c:2", "d:1", "d:2", "e:1", "e:2", "x:1", "y"
        ]
    );
}

/// A namespace of `count` shards, some of them in a split or being deleted.
fn status(count: u32, splits: &[bool], deleted: u32) -> ClusterStatus {
    let mut shards = BTreeMap::new();
    let mut next = i64::from(count);
    let ranges = hash_ranges(count).unwrap();
    for (id, range) in (0..).zip(ranges) {
        let mut shard = ShardMetadata {
            status: ShardStatus::SteadyState,
            int32_hash_range: Some(range),
            ..ShardMetadata::default()
        };
        if splits.get(id).copied().unwrap_or_default() && range.max > range.min {
            let split_point = range.min + (range.max - range.min) / 2;
            let halves = [(range.min, split_point), (split_point + 1, range.max)];
            let child = SplitMetadata {
                parent_shard_id: ShardId(id as i64),
                split_point,
                ..SplitMetadata::default()
            };
            for (min, max) in halves {
                let child = ShardMetadata {
                    int32_hash_range: Some(HashRange { min, max }),
                    split: Some(child.clone()),
                    ..shard.clone()
                };
                shards.insert(ShardId(next), Arc::new(child));
                next += 1;
            }
            shard.split = Some(SplitMetadata {
                child_shard_ids: vec![ShardId(next - 2), ShardId(next - 1)],
                ..child
            });
        }
        shards.insert(ShardId(id as i64), Arc::new(shard));
    }
    for _ in 0..deleted {
        let shard = ShardMetadata {
            status: ShardStatus::Deleting,
            int32_hash_range: Some(HashRange { min: 0, max: 77 }),
            ..ShardMetadata::default()
        };
        shards.insert(ShardId(next), Arc::new(shard));
        next += 1;
    }
    let namespace = NamespaceStatus {
        replication_factor: 0,
        shards,
    };
    ClusterStatus {
        namespaces: BTreeMap::from([(Arc::from("ns"), namespace)]),
        shard_id_generator: next,
        ..ClusterStatus::default()
    }
}

proptest! {
    #[test]
    fn assigned_shards_partition_the_hashes_whatever_is_split_or_deleted(
        count in 1..40_u32,
        splits in proptest::collection::vec(any::<bool>(), 40),
        deleted in 0..3_u32,
    ) {
        let status = status(count, &splits, deleted);
        let assignments = ShardAssignments::of(&status, None);
        let mut ranges: Vec<_> =
            assignments.namespaces["ns"].iter().map(|it| it.hash_range).collect();
        ranges.sort_unstable();
        let mut next = 0_u64;
        for range in ranges {
            prop_assert_eq!(u64::from(range.min), next);
            next = u64::from(range.max) + 1;
        }
        prop_assert_eq!(next, 1 << 32);
    }

    #[test]
    fn nothing_deleted_and_no_unfinished_child_is_assigned(
        splits in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let status = status(8, &splits, 2);
        let assignments = ShardAssignments::of(&status, None);
        for assignment in &assignments.namespaces["ns"] {
            let shard = &status.namespaces["ns"].shards[&assignment.shard];
            prop_assert!(shard.status != ShardStatus::Deleting && !shard.is_split_child());
        }
    }
}
