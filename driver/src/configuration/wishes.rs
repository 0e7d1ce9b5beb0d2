//! What a configuration wishes for and does not get: where what is stored differs from it for good, and
//! what this release can't do. Oxia passes over all of this without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::cluster::{
    AntiAffinityMode, ClusterConfiguration, ClusterStatus, DataServerIdentity, Namespace,
    NamespaceStatus,
};
use stepdown_core::{Role, ServerId};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::event_loop::View;
use crate::observe::metrics::Documents;

/// How long it is waited before it is compared again: a status changes often.
const PAUSE: Duration = Duration::from_secs(1);

/// Says while this coordinator leads what of the configuration has no effect, each wish once. Ends with
/// the coordinator.
pub(crate) async fn follow(
    mut configurations: watch::Receiver<Option<Arc<ClusterConfiguration>>>,
    mut view: watch::Receiver<View>,
    documents: Documents,
) {
    let mut told = BTreeSet::new();
    let mut sorting = Sorting::default();
    loop {
        let (now, configuration) = (
            view.borrow_and_update().clone(),
            configurations.borrow_and_update().clone(),
        );
        let vain = match (now.role, &now.status, &configuration) {
            (Role::Leader, Some(status), Some(configuration)) => {
                let mut vain = without_effect(configuration, status);
                vain.extend(sorting.changed(configuration, status));
                vain
            }
            (Role::Candidate | Role::Leader | Role::SteppingDown, _, _) => Vec::new(),
        };
        documents.wishes_without_effect(vain.len());
        let vain: BTreeSet<String> = vain.into_iter().collect();
        for wish in vain.difference(&told) {
            warn!(
                component = "coordinator",
                "A wish of the configuration has no effect: {wish}"
            );
        }
        told = vain;
        sleep(PAUSE).await;
        tokio::select! {
            changed = view.changed() => if changed.is_err() { return },
            changed = configurations.changed() => if changed.is_err() { return },
        }
    }
}

/// How the keys of namespaces were to be sorted when that was read first. It is nowhere stored.
#[derive(Default)]
struct Sorting(BTreeMap<Arc<str>, stepdown_core::cluster::KeySorting>);

impl Sorting {
    fn changed(
        &mut self,
        configuration: &ClusterConfiguration,
        status: &ClusterStatus,
    ) -> Vec<String> {
        let is_there = |name: &Arc<str>| {
            let namespace = status.namespaces.get(name);
            namespace.is_some_and(|it| it.kept().next().is_some())
        };
        self.0.retain(|name, _| is_there(name));
        let there = |it: &&Namespace| is_there(&it.name);
        let mut changed = Vec::new();
        for namespace in configuration.namespaces.iter().filter(there) {
            let sorting = namespace.key_sorting;
            let first = *self.0.entry(namespace.name.clone()).or_insert(sorting);
            if first != sorting {
                changed.push(format!(
                    "namespace {}: keySorting {sorting:?}, since how keys are sorted ({first:?}) is fixed when \
                     a namespace is made",
                    namespace.name
                ));
            }
        }
        changed
    }
}

/// Every wish that has no effect, in words.
fn without_effect(configuration: &ClusterConfiguration, status: &ClusterStatus) -> Vec<String> {
    let mut vain = Vec::new();
    for namespace in &configuration.namespaces {
        if let Some(there) = status.namespaces.get(&namespace.name) {
            of_namespace(configuration, namespace, there, &mut vain);
        }
        of_labels(configuration, namespace, &mut vain);
    }
    of_server_metadata(configuration, &mut vain);
    of_what_is_not_there_yet(configuration, &mut vain);
    vain
}

fn of_namespace(
    configuration: &ClusterConfiguration,
    namespace: &Namespace,
    there: &NamespaceStatus,
    vain: &mut Vec<String>,
) {
    let name = &namespace.name;
    let shards = there
        .shards
        .values()
        .filter(|it| it.is_assignable())
        .count();
    if shards == 0 {
        // What is there is being deleted; the one that is wished for comes.
        return;
    }
    let wanted = namespace.initial_shard_count;
    if usize::try_from(wanted) != Ok(shards) {
        vain.push(format!(
            "namespace {name}: initialShardCount {wanted}, since it has {shards} already, and counts only \
             when a namespace is made"
        ));
    }
    let (wanted, factor) = (namespace.replication_factor, there.replication_factor);
    if wanted != factor {
        vain.push(format!(
            "namespace {name}: replicationFactor {wanted}, since its shards were made with {factor}"
        ));
    }
    for (index, rule) in namespace.anti_affinities.iter().enumerate() {
        if rule.mode != AntiAffinityMode::Strict {
            continue;
        }
        let is_broken = |ensemble: &[DataServerIdentity]| {
            rule.labels
                .iter()
                .any(|label| !are_apart(configuration, label, ensemble))
        };
        let broken = there
            .shards
            .values()
            .filter(|shard| is_broken(&shard.ensemble))
            .count();
        if broken > 0 {
            vain.push(format!(
                "namespace {name}: antiAffinities[{index}], since {broken} of its {} shards are elsewhere, and \
                 shards that are there are not moved",
                there.shards.len()
            ));
        }
    }
}

/// Whether each of these servers has the label, with another value than the others. Of one that is not
/// configured any more nothing is known.
fn are_apart(
    configuration: &ClusterConfiguration,
    label: &Arc<str>,
    ensemble: &[DataServerIdentity],
) -> bool {
    let mut values = BTreeSet::new();
    ensemble.iter().all(|server| {
        let labels = configuration.server_metadata.get(&server.id());
        let value = labels.and_then(|labels| labels.get(label));
        value.is_some_and(|value| values.insert(value))
    })
}

fn of_labels(configuration: &ClusterConfiguration, namespace: &Namespace, vain: &mut Vec<String>) {
    for (index, rule) in namespace.anti_affinities.iter().enumerate() {
        for label in &rule.labels {
            let is_had = configuration
                .server_metadata
                .values()
                .any(|labels| labels.contains_key(label));
            if !is_had {
                vain.push(format!(
                    "namespace {}: antiAffinities[{index}] names the label {label}, which serverMetadata gives to \
                     no server",
                    namespace.name
                ));
            }
        }
    }
}

/// Labels of nobody.
fn of_server_metadata(configuration: &ClusterConfiguration, vain: &mut Vec<String>) {
    let servers: BTreeSet<ServerId> = configuration.servers.iter().map(|it| it.id()).collect();
    for server in configuration.server_metadata.keys() {
        if !servers.contains(server) {
            vain.push(format!(
                "serverMetadata of {server}, which is the name of no server"
            ));
        }
    }
}

fn of_what_is_not_there_yet(configuration: &ClusterConfiguration, vain: &mut Vec<String>) {
    if configuration.auto_split.enabled {
        vain.push("autoSplit, since shards are not split yet".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = "\
namespaces:
  - {name: default, initialShardCount: 2, replicationFactor: 2}
servers:
  - {name: s1, public: 'a:1', internal: 'a:2'}
  - {name: s2, public: 'b:1', internal: 'b:2'}
serverMetadata:
  s1: {labels: {zone: one}}
  s2: {labels: {zone: two}}
";
    const STATUS: &str = "\
namespaces:
  default:
    replicationFactor: 2
    shards:
      0: {status: 1, term: 1, ensemble: [{name: s1, public: 'a:1', internal: 'a:2'}, {name: s2, public: 'b:1', internal: 'b:2'}]}
      1: {status: 1, term: 1, ensemble: [{name: s1, public: 'a:1', internal: 'a:2'}, {name: s2, public: 'b:1', internal: 'b:2'}]}
shardIdGenerator: 2
instanceId: abc
";

    fn configuration(from: &str, to: &str) -> ClusterConfiguration {
        assert!(CONFIGURATION.contains(from));
        ClusterConfiguration::decode(&CONFIGURATION.replace(from, to)).unwrap()
    }

    fn status() -> ClusterStatus {
        ClusterStatus::decode(STATUS).unwrap()
    }

    fn vain(from: &str, to: &str) -> Vec<String> {
        without_effect(&configuration(from, to), &status())
    }

    #[test]
    fn a_configuration_that_has_come_true_wishes_for_nothing_more() {
        assert_eq!(vain("", ""), [""; 0]);
        let strict = "replicationFactor: 2, antiAffinities: [{labels: [zone], mode: Strict}]";
        assert_eq!(vain("replicationFactor: 2", strict), [""; 0]);
    }

    #[test]
    fn a_namespace_that_is_still_to_be_made_is_no_wish_in_vain() {
        let two = "servers:\n";
        let text = CONFIGURATION.replace(
            two,
            "  - {name: new, initialShardCount: 9, replicationFactor: 1}\nservers:\n",
        );
        let configuration = ClusterConfiguration::decode(&text).unwrap();
        assert_eq!(without_effect(&configuration, &status()), [""; 0]);
    }

    #[test]
    fn a_namespace_that_is_made_again_while_it_is_deleted_is_no_wish_in_vain() {
        let deleting = ClusterStatus::decode(&STATUS.replace("status: 1", "status: 3")).unwrap();
        assert!(deleting.shards().all(|(_, _, shard)| shard.is_deleting()));
        let configuration = configuration("initialShardCount: 2", "initialShardCount: 9");
        assert_eq!(without_effect(&configuration, &deleting), [""; 0]);
    }

    #[test]
    fn every_wish_that_has_no_effect_is_said_to_have_none() {
        for (from, to, expected) in [
            (
                "initialShardCount: 2",
                "initialShardCount: 16",
                "initialShardCount 16",
            ),
            (
                "replicationFactor: 2",
                "replicationFactor: 1",
                "replicationFactor 1",
            ),
            (
                "replicationFactor: 2",
                "replicationFactor: 2, antiAffinities: [{labels: [rack], mode: Relaxed}]",
                "names the label rack",
            ),
            ("s1: {labels", "s9: {labels", "serverMetadata of s9"),
            (
                "serverMetadata:",
                "autoSplit: {enabled: true}\nserverMetadata:",
                "autoSplit",
            ),
        ] {
            let found = vain(from, to);
            let [wish] = found.as_slice() else {
                panic!("{to}: {found:?}");
            };
            assert!(wish.contains(expected), "{wish}");
        }
    }

    #[test]
    fn shards_that_were_made_before_a_strict_rule_are_said_to_break_it() {
        let text = CONFIGURATION.replace("zone: two", "zone: one").replace(
            "replicationFactor: 2",
            "replicationFactor: 2, antiAffinities: [{labels: [zone], mode: Strict}]",
        );
        let configuration = ClusterConfiguration::decode(&text).unwrap();
        let found = without_effect(&configuration, &status());
        assert!(found[0].contains("2 of its 2 shards"), "{found:?}");
    }

    #[test]
    fn another_order_of_keys_is_said_to_come_too_late() {
        let mut sorting = Sorting::default();
        assert_eq!(sorting.changed(&configuration("", ""), &status()), [""; 0]);
        let natural = configuration("name: default", "name: default, keySorting: natural");
        let changed = sorting.changed(&natural, &status());
        assert!(changed[0].contains("keySorting Natural"), "{changed:?}");
    }
}
