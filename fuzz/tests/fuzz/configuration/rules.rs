//! What a configuration has to be, said once more and as plainly as can be: which keys are at fault.

use std::collections::BTreeSet;

use stepdown_core::cluster::{ClusterConfiguration, DataServerIdentity, Namespace};

use super::made;

/// The keys of whatever breaks a rule.
pub fn broken(configuration: &ClusterConfiguration) -> BTreeSet<String> {
    let ClusterConfiguration {
        namespaces,
        servers,
        coordinators,
        ..
    } = configuration;
    let mut keys = BTreeSet::new();
    if are_too_many(namespaces) {
        keys.insert("namespaces".to_owned());
    }
    for (index, namespace) in namespaces.iter().enumerate() {
        let before = &namespaces[..index];
        let is_twice = is_in(&namespace.name, before.iter().map(|it| &*it.name));
        if is_twice || !may_be_named(&namespace.name) {
            keys.insert(format!("namespaces[{index}].name"));
        }
        of_namespace(namespace, servers.len(), &mut |key| {
            keys.insert(format!("namespaces[{index}].{key}"));
        });
    }
    for (index, server) in servers.iter().enumerate() {
        let before = &servers[..index];
        if is_blank(&server.public) || is_in(&server.public, before.iter().map(|it| &*it.public)) {
            keys.insert(format!("servers[{index}].public"));
        }
        let internals = before.iter().map(|it| &*it.internal);
        if is_blank(&server.internal) || is_in(&server.internal, internals) {
            keys.insert(format!("servers[{index}].internal"));
        }
        // Two that have no name have the same address, which is said already.
        let is_name = servers
            .iter()
            .any(|it| it.name.as_deref() == Some(id(server)));
        if is_name && before.iter().any(|it| id(it) == id(server)) && !id(server).is_empty() {
            keys.insert(format!("servers[{index}].name"));
        }
    }
    for (index, coordinator) in coordinators.iter().enumerate() {
        let mut before = coordinators[..index].iter();
        if coordinator.name.is_empty() || before.any(|it| it.name == coordinator.name) {
            keys.insert(format!("coordinators[{index}].name"));
        }
        if is_blank(&coordinator.public_address) {
            keys.insert(format!("coordinators[{index}].publicAddress"));
        }
    }
    keys
}

/// Whether their shards have more replicas than all may have.
pub fn are_too_many(namespaces: &[Namespace]) -> bool {
    let of =
        |it: &Namespace| u128::from(it.initial_shard_count) * u128::from(it.replication_factor);
    namespaces.iter().map(of).sum::<u128>() > u128::from(made::MOST_REPLICAS)
}

fn of_namespace(namespace: &Namespace, servers: usize, tell: &mut dyn FnMut(String)) {
    if !(1..=servers).contains(&(namespace.replication_factor as usize)) {
        tell("replicationFactor".to_owned());
    }
    if !(1..=made::MOST_SHARDS).contains(&namespace.initial_shard_count) {
        tell("initialShardCount".to_owned());
    }
    for (index, rule) in namespace.anti_affinities.iter().enumerate() {
        if rule.labels.is_empty() {
            tell(format!("antiAffinities[{index}].labels"));
        }
        for (label, text) in rule.labels.iter().enumerate() {
            if is_blank(text) {
                tell(format!("antiAffinities[{index}].labels[{label}]"));
            }
        }
    }
}

fn id(server: &DataServerIdentity) -> &str {
    match server.name.as_deref() {
        None | Some("") => &server.internal,
        Some(name) => name,
    }
}

fn is_in<'a>(text: &str, mut others: impl Iterator<Item = &'a str>) -> bool {
    !text.is_empty() && others.any(|it| it == text)
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

fn may_be_named(name: &str) -> bool {
    let is_plain = |it: char| matches!(it, 'a'..='z' | 'A'..='Z' | '0'..='9');
    let is_other = |it: char| matches!(it, '_' | '.' | '-');
    name.chars().next().is_some_and(is_plain)
        && name.chars().all(|it| is_plain(it) || is_other(it))
        && !name.contains("..")
}
