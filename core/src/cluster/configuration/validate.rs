//! Judges the configuration document before anything is done about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::document::{ClusterConfiguration, Namespace};
use crate::cluster::yaml::DecodeError;

/// The most shards that a namespace is created with: beyond it, the ranges that Oxia's formula
/// gives them overlap.
pub(crate) const MAX_SHARDS: u32 = 65_536;

/// A configuration that is not put in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// There is none.
    #[error("there is no configuration: write one that names servers and namespaces")]
    Missing,
    /// It says nothing. That must not mean "delete everything": an editor that truncates before it
    /// writes would do just that.
    #[error("the configuration is empty: write servers and namespaces into it")]
    Empty,
    /// It says something, but has neither servers nor namespaces in it: nor must that.
    #[error(
        "the configuration names neither servers nor namespaces: write them under the keys \
         `servers` and `namespaces`"
    )]
    NamesNothing,
    /// It is not a configuration document.
    #[error("the configuration can't be read: {0}")]
    Unreadable(DecodeError),
    /// It asks for what can't be had.
    #[error("the configuration is not valid: {0}")]
    Invalid(ConfigurationProblems),
}

/// Everything that is wrong with a configuration, each with its key and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigurationProblems(pub Vec<String>);

impl fmt::Display for ConfigurationProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl ClusterConfiguration {
    /// So many replicas all shards may have: each has its place in the status, which is written whole, and in a plan.
    pub const MOST_REPLICAS: u64 = 262_144;

    /// How many replicas all shards have that are asked for.
    #[must_use]
    pub fn replicas(&self) -> u64 {
        let of_each = self
            .namespaces
            .iter()
            .map(|it| u64::from(it.initial_shard_count) * u64::from(it.replication_factor));
        of_each.fold(0, u64::saturating_add)
    }

    /// The configuration in `text`, if it is one that can be put in force; `None` stands for a
    /// document that is absent.
    pub fn read(text: Option<&str>) -> Result<Self, ConfigurationError> {
        let text = text.ok_or(ConfigurationError::Missing)?;
        let configuration = match Self::decode(text) {
            Ok(configuration) => configuration,
            Err(DecodeError::Empty) => return Err(ConfigurationError::Empty),
            Err(error @ (DecodeError::Syntax { .. } | DecodeError::Key { .. })) => {
                return Err(ConfigurationError::Unreadable(error));
            }
        };
        if configuration.servers.is_empty() && configuration.namespaces.is_empty() {
            return Err(ConfigurationError::NamesNothing);
        }
        match configuration.validate() {
            Ok(()) => Ok(configuration),
            Err(problems) => Err(ConfigurationError::Invalid(problems)),
        }
    }

    /// Whether it can be put in force; if not, all the reasons.
    pub fn validate(&self) -> Result<(), ConfigurationProblems> {
        let mut problems = Vec::new();
        self.check_namespaces(&mut problems);
        self.check_servers(&mut problems);
        self.check_coordinators(&mut problems);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigurationProblems(problems))
        }
    }

    fn check_namespaces(&self, problems: &mut Vec<String>) {
        self.check_replicas(problems);
        let names = self.namespaces.iter().map(|it| it.name.clone());
        check_distinct("namespaces", "name", names, problems);
        for (index, namespace) in self.namespaces.iter().enumerate() {
            let mut found = Vec::new();
            namespace.check(self.servers.len(), &mut found);
            let named = found
                .iter()
                .map(|problem| format!("namespaces[{index}].{problem}"));
            problems.extend(named);
        }
    }

    fn check_replicas(&self, problems: &mut Vec<String>) {
        let (all, most) = (self.replicas(), Self::MOST_REPLICAS);
        if all > most {
            problems.push(format!(
                "namespaces: their shards have {all} replicas in all, which is more than {most}; lower an \
                 initialShardCount"
            ));
        }
    }

    fn check_servers(&self, problems: &mut Vec<String>) {
        let publics = self.servers.iter().map(|server| server.public.clone());
        let internals = self.servers.iter().map(|server| server.internal.clone());
        check_distinct("servers", "public", publics, problems);
        check_distinct("servers", "internal", internals, problems);
        // An unnamed server's id is its internal address, which may be another's name.
        let names: BTreeSet<_> = self
            .servers
            .iter()
            .filter_map(|it| it.name.clone())
            .collect();
        let ids = self.servers.iter().map(|server| server.id().0);
        let named = ids.map(|id| names.get(&id).cloned().unwrap_or_default());
        check_distinct("servers", "name", named, problems);
        for (index, server) in self.servers.iter().enumerate() {
            for (key, address) in [("public", &server.public), ("internal", &server.internal)] {
                if address.trim().is_empty() {
                    problems.push(format!("servers[{index}].{key}: is empty; give host:port"));
                }
            }
        }
    }

    fn check_coordinators(&self, problems: &mut Vec<String>) {
        let names = self.coordinators.iter().map(|it| it.name.clone());
        check_distinct("coordinators", "name", names, problems);
        for (index, coordinator) in self.coordinators.iter().enumerate() {
            if coordinator.name.is_empty() {
                problems.push(format!(
                    "coordinators[{index}].name: is empty; give its metadata.name"
                ));
            }
            if coordinator.public_address.trim().is_empty() {
                problems.push(format!(
                    "coordinators[{index}].publicAddress: is empty; give host:port"
                ));
            }
        }
    }
}

impl Namespace {
    fn check(&self, servers: usize, problems: &mut Vec<String>) {
        if !is_namespace_name(&self.name) {
            problems.push(format!(
                "name: '{}' is not a name; start with a letter or digit, go on with those or \
                 '_', '.', '-', without '..'",
                self.name
            ));
        }
        let factor = self.replication_factor;
        if factor == 0 {
            problems.push("replicationFactor: must be at least 1".to_owned());
        } else if usize::try_from(factor).is_ok_and(|factor| factor > servers) {
            let servers = match servers {
                1 => "1 server".to_owned(),
                servers => format!("{servers} servers"),
            };
            problems.push(format!(
                "replicationFactor: {factor} is more than the {servers}; lower it or add servers"
            ));
        }
        if self.initial_shard_count == 0 {
            problems.push("initialShardCount: must be at least 1".to_owned());
        } else if self.initial_shard_count > MAX_SHARDS {
            problems.push(format!(
                "initialShardCount: {} is more than {MAX_SHARDS}; lower it",
                self.initial_shard_count
            ));
        }
        for (index, rule) in self.anti_affinities.iter().enumerate() {
            if rule.labels.is_empty() {
                problems.push(format!(
                    "antiAffinities[{index}].labels: are missing; name at least one"
                ));
            }
            for (label, text) in rule.labels.iter().enumerate() {
                if text.trim().is_empty() {
                    problems.push(format!(
                        "antiAffinities[{index}].labels[{label}]: is blank; name a label"
                    ));
                }
            }
        }
    }
}

/// Names what occurs twice, but for what is empty.
fn check_distinct(
    list: &str,
    key: &str,
    texts: impl Iterator<Item = Arc<str>>,
    problems: &mut Vec<String>,
) {
    let mut seen = BTreeMap::new();
    for (index, text) in texts.enumerate() {
        if text.is_empty() {
            continue;
        }
        if let Some(first) = seen.get(&text) {
            problems.push(format!(
                "{list}[{index}].{key}: '{text}' is that of {list}[{first}] too; change or remove \
                 one"
            ));
        } else {
            seen.insert(text, index);
        }
    }
}

pub(super) fn is_namespace_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !name.contains("..")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
