//! What of a status is another than it was, in so few words that they fit into a line of a log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{ClusterStatus, ShardMetadata};
use crate::id::ShardId;

/// How many shards differ, and in what.
#[derive(Default)]
struct Counts {
    namespaces: (usize, usize),
    shards: (usize, usize),
    greater_terms: usize,
    lesser_terms: usize,
    leaders: usize,
    ensembles: usize,
    ranges: usize,
    others: usize,
}

impl ClusterStatus {
    /// How it differs from what it was before; `None` where it does not.
    #[must_use]
    pub fn differences(&self, before: &Self) -> Option<String> {
        let mut counts = Counts::default();
        let is_new = |name: &&Arc<str>| !before.namespaces.contains_key(*name);
        let is_gone = |name: &&Arc<str>| !self.namespaces.contains_key(*name);
        counts.namespaces = (
            self.namespaces.keys().filter(is_new).count(),
            before.namespaces.keys().filter(is_gone).count(),
        );
        let (now, then) = (by_id(self), by_id(before));
        for (id, shard) in &now {
            match then.get(id) {
                Some(was) => counts.compare(shard, was),
                None => counts.shards.0 += 1,
            }
        }
        counts.shards.1 = then.keys().filter(|id| !now.contains_key(*id)).count();
        let mut parts = counts.parts();
        if self.instance_id != before.instance_id {
            parts.insert(0, "another instanceId".to_owned());
        }
        if self.shard_id_generator < before.shard_id_generator {
            parts.push("a lesser shardIdGenerator".to_owned());
        }
        if parts.is_empty() && self != before {
            parts.push("what is neither a shard nor an id".to_owned());
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

impl Counts {
    fn compare(&mut self, now: &ShardMetadata, was: &ShardMetadata) {
        if now == was {
            return;
        }
        self.greater_terms += usize::from(now.term > was.term);
        self.lesser_terms += usize::from(now.term < was.term);
        self.leaders += usize::from(now.leader != was.leader);
        self.ensembles += usize::from(now.ensemble != was.ensemble);
        self.ranges += usize::from(now.int32_hash_range != was.int32_hash_range);
        let is_told = now.term != was.term
            || now.leader != was.leader
            || now.ensemble != was.ensemble
            || now.int32_hash_range != was.int32_hash_range;
        self.others += usize::from(!is_told);
    }

    fn parts(&self) -> Vec<String> {
        let parts = [
            ("namespaces more", self.namespaces.0),
            ("namespaces fewer", self.namespaces.1),
            ("shards more", self.shards.0),
            ("shards fewer", self.shards.1),
            ("greater terms", self.greater_terms),
            ("lesser terms", self.lesser_terms),
            ("other leaders", self.leaders),
            ("other ensembles", self.ensembles),
            ("other hash ranges", self.ranges),
            ("shards changed otherwise", self.others),
        ];
        let told = parts.into_iter().filter(|(_, count)| *count > 0);
        told.map(|(what, count)| format!("{what}: {count}"))
            .collect()
    }
}

fn by_id(status: &ClusterStatus) -> BTreeMap<ShardId, &Arc<ShardMetadata>> {
    let shards = status.shards();
    shards.map(|(_, id, shard)| (id, shard)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
namespaces:
  default:
    replicationFactor: 1
    shards:
      0: {status: 1, term: 3, leader: {public: 'a:1', internal: 'a:2'}, ensemble: [{public: 'a:1', internal: 'a:2'}]}
      1: {status: 1, term: 3, leader: {public: 'a:1', internal: 'a:2'}, ensemble: [{public: 'a:1', internal: 'a:2'}]}
shardIdGenerator: 2
instanceId: abc
";

    fn differences(from: &str, to: &str) -> Option<String> {
        assert!(STATUS.contains(from), "{from}");
        let read = |text: &str| ClusterStatus::decode(text).unwrap();
        read(&STATUS.replace(from, to)).differences(&read(STATUS))
    }

    #[test]
    fn what_differs_is_counted_by_kind() {
        for (from, to, expected) in [
            ("term: 3", "term: 4", "greater terms: 2"),
            (
                "0: {status: 1, term: 3",
                "0: {status: 1, term: 2",
                "lesser terms: 1",
            ),
            ("1: {", "7: {", "shards more: 1, shards fewer: 1"),
            (
                "default:",
                "other:",
                "namespaces more: 1, namespaces fewer: 1",
            ),
            (
                "leader: {public: 'a:1'",
                "leader: {public: 'b:1'",
                "other leaders: 2",
            ),
            (
                "ensemble: [",
                "ensemble: [{public: 'b:1', internal: 'b:2'}, ",
                "other ensembles: 2",
            ),
            (
                "ensemble: [",
                "int32HashRange: {min: 0, max: 1}, ensemble: [",
                "other hash ranges: 2",
            ),
            ("status: 1", "status: 2", "shards changed otherwise: 2"),
            ("instanceId: abc", "instanceId: x", "another instanceId"),
            ("instanceId: abc", "", "another instanceId"),
            ("Generator: 2", "Generator: 1", "a lesser shardIdGenerator"),
            (
                "Factor: 1",
                "Factor: 2",
                "what is neither a shard nor an id",
            ),
        ] {
            assert_eq!(differences(from, to).as_deref(), Some(expected), "{to}");
        }
        assert_eq!(differences("", ""), None);
    }
}
