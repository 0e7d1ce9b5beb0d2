//! The checksum of a whole status document: the sum of those of its parts, so that a change of one
//! shard is a change of one part, however many there are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stepdown_core::ShardId;
use stepdown_core::cluster::{ClusterStatus, NamespaceStatus, ShardMetadata};
use xxhash_rust::xxh3::xxh3_128;

/// A checksum of a status. It tells an error from none, not a forger: a sum is easily forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checksum(u128);

impl Checksum {
    /// The status' checksum. Every shard is looked into.
    #[must_use]
    pub fn of(status: &ClusterStatus) -> Self {
        let mut sum = Self(0);
        sum.add(Part::root(status));
        for (name, namespace) in &status.namespaces {
            sum.add_namespace(name, namespace);
        }
        sum
    }

    /// The checksum of `new`, where this is that of `old`. Shards that both share are not looked
    /// into.
    #[must_use]
    pub fn after(mut self, old: &ClusterStatus, new: &ClusterStatus) -> Self {
        self.replace(Part::root(old), Part::root(new));
        for (name, namespace) in &new.namespaces {
            match old.namespaces.get(name) {
                Some(present) => self.change_namespace(name, present, namespace),
                None => self.add_namespace(name, namespace),
            }
        }
        for (name, namespace) in &old.namespaces {
            if !new.namespaces.contains_key(name) {
                self.remove_namespace(name, namespace);
            }
        }
        self
    }

    pub(super) fn add(&mut self, part: Part) {
        self.0 = self.0.wrapping_add(part.0);
    }

    pub(super) fn remove(&mut self, part: Part) {
        self.0 = self.0.wrapping_sub(part.0);
    }

    pub(super) fn replace(&mut self, old: Part, new: Part) {
        self.remove(old);
        self.add(new);
    }

    pub(super) fn remove_namespace(&mut self, name: &Arc<str>, namespace: &NamespaceStatus) {
        self.remove(Part::namespace(name, namespace.replication_factor));
        for (id, shard) in &namespace.shards {
            self.remove(Part::shard(name, *id, shard));
        }
    }

    fn add_namespace(&mut self, name: &Arc<str>, namespace: &NamespaceStatus) {
        self.add(Part::namespace(name, namespace.replication_factor));
        for (id, shard) in &namespace.shards {
            self.add(Part::shard(name, *id, shard));
        }
    }

    fn change_namespace(&mut self, name: &Arc<str>, old: &NamespaceStatus, new: &NamespaceStatus) {
        self.replace(
            Part::namespace(name, old.replication_factor),
            Part::namespace(name, new.replication_factor),
        );
        for (id, shard) in &new.shards {
            match old.shards.get(id) {
                Some(present) if Arc::ptr_eq(present, shard) || present == shard => {}
                Some(present) => self.replace(
                    Part::shard(name, *id, present),
                    Part::shard(name, *id, shard),
                ),
                None => self.add(Part::shard(name, *id, shard)),
            }
        }
        for (id, shard) in &old.shards {
            if !new.shards.contains_key(id) {
                self.remove(Part::shard(name, *id, shard));
            }
        }
    }
}

/// The checksum of one part: of the text of a status that has that part alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part(u128);

impl Part {
    /// What is not of any namespace.
    pub(super) fn root(status: &ClusterStatus) -> Self {
        Self::of(&ClusterStatus {
            namespaces: BTreeMap::new(),
            shard_id_generator: status.shard_id_generator,
            server_idx: status.server_idx,
            instance_id: status.instance_id.clone(),
        })
    }

    /// A namespace but for its shards.
    pub(super) fn namespace(name: &Arc<str>, replication_factor: u32) -> Self {
        Self::of_namespace(
            name,
            NamespaceStatus {
                replication_factor,
                shards: BTreeMap::new(),
            },
        )
    }

    /// One shard of a namespace.
    pub(super) fn shard(name: &Arc<str>, id: ShardId, shard: &Arc<ShardMetadata>) -> Self {
        Self::of_namespace(
            name,
            NamespaceStatus {
                replication_factor: 0,
                shards: BTreeMap::from([(id, shard.clone())]),
            },
        )
    }

    fn of_namespace(name: &Arc<str>, namespace: NamespaceStatus) -> Self {
        Self::of(&ClusterStatus {
            namespaces: BTreeMap::from([(name.clone(), namespace)]),
            ..ClusterStatus::default()
        })
    }

    fn of(status: &ClusterStatus) -> Self {
        Self(xxh3_128(status.encode().as_bytes()))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{any_status, elected, status};
    use super::*;

    proptest! {
        #[test]
        fn what_follows_from_the_old_checksum_is_that_of_the_new_document(
            old in any_status(), new in any_status()
        ) {
            prop_assert_eq!(Checksum::of(&old).after(&old, &new), Checksum::of(&new));
        }

        #[test]
        fn documents_that_differ_have_other_checksums(
            one in any_status(), other in any_status()
        ) {
            prop_assert_eq!(Checksum::of(&one) == Checksum::of(&other), one == other);
        }
    }

    /// It is in every log and every snapshot: another release that comes to another one refuses them.
    #[test]
    fn the_checksum_of_a_document_is_the_same_in_every_release() {
        assert_eq!(
            Checksum::of(&status(3)).to_string(),
            "ba0a3d0dad2627ab6be8c154272e78aa"
        );
    }

    #[test]
    fn shards_that_change_places_are_noticed() {
        let old = status(2);
        let mut swapped = elected(&old, 1);
        let namespace = swapped.namespaces.get_mut("default").unwrap();
        let [zero, one] = [0, 1].map(|id| namespace.shards[&ShardId(id)].clone());
        namespace.shards = BTreeMap::from([(ShardId(0), one), (ShardId(1), zero)]);
        assert_ne!(Checksum::of(&swapped), Checksum::of(&elected(&old, 1)));
    }
}
