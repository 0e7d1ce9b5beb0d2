//! Whether a document lacks nothing, said once more and as plainly as can be.

use stepdown_core::cluster::{ClusterStatus, HashRange, ShardStatus};

use super::{Ids, Remembered, lacks};

/// What a document is told to lack it lacks, and nothing else.
pub(crate) fn check_lacks(status: &ClusterStatus, remembered: Option<&Remembered>) {
    let lacks = lacks(status, remembered);
    assert_eq!(
        lacks.is_empty(),
        is_whole(status) && remembered.is_none_or(|it| is_after(status, it)),
        "{lacks:?}"
    );
}

/// By itself.
fn is_whole(status: &ClusterStatus) -> bool {
    let mut is_whole = true;
    for namespace in status.namespaces.values() {
        let mut ranges = Vec::new();
        let mut is_without_range = false;
        for shard in namespace.shards.values() {
            let is_child = |children: &[_]| children.is_empty();
            let split = shard.split.as_ref();
            let is_deleted = shard.status == ShardStatus::Deleting;
            is_whole &= is_deleted || !shard.ensemble.is_empty();
            if is_deleted || split.is_some_and(|it| is_child(&it.child_shard_ids)) {
                continue;
            }
            match shard.int32_hash_range {
                Some(range) if range.min <= range.max => ranges.push(range),
                Some(_) | None => is_without_range = true,
            }
        }
        let is_empty = ranges.is_empty() && !namespace.shards.is_empty();
        is_whole &= !is_without_range && (is_empty || are_all(ranges));
    }
    let was_told = |term: i64| term >= 0 && status.instance_id.is_empty();
    is_whole && !status.shards().any(|(_, _, shard)| was_told(shard.term.0))
}

/// Whether every hash is in one of them.
fn are_all(mut ranges: Vec<HashRange>) -> bool {
    ranges.sort_unstable();
    let mut next = 0;
    for range in ranges {
        if u64::from(range.min) > next {
            return false;
        }
        next = next.max(u64::from(range.max) + 1);
    }
    next > u64::from(u32::MAX)
}

/// Of the same cluster, with every shard that was there, or with one that has come since.
fn is_after(status: &ClusterStatus, remembered: &Remembered) -> bool {
    let is_same =
        remembered.instance_id.is_empty() || *remembered.instance_id == *status.instance_id;
    is_same
        && remembered.shards.iter().all(|(name, before)| {
            let now = status.namespaces.get(name.as_str());
            let mut now = now.into_iter().flat_map(|it| it.shards.keys());
            let is_there = |id: i64| {
                let namespace = status.namespaces.get(name.as_str());
                namespace.is_some_and(|it| it.shards.keys().any(|it| it.0 == id))
            };
            now.any(|id| !before.contains(id.0)) || first_without(before, is_there).is_none()
        })
}

/// Whoever asks for each in turn comes to one that is missing before long, however many they are.
fn first_without(ids: &Ids, is_there: impl Fn(i64) -> bool) -> Option<i64> {
    ids.iter().find(|id| !is_there(*id))
}
