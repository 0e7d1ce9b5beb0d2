//! Looks through a status document for what can't be so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::{ClusterStatus, HashRange, NamespaceStatus, ShardMetadata, ShardStatus};
use super::problems::StatusProblem;
use crate::id::ShardId;

impl ClusterStatus {
    /// Everything in the document that can't be so; empty for a sound one.
    #[must_use]
    pub fn problems(&self) -> Vec<StatusProblem> {
        let mut problems = Vec::new();
        self.check_ids(&mut problems);
        let is_printable = |c: char| c.is_ascii_graphic() || c == ' ';
        if !self.instance_id.chars().all(is_printable) {
            problems.push(StatusProblem::InstanceId {
                instance_id: self.instance_id.clone(),
            });
        }
        for (name, namespace) in &self.namespaces {
            for (id, shard) in &namespace.shards {
                if shard.status != ShardStatus::Deleting {
                    check_members(name, *id, shard, &mut problems);
                }
            }
            check_ranges(name, namespace, &mut problems);
        }
        problems
    }

    /// Raises the generator above every shard id in use, which is always safe, as ids need not be
    /// consecutive. Returns whether it had to.
    pub fn raise_shard_id_generator(&mut self) -> bool {
        let Some(greatest) = self.greatest_shard_id() else {
            return false;
        };
        let is_too_low = self.shard_id_generator <= greatest.0;
        if is_too_low {
            self.shard_id_generator = greatest.next().0;
        }
        is_too_low
    }

    fn greatest_shard_id(&self) -> Option<ShardId> {
        self.namespaces
            .values()
            .filter_map(|namespace| namespace.shards.keys().next_back())
            .max()
            .copied()
    }

    fn check_ids(&self, problems: &mut Vec<StatusProblem>) {
        let mut owners = BTreeMap::new();
        for (name, shard, _) in self.shards() {
            if let Some(first) = owners.insert(shard, name) {
                problems.push(StatusProblem::SharedShardId {
                    shard,
                    first: first.clone(),
                    second: name.clone(),
                });
            }
        }
        if let Some(greatest) = self.greatest_shard_id()
            && self.shard_id_generator <= greatest.0
        {
            problems.push(StatusProblem::GeneratorTooLow {
                generator: self.shard_id_generator,
                greatest,
            });
        }
    }
}

fn check_members(
    namespace: &Arc<str>,
    id: ShardId,
    shard: &ShardMetadata,
    problems: &mut Vec<StatusProblem>,
) {
    if shard.ensemble.is_empty() {
        problems.push(StatusProblem::NoEnsemble {
            namespace: namespace.clone(),
            shard: id,
        });
    }
    let mut ids = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for member in &shard.ensemble {
        let is_new_id = ids.insert(member.id());
        let is_new_address = addresses.insert(&member.internal);
        if !(is_new_id && is_new_address) {
            problems.push(StatusProblem::RepeatedMember {
                namespace: namespace.clone(),
                shard: id,
                server: if is_new_id {
                    member.internal.clone()
                } else {
                    member.id().0
                },
            });
        }
    }
    if let Some(leader) = &shard.leader
        && !ids.contains(&leader.id())
    {
        problems.push(StatusProblem::ForeignLeader {
            namespace: namespace.clone(),
            shard: id,
            leader: leader.id().0,
        });
    }
}

/// The assignable shards must hold every hash once.
fn check_ranges(namespace: &Arc<str>, status: &NamespaceStatus, problems: &mut Vec<StatusProblem>) {
    let mut ranges = Vec::new();
    for (id, shard) in &status.shards {
        if !shard.is_assignable() {
            continue;
        }
        match shard.int32_hash_range {
            Some(range) if range.min <= range.max => ranges.push((range, *id)),
            Some(_) | None => problems.push(StatusProblem::NoRange {
                namespace: namespace.clone(),
                shard: *id,
            }),
        }
    }
    // A namespace of which nothing is left but shards being deleted lacks nothing.
    if ranges.is_empty() && !status.shards.is_empty() {
        return;
    }
    ranges.sort_unstable();
    let mut gap = |min: u64, max: u64| {
        if let (Ok(min), Ok(max)) = (u32::try_from(min), u32::try_from(max)) {
            problems.push(StatusProblem::Gap {
                namespace: namespace.clone(),
                range: HashRange { min, max },
            });
        }
    };
    let mut overlaps = Vec::new();
    let mut next = 0_u64;
    let mut last: Option<(u32, ShardId)> = None;
    for (range, id) in ranges {
        let min = u64::from(range.min);
        if min > next {
            gap(next, min - 1);
        }
        if let Some((max, left)) = last
            && range.min <= max
        {
            overlaps.push(StatusProblem::Overlap {
                namespace: namespace.clone(),
                left,
                right: id,
                hash: range.min,
            });
        }
        if last.is_none_or(|(max, _)| range.max >= max) {
            last = Some((range.max, id));
        }
        next = next.max(u64::from(range.max) + 1);
    }
    if next <= u64::from(u32::MAX) {
        gap(next, u64::from(u32::MAX));
    }
    problems.append(&mut overlaps);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "
namespaces:
  a:
    shards:
      0: {status: 1, term: 1, leader: &x {public: x, internal: x}, ensemble: [*x], int32HashRange: {min: 0, max: 99}}
      1: {status: 2, term: 1, ensemble: [*x], int32HashRange: {min: 100, max: 4294967295}}
      2: {status: 3}
      3: {status: 1, ensemble: [*x], int32HashRange: {min: 0, max: 50}, split: {parentShardId: 0}}
  gone:
    shards: {4: {status: Deleting}}
shardIdGenerator: 5
";

    fn problems(from: &str, to: &str) -> Vec<String> {
        assert!(SOUND.contains(from));
        let status = ClusterStatus::decode(&SOUND.replace(from, to)).unwrap();
        status.problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_document_has_no_problems() {
        assert_eq!(problems("x", "x"), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_named_with_its_place() {
        for (from, to, problem) in [
            (
                "max: 99}",
                "max: 98}",
                "namespaces.a.shards: no shard serves the hashes 99 to 99",
            ),
            (
                "max: 4294967295",
                "max: 4294967294",
                "namespaces.a.shards: no shard serves the hashes 4294967295 to 4294967295",
            ),
            (
                "max: 99}",
                "max: 100}",
                "namespaces.a.shards: 0 and 1 both serve the hash 100",
            ),
            (
                "shards: {4:",
                "shards: {2:",
                "namespaces.gone.shards.2: the namespace 'a' has a shard of this id too; \
                 restore the document from before they were mixed, or remove the wrong one",
            ),
            (
                "shardIdGenerator: 5",
                "shardIdGenerator: 4",
                "shardIdGenerator: 4 is not above the greatest shard id, 4",
            ),
            (
                "1: {status: 2, term: 1, ensemble: [*x]",
                "1: {status: 2, term: 1, ensemble: []",
                "namespaces.a.shards.1.ensemble: there are no servers in it",
            ),
            (
                "1: {status: 2, term: 1, ensemble: [*x]",
                "1: {status: 2, term: 1, ensemble: [*x, {name: b, internal: x}]",
                "namespaces.a.shards.1.ensemble: 'x' is in it twice",
            ),
            (
                "1: {status: 2, term: 1,",
                "1: {status: 2, term: 1, leader: {internal: z},",
                "namespaces.a.shards.1.leader: 'z' is not in the ensemble",
            ),
        ] {
            assert_eq!(problems(from, to), [problem], "{to}");
        }
    }

    #[test]
    fn a_missing_or_inverted_range_is_named_and_leaves_a_gap() {
        for to in ["max: 99", "other: 1"] {
            let found = problems("int32HashRange: {min: 100, max: 4294967295}", to);
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(found[0].starts_with("namespaces.a.shards.1.int32HashRange:"));
        }
        assert_eq!(
            problems("min: 100, max: 4294967295", "min: 9, max: 8").len(),
            2
        );
    }

    #[test]
    fn a_namespace_without_shards_serves_no_hash() {
        assert_eq!(
            problems("{4: {status: Deleting}}", "{}"),
            ["namespaces.gone.shards: no shard serves the hashes 0 to 4294967295"]
        );
    }

    #[test]
    fn an_instance_id_that_is_no_header_is_named_with_what_to_do_and_is_fatal() {
        for bad in ["größe", "one\ntwo", "\u{7f}"] {
            let status = ClusterStatus {
                instance_id: bad.into(),
                ..ClusterStatus::decode(SOUND).unwrap()
            };
            let problems = status.problems();
            let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(words.len(), 1, "{words:?}");
            assert!(words[0].starts_with("instanceId: \""), "{words:?}");
            assert!(words[0].contains("put back the id"), "{words:?}");
            assert!(problems.iter().all(StatusProblem::is_fatal));
        }
        for good in ["", "a b", "01234567-89ab-4def-8123-456789abcdef", "~!"] {
            let status = ClusterStatus {
                instance_id: good.into(),
                ..ClusterStatus::decode(SOUND).unwrap()
            };
            assert_eq!(status.problems(), [], "{good}");
        }
    }

    #[test]
    fn what_can_be_led_on_is_not_fatal_and_a_shared_shard_id_is() {
        let shared = SOUND.replace("shards: {4:", "shards: {2:");
        let broken = SOUND.replace("max: 99}", "max: 100}");
        let fatal = |text: &str| {
            let problems = ClusterStatus::decode(text).unwrap().problems();
            problems.iter().any(StatusProblem::is_fatal)
        };
        assert!(fatal(&shared));
        assert!(!fatal(&broken));
    }

    #[test]
    fn a_low_generator_is_raised_above_every_id_in_use() {
        let mut status = ClusterStatus::decode(SOUND).unwrap();
        assert!(!status.raise_shard_id_generator());
        status.shard_id_generator = 2;
        assert!(status.raise_shard_id_generator());
        assert_eq!(status.shard_id_generator, 5);
        assert_eq!(status.problems(), []);
    }
}
