//! What can't be so in a status, said once more and as plainly as can be.

use std::collections::BTreeSet;

use stepdown_core::ShardId;
use stepdown_core::cluster::{
    ClusterStatus, HashRange, ShardMetadata, ShardStatus, SplitMetadata, StatusProblem,
};

/// Its problems are these, and no others.
pub fn check(status: &ClusterStatus) {
    let problems = status.problems();
    let mut named = BTreeSet::new();
    for problem in &problems {
        assert!(!problem.to_string().is_empty());
        let is_fatal = matches!(
            problem,
            StatusProblem::InstanceId { .. } | StatusProblem::SharedShardId { .. }
        );
        assert_eq!(problem.is_fatal(), is_fatal, "{problem}");
        named.extend(name(problem));
    }
    assert_eq!(named, faults(status));
    for namespace in status.namespaces.keys() {
        check_hashes(status, namespace, &problems);
    }
}

/// The kind and the place; none of what is about hashes.
fn name(problem: &StatusProblem) -> Option<String> {
    Some(match problem {
        StatusProblem::GeneratorTooLow { .. } => "generator".to_owned(),
        StatusProblem::InstanceId { .. } => "instance".to_owned(),
        StatusProblem::ForeignLeader {
            namespace, shard, ..
        } => {
            format!("leader of {namespace}/{shard}")
        }
        StatusProblem::NoEnsemble { namespace, shard } => format!("none in {namespace}/{shard}"),
        StatusProblem::NoRange { namespace, shard } => format!("range of {namespace}/{shard}"),
        StatusProblem::RepeatedMember {
            namespace, shard, ..
        } => {
            format!("twice in {namespace}/{shard}")
        }
        StatusProblem::SharedShardId { shard, second, .. } => format!("shared {second}/{shard}"),
        StatusProblem::Gap { .. } | StatusProblem::Overlap { .. } => return None,
    })
}

fn faults(status: &ClusterStatus) -> BTreeSet<String> {
    let mut faults = BTreeSet::new();
    if !status
        .instance_id
        .bytes()
        .all(|it| (0x20..0x7f).contains(&it))
    {
        faults.insert("instance".to_owned());
    }
    let mut seen: BTreeSet<ShardId> = BTreeSet::new();
    for (namespace, id, shard) in status.shards() {
        if status.shard_id_generator <= id.0 {
            faults.insert("generator".to_owned());
        }
        if !seen.insert(id) {
            faults.insert(format!("shared {namespace}/{id}"));
        }
        of_shard(shard, &mut |fault| {
            faults.insert(format!("{fault} {namespace}/{id}"));
        });
    }
    faults
}

fn of_shard(shard: &ShardMetadata, tell: &mut dyn FnMut(&str)) {
    let members = &shard.ensemble;
    if is_served(shard) && range(shard).is_none() {
        tell("range of");
    }
    if shard.status == ShardStatus::Deleting {
        return;
    }
    if members.is_empty() {
        tell("none in");
    }
    let is_twice = members.iter().enumerate().any(|(index, one)| {
        let mut before = members[..index].iter();
        before.any(|it| it.id() == one.id() || it.internal == one.internal)
    });
    if is_twice {
        tell("twice in");
    }
    let is_member = |leader: &_| members.iter().any(|it| it.id() == *leader);
    if shard.leader.as_ref().is_some_and(|it| !is_member(&it.id())) {
        tell("leader of");
    }
}

/// Every hash is served once, or it is told which is not.
fn check_hashes(status: &ClusterStatus, name: &str, problems: &[StatusProblem]) {
    let shards = &status.namespaces[name].shards;
    let served = shards.iter().filter(|(_, shard)| is_served(shard));
    let served = served.filter_map(|(id, shard)| Some((*id, range(shard)?)));
    let served: Vec<(ShardId, HashRange)> = served.collect();
    let ends = served.iter().flat_map(|(_, it)| [it.min, it.max]);
    let near = ends.flat_map(|it| [it.saturating_sub(1), it, it.saturating_add(1)]);
    let hashes: BTreeSet<u32> = near.chain([0, u32::MAX]).collect();
    let by = |hash: u32| {
        let served = served.iter().filter(move |(_, it)| contains(*it, hash));
        served.map(|(id, _)| *id).collect::<BTreeSet<_>>()
    };
    // What is only deleted, or broken, lacks nothing besides.
    let lacks_nothing = served.is_empty() && !shards.is_empty();
    let mut gaps = Vec::new();
    let mut overlaps = 0;
    for problem in problems {
        match problem {
            StatusProblem::Gap { namespace, range } if **namespace == *name => gaps.push(*range),
            StatusProblem::Overlap {
                namespace,
                left,
                right,
                hash,
            } if **namespace == *name => {
                overlaps += 1;
                assert!(left != right && by(*hash).is_superset(&[*left, *right].into()));
            }
            _ => {}
        }
    }
    for hash in &hashes {
        let is_told = gaps.iter().any(|it| contains(*it, *hash));
        assert_eq!(
            is_told,
            by(*hash).is_empty() && !lacks_nothing,
            "{name}: {hash}"
        );
    }
    let is_served_twice = hashes.iter().any(|hash| by(*hash).len() > 1);
    assert_eq!(overlaps > 0, is_served_twice, "{name}");
}

fn is_served(shard: &ShardMetadata) -> bool {
    let is_child = |it: &SplitMetadata| it.child_shard_ids.is_empty();
    shard.status != ShardStatus::Deleting && !shard.split.as_ref().is_some_and(is_child)
}

fn range(shard: &ShardMetadata) -> Option<HashRange> {
    shard.int32_hash_range.filter(|it| it.min <= it.max)
}

fn contains(range: HashRange, hash: u32) -> bool {
    (range.min..=range.max).contains(&hash)
}
