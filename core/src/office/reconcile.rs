//! What follows from a configuration: servers, addresses, namespaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Office;
use crate::cluster::{ClusterConfiguration, DataServerIdentity};
use crate::effect::Effect;
use crate::id::{ServerId, ShardId};
use crate::report::Report;
use crate::server::{News, ServerController};
use crate::shard::ShardController;
use crate::timers::Timer;
use crate::tools::Tools;

impl Office {
    /// Puts a configuration into force. Without one, the servers are those of the document.
    pub(crate) fn reconcile(
        &mut self,
        configuration: Option<Arc<ClusterConfiguration>>,
        tools: &mut Tools,
    ) {
        if configuration.is_some() {
            self.configuration = configuration;
        }
        self.reconcile_servers(tools);
        self.reconcile_addresses(tools);
        self.create_namespaces(tools);
        self.publish(tools);
    }

    fn reconcile_servers(&mut self, tools: &mut Tools) {
        let wanted = self.wanted_servers();
        let known: Vec<ServerId> = self.servers.keys().cloned().collect();
        for id in known {
            let identity = self.servers.get(&id).map(ServerController::identity);
            let kept = wanted
                .get(&id)
                .is_some_and(|(wanted, _)| Some(wanted) == identity);
            if !kept {
                self.drop_server(&id, wanted.contains_key(&id), tools);
            }
        }
        for (id, (identity, configured)) in wanted {
            let mut server = match self.servers.remove(&id) {
                Some(server) => server,
                None => ServerController::new(identity, configured, tools.now),
            };
            server.set_configured(configured, tools);
            if let Some(latest) = self.latest_assignments() {
                server.publish(&latest, tools);
            }
            self.servers.insert(id.clone(), server);
            self.with_server(&id, tools, |server, tools| {
                server.time_passed(tools);
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

    fn drop_server(&mut self, id: &ServerId, replaced: bool, tools: &mut Tools) {
        let Some(mut server) = self.servers.remove(id) else {
            return;
        };
        server.close(tools);
        self.timers.set(Timer::Server(id.clone()), None);
        tools.emit(Effect::ForgetServer {
            tenure: tools.tenure,
            server: id.clone(),
        });
        if !replaced {
            tools.report(Report::ServerForgotten { server: id.clone() });
        }
    }

    /// A shard whose servers are stored with other addresses is elected, which refreshes them.
    pub(super) fn reconcile_addresses(&mut self, tools: &mut Tools) {
        let ids: Vec<ShardId> = self.shards.keys().copied().collect();
        for id in ids {
            self.with_shard(id, tools, |shard: &mut ShardController, desk| {
                if shard.is_misaddressed(desk) {
                    shard.elect(desk);
                }
            });
        }
    }
}
