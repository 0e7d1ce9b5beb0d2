//! What changes the status: changes of shards, admission and removal. All of it goes into the next
//! store together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Ledger;
use crate::cluster::{Beginnings, NamespaceStatus, ShardMetadata, size};
use crate::id::ShardId;

/// Changes that are stored together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch<W> {
    pub(super) changes: u32,
    pub(super) touched: BTreeMap<ShardId, Touched<W>>,
    pub(super) admitted: Vec<Admission>,
}

/// Shards that a namespace gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admission {
    namespace: Arc<str>,
    shards: Vec<ShardId>,
}

/// A shard that was changed, and what waits for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touched<W> {
    pub(super) namespace: Arc<str>,
    pub(super) waits: Option<W>,
}

impl<W> Default for Batch<W> {
    fn default() -> Self {
        Self {
            changes: 0,
            touched: BTreeMap::new(),
            admitted: Vec::new(),
        }
    }
}

impl<W> Batch<W> {
    /// It changes only the epoch, which is a change all the same.
    pub(super) fn fencing_write() -> Self {
        Self {
            changes: 1,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes == 0
    }

    fn count(&mut self, changes: u32) {
        self.changes = self.changes.saturating_add(changes);
    }

    fn touch(&mut self, namespace: &Arc<str>, shard: ShardId, waits: Option<W>) {
        let namespace = namespace.clone();
        self.touched.insert(shard, Touched { namespace, waits });
        self.count(1);
    }
}

impl<W> Ledger<W> {
    /// Changes a shard. `waits` comes back once the change is durable; what waits for an earlier
    /// change of the same shard never does. Returns whether there is such a shard.
    pub(crate) fn change(
        &mut self,
        namespace: &Arc<str>,
        shard: ShardId,
        waits: W,
        change: impl FnOnce(&mut ShardMetadata),
    ) -> bool {
        let entry = self
            .working
            .namespaces
            .get_mut(namespace)
            .and_then(|namespace| namespace.shards.get_mut(&shard));
        let Some(entry) = entry else { return false };
        let before = size::of_shard(entry);
        let changed = Arc::make_mut(entry);
        change(changed);
        if self.is_tight {
            changed.beginnings = Beginnings::default();
        }
        self.bytes = self
            .bytes
            .saturating_sub(before)
            .saturating_add(size::of_shard(entry));
        self.pending.touch(namespace, shard, Some(waits));
        true
    }

    /// Adds a namespace with all its shards, or to what is left of one of its name; `waits` says what
    /// waits for each.
    pub(crate) fn admit(
        &mut self,
        name: &Arc<str>,
        namespace: NamespaceStatus,
        shard_id_generator: i64,
        waits: impl Fn(&ShardMetadata) -> W,
    ) {
        for (id, shard) in &namespace.shards {
            self.pending.touch(name, *id, Some(waits(shard)));
        }
        self.pending.admitted.push(Admission {
            namespace: name.clone(),
            shards: namespace.shards.keys().copied().collect(),
        });
        let NamespaceStatus {
            replication_factor,
            shards,
        } = namespace;
        let there = self.working.namespaces.get(name);
        let before = there.map_or(0, |there| size::of_namespace(name, there));
        let there = self.working.namespaces.entry(name.clone()).or_default();
        there.replication_factor = replication_factor;
        there.shards.extend(shards);
        let after = size::of_namespace(name, there);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
        self.working.shard_id_generator = shard_id_generator;
        self.pending.count(1);
    }

    /// Removes a namespace with all its shards. What waits for any of them never comes back.
    /// Returns whether there was such a namespace.
    pub(crate) fn remove(&mut self, name: &Arc<str>) -> bool {
        let shards = match self.working.namespaces.get(name) {
            Some(namespace) => namespace.shards.keys().copied().collect::<Vec<_>>(),
            None => return false,
        };
        for shard in shards {
            self.remove_shard(name, shard);
        }
        if let Some(namespace) = self.working.namespaces.remove(name) {
            let bytes = size::of_namespace(name, &namespace);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        let of_others = |admitted: &Admission| admitted.namespace != *name;
        self.pending.admitted.retain(of_others);
        self.pending.count(1);
        true
    }

    /// Removes a shard. What waits for it never comes back. Returns whether there was such a
    /// shard.
    pub(crate) fn remove_shard(&mut self, namespace: &Arc<str>, shard: ShardId) -> bool {
        let removed = self
            .working
            .namespaces
            .get_mut(namespace)
            .and_then(|namespace| namespace.shards.remove(&shard));
        let Some(removed) = removed else { return false };
        self.bytes = self.bytes.saturating_sub(size::of_shard(&removed));
        self.pending.touch(namespace, shard, None);
        true
    }

    /// Drops from the document what it can do without, from now on. Returns whether there was any.
    pub(super) fn shed(&mut self) -> bool {
        self.is_tight = true;
        let is_shed = self.working.drop_beginnings();
        self.bytes = size::of_status(&self.working);
        is_shed
    }

    /// Takes back the admissions of a batch that the store turned down, and puts its other
    /// changes before the later ones that wait for the next store. Returns which are taken back:
    /// not one that was removed meanwhile, even if another of its name is there by now.
    pub(super) fn take_back(&mut self, batch: Batch<W>) -> Vec<Arc<str>> {
        let Batch {
            changes,
            mut touched,
            admitted,
        } = batch;
        let before = self.pending.changes;
        let mut taken: BTreeSet<ShardId> = BTreeSet::new();
        let mut names = Vec::new();
        for Admission { namespace, shards } in admitted {
            let removed = shards
                .iter()
                .filter(|id| self.remove_shard(&namespace, **id));
            if removed.count() == 0 {
                continue;
            }
            taken.extend(shards);
            let left = self.working.namespaces.get(&namespace);
            if left.is_some_and(|left| left.shards.is_empty()) {
                self.remove(&namespace);
            }
            names.push(namespace);
        }
        touched.append(&mut self.pending.touched);
        // Nobody knows of the shards that were taken back.
        touched.retain(|id, _| !taken.contains(id));
        self.pending.touched = touched;
        self.pending.changes = before.saturating_add(changes);
        names
    }
}
