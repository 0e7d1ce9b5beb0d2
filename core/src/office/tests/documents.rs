//! Configurations and documents to open an office on.

use std::sync::Arc;

use crate::cluster::{
    ClusterConfiguration, ClusterStatus, DataServerIdentity, HashRange, NamespaceStatus,
    ShardMetadata, ShardStatus,
};
use crate::id::{ShardId, Term};

pub(super) fn read(configuration: &str) -> Arc<ClusterConfiguration> {
    Arc::new(ClusterConfiguration::read(Some(configuration)).unwrap())
}

/// A configuration of namespaces, each a name and a number of shards of one replica, on servers.
pub(super) fn configuration(namespaces: &[(&str, u32)], servers: &[&str]) -> String {
    let mut text = String::from("namespaces:\n");
    for (name, shards) in namespaces {
        text +=
            &format!("  - {{name: '{name}', initialShardCount: {shards}, replicationFactor: 1}}\n");
    }
    text += "servers:\n";
    for name in servers {
        text += &format!("  - {{name: {name}, public: '{name}:1', internal: '{name}:2'}}\n");
    }
    text
}

pub(super) fn server(name: &str) -> DataServerIdentity {
    DataServerIdentity {
        name: Some(name.into()),
        public: format!("{name}:1").into(),
        internal: format!("{name}:2").into(),
    }
}

/// A shard in term 3 that the first of these servers leads.
pub(super) fn led_by(servers: &[&str]) -> ShardMetadata {
    ShardMetadata {
        status: ShardStatus::SteadyState,
        term: Term(3),
        leader: servers.first().map(|name| server(name)),
        ensemble: servers.iter().map(|name| server(name)).collect(),
        int32_hash_range: Some(HashRange::default()),
        ..ShardMetadata::default()
    }
}

/// A document of one namespace `n` of these shards, counted from 0.
pub(super) fn status(shards: Vec<ShardMetadata>) -> ClusterStatus {
    let mut status = ClusterStatus {
        shard_id_generator: i64::try_from(shards.len()).unwrap(),
        instance_id: "given".into(),
        ..ClusterStatus::default()
    };
    let shards = (0..).map(ShardId).zip(shards.into_iter().map(Arc::new));
    let namespace = NamespaceStatus {
        replication_factor: 1,
        shards: shards.collect(),
    };
    if !namespace.shards.is_empty() {
        status.namespaces.insert("n".into(), namespace);
    }
    status
}
