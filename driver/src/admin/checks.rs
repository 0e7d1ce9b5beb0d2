//! What a change may not make of a configuration, though it could be put in force.

use std::sync::Arc;

use stepdown_core::cluster::{ClusterConfiguration, ClusterStatus, Namespace};
use tonic::Status;

/// The most replicas of a shard that can be asked for.
const FACTOR: u32 = 64;

/// Looks whether shards would have more replicas than one can be asked for. What is so already may stay,
/// and may get less.
pub(super) fn check_replicas(
    before: &ClusterConfiguration,
    after: &ClusterConfiguration,
) -> Result<(), Status> {
    for namespace in &after.namespaces {
        let Namespace {
            name,
            replication_factor: factor,
            ..
        } = namespace;
        let was = before.namespace(name).map(|it| it.replication_factor);
        if *factor > FACTOR.max(was.unwrap_or_default()) {
            return Err(Status::invalid_argument(format!(
                "namespace {name:?} has replicationFactor={factor}, and {FACTOR} is the most that is taken here"
            )));
        }
    }
    let (all, most) = (after.replicas(), ClusterConfiguration::MOST_REPLICAS);
    if all > most.max(before.replicas()) {
        return Err(Status::invalid_argument(format!(
            "the shards of all namespaces would have {all} replicas, and more than {most} are not taken here"
        )));
    }
    Ok(())
}

/// The names of the namespaces that come in.
pub(super) fn coming_in<'a>(
    before: &ClusterConfiguration,
    after: &'a ClusterConfiguration,
) -> Vec<&'a Arc<str>> {
    let names = after.namespaces.iter().map(|it| &it.name);
    names.filter(|it| before.namespace(it).is_none()).collect()
}

/// Looks whether a namespace that comes in would have what it had before: it was taken out, and is not being
/// deleted yet.
pub(super) fn check_are_anew(
    coming_in: &[&Arc<str>],
    status: &ClusterStatus,
) -> Result<(), Status> {
    for name in coming_in {
        let there = status.namespaces.get(*name);
        let kept = there.map_or(0, |it| it.kept().count());
        if kept > 0 {
            return Err(Status::failed_precondition(format!(
                "namespace {name:?} was taken out of the configuration, and its {kept} shards are not being deleted \
                 yet, so what is in them would stay: wait until they are, as stepdown plan shows, or put it back \
                 into the configuration by hand"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn of(namespaces: &[(&str, u32, u32)]) -> ClusterConfiguration {
        let namespaces = namespaces.iter().map(|(name, shards, factor)| {
            format!("{{name: {name}, initialShardCount: {shards}, replicationFactor: {factor}}}")
        });
        let namespaces: Vec<_> = namespaces.collect();
        let text = format!("namespaces: [{}]", namespaces.join(", "));
        ClusterConfiguration::decode(&text).unwrap()
    }

    #[test]
    fn more_replicas_than_any_cluster_has_use_for_are_not_asked_for() {
        let refused = |before: &[_], after: &[_]| {
            let refused = check_replicas(&of(before), &of(after)).err()?;
            assert_eq!(refused.code(), Code::InvalidArgument);
            Some(refused.message().to_owned())
        };
        assert_eq!(refused(&[], &[("a", 1, 64), ("b", 65_536, 3)]), None);
        let too_many = refused(&[], &[("a", 1, 65)]).unwrap();
        assert!(too_many.contains("replicationFactor=65"), "{too_many}");
        let all = [("a", 4_096, 64), ("b", 1, 1)];
        let too_many = refused(&[], &all).unwrap();
        assert!(too_many.contains("262145 replicas"), "{too_many}");
        assert!(refused(&[], &[("a", u32::MAX, 64), ("b", u32::MAX, 64)]).is_some());
    }

    #[test]
    fn what_has_more_already_may_keep_it_and_get_less() {
        let before = of(&[("a", 8_192, 65), ("b", 1, 1)]);
        for (after, is_taken) in [
            (of(&[("a", 8_192, 65)]), true),
            (of(&[("a", 8_192, 64), ("b", 1, 1)]), true),
            (of(&[("a", 8_192, 66), ("b", 1, 1)]), false),
            (of(&[("a", 8_192, 65), ("b", 1, 2)]), false),
            (of(&[("a", 8_192, 65), ("c", 1, 1), ("b", 1, 1)]), false),
        ] {
            assert_eq!(check_replicas(&before, &after).is_ok(), is_taken);
        }
    }

    #[test]
    fn only_what_comes_in_and_is_still_there_would_not_be_anew() {
        let status = ClusterStatus::decode(
            "namespaces: {a: {replicationFactor: 1, shards: {0: {status: 1}}},
  b: {replicationFactor: 1, shards: {1: {status: 3}}}}",
        )
        .unwrap();
        let (none, all) = (of(&[]), of(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]));
        let refused = check_are_anew(&coming_in(&none, &all), &status).unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(
            refused.message().starts_with("namespace \"a\""),
            "{refused}"
        );
        check_are_anew(&coming_in(&of(&[("a", 1, 1)]), &all), &status).unwrap();
    }
}
