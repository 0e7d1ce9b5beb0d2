//! Namespaces are added, changed and taken out.

use std::sync::Arc;

use super::NamespaceRequest;
use super::bounds::{check_name, check_room_for_namespace};
use super::error::EditError;
use crate::cluster::configuration::document::{ClusterConfiguration, KeySorting, Namespace};
use crate::cluster::configuration::validate::{MAX_SHARDS, is_namespace_name};

impl ClusterConfiguration {
    /// The namespace of this name.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.iter().find(|it| *it.name == *name)
    }

    /// Adds a namespace.
    pub fn create_namespace(&mut self, asked: &NamespaceRequest) -> Result<Namespace, EditError> {
        check_namespace_name(&asked.name)?;
        // As in documents, and as upstream's commands send it.
        let key_sorting = match asked.key_sorting.to_ascii_lowercase().as_str() {
            "natural" => KeySorting::Natural,
            "hierarchical" => KeySorting::Hierarchical,
            _ => {
                return Err(invalid(
                    "key sorting must be one of \"natural\" or \"hierarchical\"",
                ));
            }
        };
        if asked.initial_shard_count == 0 {
            return Err(invalid(
                "namespace initial shard count must be greater than 0",
            ));
        }
        if asked.initial_shard_count > MAX_SHARDS {
            return Err(invalid(&format!(
                "namespace initial shard count must be {MAX_SHARDS} at most"
            )));
        }
        if asked.replication_factor == 0 {
            return Err(invalid(
                "namespace replication factor must be greater than 0",
            ));
        }
        if asked.has_anti_affinities {
            return Err(invalid(
                "namespace anti affinities can't be set here; write them into the configuration",
            ));
        }
        let name: Arc<str> = asked.name.as_str().into();
        if self.namespace(&name).is_some() {
            return Err(EditError::NamespaceExists(name));
        }
        let precondition = |reason| EditError::Precondition {
            attempt: format!("create namespace {name:?}"),
            reason,
        };
        self.check_factor(&name, asked.replication_factor)
            .and_then(|()| check_room_for_namespace(self.namespaces.len()))
            .map_err(precondition)?;
        let namespace = Namespace {
            name,
            initial_shard_count: asked.initial_shard_count,
            replication_factor: asked.replication_factor,
            notifications_enabled: asked.notifications_enabled,
            key_sorting,
            anti_affinities: Vec::new(),
        };
        self.namespaces.push(namespace.clone());
        Ok(namespace)
    }

    /// Changes a namespace's replication factor, and whether it has notifications; answers what it is
    /// then.
    pub fn patch_namespace(&mut self, asked: &NamespaceRequest) -> Result<Namespace, EditError> {
        self.check_asked(&asked.name)?;
        for (field, is_set) in [
            ("initial shard count", asked.initial_shard_count != 0),
            ("key sorting", !asked.key_sorting.is_empty()),
            ("anti affinities", asked.has_anti_affinities),
        ] {
            if is_set {
                return Err(invalid(&format!("namespace {field} cannot be patched")));
            }
        }
        let name = &asked.name;
        let position = self.find(name)?;
        self.check_factor(name, asked.replication_factor)
            .map_err(|reason| EditError::Precondition {
                attempt: format!("patch namespace {name:?}"),
                reason,
            })?;
        let namespace = self.namespaces.get_mut(position);
        let namespace = namespace.ok_or_else(|| not_found(name))?;
        if asked.replication_factor != 0 {
            namespace.replication_factor = asked.replication_factor;
        }
        if asked.notifications_enabled.is_some() {
            namespace.notifications_enabled = asked.notifications_enabled;
        }
        Ok(namespace.clone())
    }

    /// Takes a namespace out; answers what it was.
    pub fn delete_namespace(&mut self, name: &str) -> Result<Namespace, EditError> {
        self.check_asked(name)?;
        let position = self.find(name)?;
        Ok(self.namespaces.remove(position))
    }

    /// One that somebody has written by hand may have any name that a document may have.
    fn check_asked(&self, name: &str) -> Result<(), EditError> {
        match self.namespace(name) {
            Some(_) => Ok(()),
            None => check_namespace_name(name),
        }
    }

    fn find(&self, name: &str) -> Result<usize, EditError> {
        let position = self.namespaces.iter().position(|it| *it.name == *name);
        position.ok_or_else(|| not_found(name))
    }

    fn check_factor(&self, name: &str, factor: u32) -> Result<(), String> {
        let servers = self.servers.len();
        if usize::try_from(factor).is_ok_and(|factor| factor <= servers) {
            return Ok(());
        }
        Err(format!(
            "namespace {name:?} has replicationFactor={factor} but only {servers} servers are configured"
        ))
    }
}

fn check_namespace_name(name: &str) -> Result<(), EditError> {
    if name.is_empty() {
        return Err(invalid("namespace must not be empty"));
    }
    check_name("namespace name", name)?;
    if name.contains(['/', '\\']) {
        return Err(invalid(&format!(
            "namespace {name:?} contains invalid path separator"
        )));
    }
    if !is_namespace_name(name) {
        return Err(invalid(&format!(
            "namespace {name:?} is not a name; start with a letter or digit, go on with those or '_', '.', '-', \
             without '..'"
        )));
    }
    Ok(())
}

fn invalid(told: &str) -> EditError {
    EditError::Invalid(told.to_owned())
}

fn not_found(name: &str) -> EditError {
    EditError::NamespaceNotFound(name.into())
}
