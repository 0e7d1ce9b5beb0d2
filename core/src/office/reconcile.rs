//! What follows from a configuration: servers, addresses, namespaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Office;
use crate::cluster::{ClusterConfiguration, DataServerIdentity};
use crate::context::Context;
use crate::effect::Effect;
use crate::id::{ServerId, ShardId};
use crate::report::Report;
use crate::server::{News, ServerController};
use crate::shard::ShardController;
use crate::timers::Timer;

impl Office {
    /// Puts a configuration into force. Without one, the servers are those of the document.
    pub(crate) fn reconcile(
        &mut self,
        configuration: Option<Arc<ClusterConfiguration>>,
        context: &mut Context,
    ) {
        match configuration {
            Some(configuration) => {
                if let Some(configuration) = self.held_back(configuration, context) {
                    self.put_into_force(configuration, context);
                    return;
                }
                // Servers of the document are worked with meanwhile.
                if self.configuration.is_none() {
                    self.reconcile_servers(context);
                }
            }
            None => self.reconcile_all(context),
        }
    }

    pub(super) fn put_into_force(
        &mut self,
        configuration: Arc<ClusterConfiguration>,
        context: &mut Context,
    ) {
        self.configuration = Some(configuration);
        self.reconcile_all(context);
        self.moves.begin_anew(context);
    }

    fn reconcile_all(&mut self, context: &mut Context) {
        self.reconcile_servers(context);
        self.reconcile_addresses(context);
        self.delete_namespaces(context);
        self.create_namespaces(context);
        self.publish(context);
    }

    /// Whether there are servers that are neither configured nor have any part of a shard any more.
    pub(super) fn has_idle_servers(&self) -> bool {
        let mut draining = self
            .servers
            .iter()
            .filter(|(_, server)| !server.is_configured());
        if draining.next().is_none() {
            return false;
        }
        let wanted = self.wanted_servers();
        self.servers.keys().any(|id| !wanted.contains_key(id))
    }

    pub(super) fn reconcile_servers(&mut self, context: &mut Context) {
        let wanted = self.wanted_servers();
        let known: Vec<ServerId> = self.servers.keys().cloned().collect();
        for id in known {
            let identity = self.servers.get(&id).map(ServerController::identity);
            let kept = wanted
                .get(&id)
                .is_some_and(|(wanted, _)| identity.is_some_and(|it| it.same_addresses(wanted)));
            if !kept {
                self.drop_server(&id, wanted.contains_key(&id), context);
            }
        }
        for (id, (identity, configured)) in wanted {
            let server = match self.servers.remove(&id) {
                Some(mut server) => {
                    server.set_identity(identity);
                    server.set_configured(configured, context);
                    server
                }
                None => {
                    let mut server = ServerController::new(identity, configured, context.now);
                    if let Some(latest) = self.latest_assignments() {
                        server.publish(&latest, context);
                    }
                    server
                }
            };
            self.servers.insert(id.clone(), server);
            self.with_server(&id, context, |server, context| {
                server.time_passed(context);
                News::None
            });
        }
    }

    /// The configured servers, and those that are not but still hold a shard: these drain.
    fn wanted_servers(&self) -> BTreeMap<ServerId, (DataServerIdentity, bool)> {
        let mut wanted = BTreeMap::new();
        let is_configuration_known = self.configuration.is_some();
        for (_, _, shard) in self.ledger.working().shards() {
            let members = shard
                .ensemble
                .iter()
                .chain(&shard.removed_nodes)
                .chain(&shard.pending_delete_shard_nodes);
            for server in members {
                wanted
                    .entry(server.id())
                    .or_insert_with(|| (server.clone(), !is_configuration_known));
            }
        }
        for server in self
            .configuration
            .iter()
            .flat_map(|configuration| &configuration.servers)
        {
            wanted.insert(server.id(), (server.clone(), true));
        }
        wanted
    }

    fn drop_server(&mut self, id: &ServerId, replaced: bool, context: &mut Context) {
        let Some(mut server) = self.servers.remove(id) else {
            return;
        };
        server.close(context);
        self.timers.set(Timer::Server(id.clone()), None);
        context.emit(Effect::ForgetServer {
            tenure: context.tenure,
            server: id.clone(),
        });
        if !replaced {
            context.report(Report::ServerForgotten { server: id.clone() });
        }
    }

    /// A shard whose servers are stored with other addresses is elected, which refreshes them.
    pub(super) fn reconcile_addresses(&mut self, context: &mut Context) {
        let ids: Vec<ShardId> = self.shards.keys().copied().collect();
        for id in ids {
            self.with_shard(id, context, ShardController::readdress);
        }
    }
}
