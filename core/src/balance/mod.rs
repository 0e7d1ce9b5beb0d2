//! Where replicas live: on the servers that hold the fewest.

use std::collections::BTreeMap;

use crate::cluster::{ClusterConfiguration, ClusterStatus, DataServerIdentity, Namespace};
use crate::id::{ServerId, ShardId};

/// Places replicas, each one knowing of those placed before.
pub(crate) struct Placement<'a> {
    configuration: &'a ClusterConfiguration,
    load: BTreeMap<ServerId, usize>,
}

impl<'a> Placement<'a> {
    /// Begins with what the document says.
    pub(crate) fn new(configuration: &'a ClusterConfiguration, status: &ClusterStatus) -> Self {
        let mut load = BTreeMap::new();
        for (_, _, shard) in status.shards() {
            for member in &shard.ensemble {
                *load.entry(member.id()).or_default() += 1;
            }
        }
        Self {
            configuration,
            load,
        }
    }

    /// An ensemble for each shard, or none at all.
    pub(crate) fn place_namespace(
        mut self,
        namespace: &Namespace,
        shards: &[ShardId],
    ) -> Result<Vec<Vec<DataServerIdentity>>, String> {
        if !namespace.anti_affinities.is_empty() {
            return Err("anti-affinities can't be satisfied yet".to_owned());
        }
        let size = usize::try_from(namespace.replication_factor).unwrap_or(usize::MAX);
        if self.configuration.servers.len() < size {
            return Err("there are fewer servers than replicas".to_owned());
        }
        Ok(shards.iter().map(|_| self.place(size)).collect())
    }

    fn place(&mut self, size: usize) -> Vec<DataServerIdentity> {
        let mut servers: Vec<_> = self.configuration.servers.iter().collect();
        servers.sort_by_key(|server| self.load.get(&server.id()).copied().unwrap_or(0));
        servers.truncate(size);
        for server in &servers {
            *self.load.entry(server.id()).or_default() += 1;
        }
        servers.into_iter().cloned().collect()
    }
}
