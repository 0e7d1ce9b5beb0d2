//! What differs between two status documents. A store carries it in place of the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stepdown_core::ShardId;
use stepdown_core::cluster::{ClusterStatus, NamespaceStatus, ShardMetadata};

use super::checksum::{Checksum, Part};

/// What makes one status out of another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delta {
    /// Namespaces that are new or changed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<Arc<str>, NamespaceDelta>,
    /// Namespaces that are gone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<Arc<str>>,
    /// The next free shard id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard_id_generator: Option<i64>,
    /// A field of old releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_idx: Option<u32>,
    /// The cluster's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<Arc<str>>,
}

/// What makes one namespace out of another, or out of an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamespaceDelta {
    /// The replication factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<u32>,
    /// Shards that are new or changed, whole.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shards: BTreeMap<ShardId, Arc<ShardMetadata>>,
    /// Shards that are gone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<ShardId>,
}

impl Delta {
    /// What makes `new` out of `old`. Shards that both share are not looked into.
    #[must_use]
    pub fn between(old: &ClusterStatus, new: &ClusterStatus) -> Self {
        let empty = NamespaceStatus::default();
        let changed = new.namespaces.iter().filter_map(|(name, namespace)| {
            let present = old.namespaces.get(name);
            let delta = NamespaceDelta::between(present.unwrap_or(&empty), namespace);
            let differs = present.is_none() || delta != NamespaceDelta::default();
            differs.then(|| (name.clone(), delta))
        });
        let removed = old.namespaces.keys();
        let removed = removed.filter(|name| !new.namespaces.contains_key(*name));
        Self {
            namespaces: changed.collect(),
            removed: removed.cloned().collect(),
            shard_id_generator: differs(&old.shard_id_generator, &new.shard_id_generator),
            server_idx: differs(&old.server_idx, &new.server_idx),
            instance_id: differs(&old.instance_id, &new.instance_id),
        }
    }

    /// The checksum of what it makes out of `old`, whose checksum is said to be `sum`. What goes is
    /// counted as it really is there.
    pub(super) fn checksum(&self, mut sum: Checksum, old: &ClusterStatus) -> Checksum {
        let mut root = ClusterStatus {
            namespaces: BTreeMap::new(),
            shard_id_generator: old.shard_id_generator,
            server_idx: old.server_idx,
            instance_id: old.instance_id.clone(),
        };
        self.change_root(&mut root);
        sum.replace(Part::root(old), Part::root(&root));
        for name in &self.removed {
            if let Some(namespace) = old.namespaces.get(name) {
                sum.remove_namespace(name, namespace);
            }
        }
        for (name, delta) in &self.namespaces {
            let present = old.namespaces.get(name);
            delta.change_sum(
                &mut sum,
                name,
                present.filter(|_| !self.removed.contains(name)),
            );
        }
        sum
    }

    /// Makes it out of the old one in place.
    pub(super) fn apply(&self, status: &mut ClusterStatus) {
        for name in &self.removed {
            status.namespaces.remove(name);
        }
        for (name, delta) in &self.namespaces {
            delta.apply(status.namespaces.entry(name.clone()).or_default());
        }
        self.change_root(status);
    }

    fn change_root(&self, status: &mut ClusterStatus) {
        if let Some(next) = self.shard_id_generator {
            status.shard_id_generator = next;
        }
        if let Some(next) = self.server_idx {
            status.server_idx = next;
        }
        if let Some(next) = &self.instance_id {
            status.instance_id = next.clone();
        }
    }
}

impl NamespaceDelta {
    fn between(old: &NamespaceStatus, new: &NamespaceStatus) -> Self {
        let changed = new.shards.iter().filter(|(id, shard)| {
            let present = old.shards.get(id);
            present.is_none_or(|present| !Arc::ptr_eq(present, shard) && present != *shard)
        });
        let removed = old.shards.keys().filter(|id| !new.shards.contains_key(id));
        Self {
            replication_factor: differs(&old.replication_factor, &new.replication_factor),
            shards: changed.map(|(id, shard)| (*id, shard.clone())).collect(),
            removed: removed.copied().collect(),
        }
    }

    fn change_sum(&self, sum: &mut Checksum, name: &Arc<str>, old: Option<&NamespaceStatus>) {
        let factor = old.map(|old| old.replication_factor);
        if let Some(factor) = factor {
            sum.remove(Part::namespace(name, factor));
        }
        let factor = self.replication_factor.or(factor).unwrap_or_default();
        sum.add(Part::namespace(name, factor));
        let gone = self.removed.iter();
        let replaced = self.shards.keys().filter(|id| !self.removed.contains(id));
        for id in gone.chain(replaced) {
            if let Some(shard) = old.and_then(|old| old.shards.get(id)) {
                sum.remove(Part::shard(name, *id, shard));
            }
        }
        for (id, shard) in &self.shards {
            sum.add(Part::shard(name, *id, shard));
        }
    }

    fn apply(&self, namespace: &mut NamespaceStatus) {
        if let Some(factor) = self.replication_factor {
            namespace.replication_factor = factor;
        }
        for id in &self.removed {
            namespace.shards.remove(id);
        }
        for (id, shard) in &self.shards {
            namespace.shards.insert(*id, shard.clone());
        }
    }
}

fn differs<T: Clone + PartialEq>(old: &T, new: &T) -> Option<T> {
    (old != new).then(|| new.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{any_status, elected, status};
    use super::*;

    fn applied(delta: &Delta, old: &ClusterStatus) -> (ClusterStatus, Checksum) {
        let mut status = old.clone();
        delta.apply(&mut status);
        (status, delta.checksum(Checksum::of(old), old))
    }

    /// Names all that is removed once more.
    fn twice(value: &mut serde_json::Value) {
        let Some(fields) = value.as_object_mut() else {
            return;
        };
        for (name, value) in fields {
            match value.as_array_mut().filter(|_| name == "removed") {
                Some(removed) => removed.extend_from_within(..),
                None => twice(value),
            }
        }
    }

    proptest! {
        #[test]
        fn a_delta_applied_makes_the_whole_document_and_its_checksum(
            old in any_status(), new in any_status()
        ) {
            let delta = Delta::between(&old, &new);
            let checksum = Checksum::of(&new);
            prop_assert_eq!(applied(&delta, &old), (new, checksum));
        }

        #[test]
        fn the_checksum_is_that_of_what_there_is_where_a_delta_fits_another_document(
            old in any_status(), new in any_status(), other in any_status()
        ) {
            let (status, checksum) = applied(&Delta::between(&old, &new), &other);
            prop_assert_eq!(checksum, Checksum::of(&status));
        }

        #[test]
        fn what_is_named_twice_among_what_is_gone_goes_once(old in any_status(), new in any_status()) {
            let delta = Delta::between(&old, &new);
            let mut value = serde_json::to_value(&delta).unwrap();
            twice(&mut value);
            let read: Delta = serde_json::from_value(value).unwrap();
            prop_assert_eq!(applied(&read, &old), (new.clone(), Checksum::of(&new)));
        }

        #[test]
        fn a_delta_survives_the_log(old in any_status(), new in any_status()) {
            let delta = Delta::between(&old, &new);
            let text = serde_json::to_vec(&delta).unwrap();
            let read: Delta = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(applied(&read, &old).0, new);
        }

        #[test]
        fn nothing_changed_is_nothing_carried(status in any_status()) {
            prop_assert_eq!(Delta::between(&status, &status.clone()), Delta::default());
        }
    }

    #[test]
    fn one_election_is_some_hundred_bytes_however_many_shards_there_are() {
        for shards in [100, 10_000] {
            let old = status(shards);
            let delta = Delta::between(&old, &elected(&old, 7));
            let bytes = serde_json::to_vec(&delta).unwrap().len();
            assert!((100..1_000).contains(&bytes), "{shards}: {bytes}");
        }
    }
}
