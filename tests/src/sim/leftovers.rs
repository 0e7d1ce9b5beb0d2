//! X3: no server keeps a part of a shard that it is no member of.

use std::time::Duration;

use stepdown_core::cluster::{DataServerIdentity, ShardMetadata};
use stepdown_core::{Role, ServerId, ShardId};

use super::check::Check;
use super::converged::kept;
use super::world::World;

/// So long whoever was asked whether it has anything may become a member, or not have deleted what that opened.
const COMES: Duration = Duration::from_secs(90);

impl World<'_> {
    /// What the coordinator in office has made servers open, to know whether they have anything, is deleted where
    /// they did not become members.
    pub(super) fn nobody_else_has_any(&mut self) -> Check {
        let Some(status) = self.store.status().cloned() else {
            return Ok(());
        };
        for (_, id, shard) in kept(&status) {
            if self.is_hopeless(id, shard) {
                continue;
            }
            if let Some(server) = self.opened_in_vain(id, shard) {
                let text = format!("shard {id}: {server} has an empty replica: {shard:?}");
                return Err(self.violation("X3", text));
            }
        }
        Ok(())
    }

    fn opened_in_vain(&self, id: ShardId, shard: &ShardMetadata) -> Option<ServerId> {
        let now = self.queue.now();
        let in_office = self.hosts.iter().filter(|host| {
            let machine = host.machine.as_ref();
            machine.is_some_and(|machine| machine.role() == Role::Leader)
        });
        let probed = in_office.flat_map(|host| &host.facts.probed);
        let probed = probed.filter(|((shard, _), at)| *shard == id && now.since(**at) > COMES);
        let mut probed = probed.map(|((_, server), _)| server);
        let others = shard.ensemble.iter().chain(&shard.removed_nodes);
        let told = others.chain(&shard.pending_delete_shard_nodes);
        let told: Vec<ServerId> = told.map(DataServerIdentity::id).collect();
        let found = probed.find(|server| {
            let has_any = self.servers.iter().any(|place| {
                let has_any = place.model.shards().any(|shard| shard == id);
                // Who is not configured any more is not asked.
                let is_asked = self.configured.servers.contains(&place.address) && place.up;
                place.address.name == *server.0 && is_asked && has_any
            });
            has_any && !told.contains(server)
        });
        found.cloned()
    }
}
