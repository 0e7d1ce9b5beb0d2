//! A status and its checksum, changed together in place.

use std::sync::Arc;

use stepdown_core::ShardId;
use stepdown_core::cluster::{ClusterStatus, NamespaceStatus, ShardMetadata};

use super::checksum::{Checksum, Part};

/// A status under change. The checksum follows what was really there and is now, not what was said
/// to be.
pub(super) struct Summed<'a> {
    pub(super) status: &'a mut ClusterStatus,
    pub(super) checksum: &'a mut Checksum,
}

impl Summed<'_> {
    /// Changes what is not of any namespace.
    pub(super) fn change_root(&mut self, change: impl FnOnce(&mut ClusterStatus)) {
        let old = Part::root(self.status);
        change(self.status);
        self.checksum.replace(old, Part::root(self.status));
    }

    pub(super) fn remove_namespace(&mut self, name: &Arc<str>) {
        if let Some(namespace) = self.status.namespaces.remove(name) {
            self.checksum.remove_namespace(name, &namespace);
        }
    }

    /// The namespace, made if there is none.
    pub(super) fn namespace<'b>(&'b mut self, name: &'b Arc<str>) -> SummedNamespace<'b> {
        let checksum = &mut *self.checksum;
        let namespace = self.status.namespaces.entry(name.clone());
        let namespace = namespace.or_insert_with(|| {
            let namespace = NamespaceStatus::default();
            checksum.add(Part::namespace(name, namespace.replication_factor));
            namespace
        });
        SummedNamespace {
            name,
            namespace,
            checksum,
        }
    }
}

/// A namespace of a status under change.
pub(super) struct SummedNamespace<'a> {
    name: &'a Arc<str>,
    namespace: &'a mut NamespaceStatus,
    checksum: &'a mut Checksum,
}

impl SummedNamespace<'_> {
    pub(super) fn set_replication_factor(&mut self, factor: u32) {
        let old = std::mem::replace(&mut self.namespace.replication_factor, factor);
        self.checksum.replace(
            Part::namespace(self.name, old),
            Part::namespace(self.name, factor),
        );
    }

    pub(super) fn insert(&mut self, id: ShardId, shard: Arc<ShardMetadata>) {
        self.checksum.add(Part::shard(self.name, id, &shard));
        if let Some(old) = self.namespace.shards.insert(id, shard) {
            self.checksum.remove(Part::shard(self.name, id, &old));
        }
    }

    pub(super) fn remove(&mut self, id: ShardId) {
        if let Some(old) = self.namespace.shards.remove(&id) {
            self.checksum.remove(Part::shard(self.name, id, &old));
        }
    }
}
