//! How many shards each server replicates.

use std::collections::BTreeMap;

use crate::cluster::{ClusterStatus, DataServerIdentity, ShardStatus};
use crate::id::ServerId;

/// The number of shards in whose ensembles each server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load(BTreeMap<ServerId, u64>);

impl Load {
    /// The load by a status document: of shards being deleted or taking part in a split, nothing
    /// counts.
    pub(crate) fn of(status: &ClusterStatus) -> Self {
        let mut load = Self::default();
        for (_, _, shard) in status.shards() {
            if shard.status != ShardStatus::Deleting && shard.split.is_none() {
                load.add(&shard.ensemble);
            }
        }
        load
    }

    /// Counts one more shard for each of these.
    pub(crate) fn add(&mut self, ensemble: &[DataServerIdentity]) {
        for member in ensemble {
            let shards = self.0.entry(member.id()).or_default();
            *shards = shards.saturating_add(1);
        }
    }

    /// Counts one shard less for each of these.
    pub(crate) fn subtract(&mut self, ensemble: &[DataServerIdentity]) {
        for member in ensemble {
            if let Some(shards) = self.0.get_mut(&member.id()) {
                *shards = shards.saturating_sub(1);
            }
        }
    }

    /// The shards that this server replicates.
    pub(crate) fn shards(&self, server: &ServerId) -> u64 {
        self.0.get(server).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_deleted_or_split_are_no_load() {
        let status = ClusterStatus::decode(
            "
x: [&a {name: a}, &b {internal: b}]
namespaces:
  ns:
    shards:
      0: {status: 1, ensemble: [*a, *b]}
      1: {status: 2, ensemble: [*a]}
      2: {status: 3, ensemble: [*a, *b]}
      3: {status: 1, ensemble: [*a], split: {childShardIds: [4, 5]}}
      4: {status: 1, ensemble: [*b], split: {parentShardId: 3}}
",
        )
        .unwrap();
        let mut load = Load::of(&status);
        let id = |text: &str| ServerId(text.into());
        assert_eq!((load.shards(&id("a")), load.shards(&id("b"))), (2, 1));
        assert_eq!(load.shards(&id("c")), 0);
        let ensemble = status.namespaces["ns"].shards[&crate::ShardId(1)]
            .ensemble
            .clone();
        load.subtract(&ensemble);
        assert_eq!(load.shards(&id("a")), 1);
    }
}
