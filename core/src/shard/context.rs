//! What a shard works with, lent by the office for the length of one event.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::intent::Intent;
use super::leaders::Leaders;
use crate::cluster::{ClusterConfiguration, DataServerIdentity, Namespace};
use crate::context::Context;
use crate::id::ServerId;
use crate::ledger::Ledger;
use crate::server::{Reach, ServerController};

/// The machine's own context, the ledger, and what a shard has to know of the others.
pub(crate) struct ShardContext<'a> {
    pub(crate) context: &'a mut Context,
    pub(crate) ledger: &'a mut Ledger<Intent>,
    pub(crate) leaders: &'a mut Leaders,
    pub(crate) known: Known<'a>,
}

/// What is known of the data servers, and what is configured.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) servers: &'a BTreeMap<ServerId, ServerController>,
    pub(crate) configuration: Option<&'a ClusterConfiguration>,
}

impl<'a> Deref for ShardContext<'a> {
    type Target = Known<'a>;

    fn deref(&self) -> &Known<'a> {
        &self.known
    }
}

impl Known<'_> {
    pub(super) fn reach(&self, server: &DataServerIdentity) -> Reach {
        self.servers
            .get(&server.id())
            .map_or(Reach::Unknown, ServerController::reach)
    }

    /// Whether the server is known to be away: it would not answer.
    pub(super) fn is_away(&self, server: &DataServerIdentity) -> bool {
        self.servers
            .get(&server.id())
            .is_some_and(ServerController::is_away)
    }

    /// Whether a person has said that the server never comes back.
    pub(super) fn is_given_up(&self, server: &DataServerIdentity) -> bool {
        self.servers
            .get(&server.id())
            .is_some_and(ServerController::is_given_up)
    }

    /// Whether the server belongs to another cluster.
    pub(super) fn is_foreign(&self, server: &DataServerIdentity) -> bool {
        self.servers
            .get(&server.id())
            .is_some_and(ServerController::is_foreign)
    }

    /// The server as configured now, if it still is.
    pub(super) fn configured(&self, server: &DataServerIdentity) -> Option<&DataServerIdentity> {
        let id = server.id();
        self.configuration?
            .servers
            .iter()
            .find(|configured| configured.id() == id)
    }

    /// Whether there is a configuration, and the server is not in it.
    pub(super) fn is_draining(&self, server: &DataServerIdentity) -> bool {
        self.configuration.is_some() && self.configured(server).is_none()
    }

    /// The server at the address that is configured now, or, where it is not any more, as stored.
    pub(super) fn addressed(&self, server: &DataServerIdentity) -> DataServerIdentity {
        self.configured(server).unwrap_or(server).clone()
    }

    /// The namespace as configured now, if it still is.
    pub(super) fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.configuration?
            .namespaces
            .iter()
            .find(|namespace| *namespace.name == *name)
    }
}
