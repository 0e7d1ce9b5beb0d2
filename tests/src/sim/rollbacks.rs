//! What is put back to what it was some time before: a data server's disk, and the document.
//!
//! A disk that is put back has forgotten what its server has acknowledged and promised since. The
//! server can't know, nor can anybody who asks it: it looks like one that was away. What is kept by
//! its word alone is lost then, here as in Raft, so it is put back only where nothing is. Then every
//! property holds. Under a document that is put back every property holds as well, but for T1 at
//! that very write, and T3 for terms in which no majority has voted.

use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardMetadata, ShardStatus};
use stepdown_core::{ServerId, ShardId, Term};
use stepdown_sandbox::replica::{DurableServer, DurableShard};

use super::check::Check;
use super::clock::At;
use super::store::Accepted;
use super::world::{What, World};

impl World<'_> {
    /// Takes a copy of a server's disk, which takes the disk's place later.
    pub(super) fn copy_disk(&mut self, server: usize, until: At) {
        if self.servers[server].up {
            let disk = self.servers[server].model.durable();
            self.queue.at(until, What::DiskPutBack(server, disk));
        }
    }

    pub(super) fn put_disk_back(&mut self, server: usize, disk: &DurableServer) {
        if !self.may_go_back(server, disk) {
            return;
        }
        self.crash_server(server, false, true);
        self.servers[server].put_back(server, disk.clone());
        // No disk is put back in less.
        let down = self.chance.faults.millis(1_000, 5_000);
        self.queue.after(down, What::ServerStarts(server));
        self.sometimes.hit("disk_rolled_back");
    }

    fn may_go_back(&self, server: usize, disk: &DurableServer) -> bool {
        let place = &self.servers[server];
        let Some(status) = self.store.status() else {
            return false;
        };
        let known = |id: ShardId| status.shards().any(|(_, other, _)| other == id);
        let mut shards = status.shards();
        place.up
            && !self.healed
            && disk.instance_id.is_some()
            && place.model.durable() != *disk
            && place.model.shards().all(known)
            && shards.all(|(_, id, shard)| match disk.shards.get(&id) {
                Some(copy) => self.may_forget(server, id, shard, copy),
                // It knows that it has lost that one.
                None => self.can_spare_shard(server, id, shard),
            })
    }

    /// Whether nothing is lost where a server has no more of a shard than this copy, and does not
    /// know it.
    ///
    /// Each majority must have a member with all that was committed or that the server may have
    /// acknowledged. No other member may be in an earlier term, whose leader the server has promised
    /// not to follow. And the copy must be how its log begins: a tail that was cut off since would
    /// stay unseen beneath what the leader sends next.
    fn may_forget(
        &self,
        server: usize,
        id: ShardId,
        shard: &ShardMetadata,
        copy: &DurableShard,
    ) -> bool {
        let members = self.members(shard);
        let model = &self.servers[server].model;
        let Some((log, _)) = model.log(id).filter(|_| members.contains(&server)) else {
            return !members.contains(&server);
        };
        let others = members.iter().copied().filter(|other| *other != server);
        let keeps = others
            .clone()
            .filter(|other| self.has_all_of(*other, server, id))
            .count()
            + usize::from(*log == copy.log);
        let majority = members.len() / 2 + 1;
        keeps + majority > members.len()
            && log.starts_with(&copy.log)
            && others.clone().all(|other| {
                let other = &self.servers[other];
                !other.sync_planned && other.model.term(id) >= model.term(id)
            })
    }

    /// Takes a copy of the document, which takes the document's place later.
    pub(super) fn copy_document(&mut self, until: At) {
        if let Some(copy) = self.store.latest().cloned() {
            self.queue.at(until, What::DocumentPutBack(Box::new(copy)));
        }
    }

    /// An operator puts an older copy of the document back, while coordinators run.
    pub(super) fn put_document_back(&mut self, copy: Accepted) -> Check {
        let lease = self.lease.lease.as_ref();
        let remembers = lease.is_some_and(|lease| lease.record.epoch >= self.store.epoch);
        let Some(latest) = self.store.latest() else {
            return Ok(());
        };
        // The epoch has to be known elsewhere, or nobody could tell that it is a copy.
        if self.healed
            || latest.version == copy.version
            || self.is_lease() && !remembers
            || !is_of_the_same_shards(&copy.status, &latest.status)
        {
            return Ok(());
        }
        if terms(&copy.status).ne(terms(&latest.status)) {
            self.sometimes.hit("older_terms_restored");
        }
        // A file keeps what it is known by only as long as nobody puts an older one in its place.
        let is_sealed = self.is_lease();
        self.lose_track();
        self.store.put_back(copy, is_sealed);
        self.calm = self.calm.max(self.queue.now());
        self.sometimes.hit("document_restored");
        self.check_accepted()
    }
}

/// Who has what of each shard, and whether it is being deleted.
fn places(status: &ClusterStatus) -> impl Iterator<Item = (bool, Vec<ServerId>)> {
    status.shards().map(|(_, _, shard)| {
        let others = shard.removed_nodes.iter();
        let others = others.chain(&shard.pending_delete_shard_nodes);
        let all = shard.ensemble.iter().chain(others);
        let is_deleted = shard.status == ShardStatus::Deleting;
        (is_deleted, all.map(DataServerIdentity::id).collect())
    })
}

/// Whether the older document knows of all shards that the newer one knows of, that each was led, and that
/// each is where it was. What it does not know of was lost with it, and nobody can tell; and where a shard
/// was moved from since, its data is deleted.
fn is_of_the_same_shards(older: &ClusterStatus, newer: &ClusterStatus) -> bool {
    let ids =
        |status: &ClusterStatus| -> Vec<ShardId> { status.shards().map(|(_, id, _)| id).collect() };
    older.shard_id_generator == newer.shard_id_generator
        && ids(older) == ids(newer)
        && older.shards().all(|(_, _, shard)| shard.was_led())
        && places(older).eq(places(newer))
}

fn terms(status: &ClusterStatus) -> impl Iterator<Item = Term> {
    status.shards().map(|(_, _, shard)| shard.term)
}
