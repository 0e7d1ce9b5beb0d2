//! Disks that are replaced, and logs that are trimmed.

use stepdown_core::cluster::{DataServerIdentity, ShardMetadata};
use stepdown_core::{ShardId, Term};

use super::clock::At;
use super::world::{What, World};

impl World<'_> {
    /// Replaces the disk of a server, if no loss can follow from that alone.
    pub(super) fn empty_disk(&mut self, server: usize, until: At) {
        if !self.can_spare(server) {
            return;
        }
        self.crash_server(server, false, true);
        self.servers[server].empty(server);
        self.queue.at(until, What::ServerStarts(server));
        self.sometimes.hit("disk_emptied");
    }

    /// Whether all shards of a server can do without its disk. Of each shard's members, a majority
    /// must remember, without it, and one must have, on its disk, everything that was committed or
    /// that the server may have acknowledged. None may have been fed by a snapshot and have had no
    /// entry since. And none of them may be in an earlier term: the
    /// server would forget that it has promised to follow that one's leader no more.
    pub(super) fn can_spare(&self, server: usize) -> bool {
        let Some(status) = self.store.status() else {
            return false;
        };
        let place = &self.servers[server];
        let known = |id: ShardId| status.shards().any(|(_, other, _)| other == id);
        place.up
            && !self.healed
            && place.model.shards().all(known)
            && status
                .shards()
                .all(|(_, id, shard)| self.can_spare_shard(server, id, shard))
    }

    pub(super) fn can_spare_shard(
        &self,
        server: usize,
        id: ShardId,
        shard: &ShardMetadata,
    ) -> bool {
        let members = self.members(shard);
        let term = self.servers[server].model.term(id);
        let others = members.iter().copied().filter(|other| *other != server);
        let terms = others
            .clone()
            .map(|other| self.servers[other].model.term(id));
        let remembering = terms.clone().filter(|it| *it > Term::NEVER);
        !members.contains(&server)
            || (remembering.count() > shard.ensemble.len() / 2
                && terms.clone().all(|it| it >= term)
                && others
                    .clone()
                    .any(|other| self.has_all_of(other, server, id))
                && others.clone().all(|other| self.has_a_log(other, id)))
    }

    /// Whether a replica may lead, and others can show that they have all that it has: one that was
    /// fed by a snapshot may not, and they can't, before the next entry.
    pub(super) fn has_a_log(&self, server: usize, id: ShardId) -> bool {
        let disk = self.servers[server].model.durable();
        let replica = disk.shards.get(&id);
        replica.is_none_or(|replica| {
            let head = replica.log.head().offset;
            head < 0 || head >= replica.first
        })
    }

    /// The servers of a shard, wherever they are now.
    pub(super) fn members(&self, shard: &ShardMetadata) -> Vec<usize> {
        let members = shard.ensemble.iter();
        members
            .filter_map(|member| self.server_named(member))
            .collect()
    }

    /// The server that a document means, wherever it is now.
    pub(super) fn server_named(&self, identity: &DataServerIdentity) -> Option<usize> {
        let names = self.servers.iter().map(|server| &server.address.name);
        names
            .into_iter()
            .position(|name| identity.name.as_deref() == Some(name.as_str()))
    }

    pub(super) fn has_all_of(&self, other: usize, server: usize, id: ShardId) -> bool {
        let (one, two) = (&self.servers[other], &self.servers[server]);
        let Some((log, _)) = one.model.log(id) else {
            return false;
        };
        let committed = self.ghost.committed(id);
        let acknowledged = two.model.log(id).map(|(log, _)| log);
        !one.sync_planned
            && one.model.term(id) >= two.model.term(id)
            && committed.is_none_or(|committed| log.starts_with(committed))
            && acknowledged.is_none_or(|acknowledged| log.starts_with(acknowledged))
    }

    pub(super) fn trim_logs(&mut self, server: usize) {
        if !self.servers[server].up {
            return;
        }
        let shards: Vec<ShardId> = self.servers[server].model.shards().collect();
        for shard in shards {
            self.servers[server].model.trim(shard);
        }
        self.plan_sync(server);
        self.sometimes.hit("log_trimmed");
    }
}
