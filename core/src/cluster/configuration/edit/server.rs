//! Data servers are added, changed and taken out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bounds::{check_address, check_labels, check_name, check_room_for_server};
use super::error::EditError;
use super::{DataServer, DataServerPatch};
use crate::cluster::configuration::document::ClusterConfiguration;
use crate::cluster::identity::DataServerIdentity;
use crate::id::ServerId;

impl ClusterConfiguration {
    /// The data server of this id, named by it.
    #[must_use]
    pub fn data_server(&self, id: &str) -> Option<DataServer> {
        let server = self.servers.iter().find(|it| *it.id().0 == *id)?;
        Some(self.with_labels(server))
    }

    /// All data servers, in their order, each named by its id.
    pub fn data_servers(&self) -> impl Iterator<Item = DataServer> {
        self.servers.iter().map(|server| self.with_labels(server))
    }

    /// Adds a data server. Labels that are there for its name already stay, if it brings none.
    pub fn create_data_server(&mut self, server: DataServer) -> Result<DataServer, EditError> {
        let DataServer { identity, labels } = &server;
        let name = identity.name.as_deref().unwrap_or_default();
        for (field, text) in [
            ("name", name),
            ("public address", &identity.public),
            ("internal address", &identity.internal),
        ] {
            if text.trim().is_empty() {
                return Err(EditError::Invalid(format!(
                    "data server {field} must not be empty"
                )));
            }
        }
        check_name("data server name", name)?;
        check_address("data server public address", &identity.public)?;
        check_address("data server internal address", &identity.internal)?;
        check_labels(labels)?;
        let id = identity.id();
        if self.position(&id.0).is_some() {
            return Err(EditError::ServerExists(id.0));
        }
        check_room_for_server(self.servers.len()).map_err(|reason| EditError::Precondition {
            attempt: format!("create data server {name:?}"),
            reason,
        })?;
        if !labels.is_empty() {
            self.server_metadata.insert(id, labels.clone());
        }
        self.servers.push(identity.clone());
        Ok(server)
    }

    /// Changes a data server's addresses and labels; answers what it is then.
    pub fn patch_data_server(&mut self, patch: &DataServerPatch) -> Result<DataServer, EditError> {
        check_is_named(&patch.id)?;
        check_address("data server public address", &patch.public)?;
        check_address("data server internal address", &patch.internal)?;
        check_labels(&patch.labels)?;
        let not_found = || EditError::ServerNotFound(patch.id.as_str().into());
        let position = self.position(&patch.id).ok_or_else(not_found)?;
        let server = self.servers.get_mut(position).ok_or_else(not_found)?;
        let is_named = server.name.as_deref().is_some_and(|name| !name.is_empty());
        if !is_named && !patch.internal.is_empty() && *patch.internal != *server.internal {
            return Err(EditError::Precondition {
                attempt: format!("patch data server {:?}", patch.id),
                reason: "it has no name, so that with another internal address it would be another data \
                         server; give it a name in the configuration first"
                    .to_owned(),
            });
        }
        for (address, new) in [
            (&mut server.public, &patch.public),
            (&mut server.internal, &patch.internal),
        ] {
            if !new.is_empty() {
                *address = new.as_str().into();
            }
        }
        let (id, identity) = (server.id(), server.named());
        if !patch.labels.is_empty() {
            self.server_metadata
                .insert(id.clone(), patch.labels.clone());
        }
        let labels = self.labels(&id);
        Ok(DataServer { identity, labels })
    }

    /// Takes a data server out, if there are enough without it; answers what it was.
    pub fn delete_data_server(&mut self, id: &str) -> Result<DataServer, EditError> {
        check_is_named(id)?;
        let not_found = || EditError::ServerNotFound(id.into());
        let position = self.position(id).ok_or_else(not_found)?;
        let precondition = |reason| EditError::Precondition {
            attempt: format!("delete data server {id:?}"),
            reason,
        };
        let remaining = self.servers.len() - 1;
        let mut namespaces = self.namespaces.iter();
        if let Some(starved) = namespaces
            .find(|it| usize::try_from(it.replication_factor).is_ok_and(|n| n > remaining))
        {
            let (name, factor) = (&starved.name, starved.replication_factor);
            return Err(precondition(format!(
                "cannot delete data server {id:?} because namespace {name:?} replicationFactor={factor} exceeds \
                 remaining data servers={remaining}"
            )));
        }
        if remaining == 0 {
            return Err(precondition(format!(
                "cannot delete data server {id:?} because it is the last one"
            )));
        }
        let identity = self.servers.remove(position);
        let labels = self.server_metadata.remove(&identity.id());
        Ok(DataServer {
            identity: identity.named(),
            labels: labels.unwrap_or_default(),
        })
    }

    fn with_labels(&self, server: &DataServerIdentity) -> DataServer {
        DataServer {
            identity: server.named(),
            labels: self.labels(&server.id()),
        }
    }

    fn labels(&self, id: &ServerId) -> BTreeMap<Arc<str>, Arc<str>> {
        self.server_metadata.get(id).cloned().unwrap_or_default()
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.servers.iter().position(|it| *it.id().0 == *id)
    }
}

fn check_is_named(id: &str) -> Result<(), EditError> {
    if id.is_empty() {
        let told = "data server name must not be empty".to_owned();
        return Err(EditError::Invalid(told));
    }
    Ok(())
}
