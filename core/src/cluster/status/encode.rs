//! Writes the status document as Oxia writes it, so that either can go on from the other's file.

use super::document::{
    ClusterStatus, NamespaceStatus, ShardMetadata, ShardStatus, SplitMetadata, SplitPhase,
};
use crate::cluster::identity::DataServerIdentity;
use crate::cluster::yaml::Emitter;

/// Bytes of a shard with three replicas and short addresses.
const TYPICAL_SHARD: usize = 800;

impl ClusterStatus {
    /// The document's YAML, which Oxia reads too. Namespaces are sorted by bytes, where Oxia sorts
    /// digits by their value.
    #[must_use]
    pub fn encode(&self) -> String {
        let shards: usize = self.namespaces.values().map(|it| it.shards.len()).sum();
        let mut yaml = Emitter::with_capacity(shards.saturating_mul(TYPICAL_SHARD));
        if !self.namespaces.is_empty() {
            yaml.map("namespaces", |yaml| {
                for (name, namespace) in &self.namespaces {
                    yaml.named_map(name, |yaml| namespace.write(yaml));
                }
            });
        }
        if self.shard_id_generator != 0 {
            yaml.number("shardIdGenerator", self.shard_id_generator);
        }
        if self.server_idx != 0 {
            yaml.number("serverIdx", self.server_idx);
        }
        if !self.instance_id.is_empty() {
            yaml.text("instanceId", &self.instance_id);
        }
        yaml.finish()
    }
}

impl NamespaceStatus {
    fn write(&self, yaml: &mut Emitter) {
        yaml.number("replicationFactor", self.replication_factor);
        if self.shards.is_empty() {
            yaml.empty("shards");
            return;
        }
        yaml.map("shards", |yaml| {
            for (id, shard) in &self.shards {
                yaml.map(id.0, |yaml| shard.write(yaml));
            }
        });
    }
}

impl ShardMetadata {
    fn write(&self, yaml: &mut Emitter) {
        yaml.number("status", self.status.number());
        yaml.number("term", self.term.0);
        if let Some(leader) = &self.leader {
            yaml.map("leader", |yaml| leader.write(yaml));
        }
        let server = |yaml: &mut Emitter, server: &DataServerIdentity| server.write(yaml);
        yaml.list("ensemble", &self.ensemble, server);
        yaml.list("removedNodes", &self.removed_nodes, server);
        yaml.list(
            "pendingDeleteShardNodes",
            &self.pending_delete_shard_nodes,
            server,
        );
        if let Some(range) = &self.int32_hash_range {
            yaml.map("int32HashRange", |yaml| {
                yaml.number("min", range.min);
                yaml.number("max", range.max);
            });
        }
        if let Some(split) = &self.split {
            yaml.map("split", |yaml| split.write(yaml));
        }
        if !self.beginnings.is_empty() {
            yaml.text("beginnings", &self.beginnings.to_string());
        }
        if let Some(last) = &self.last_leader {
            yaml.map("lastLeader", |yaml| {
                yaml.number("term", last.term.0);
                if let Some(server) = &last.server {
                    yaml.text("server", &server.0);
                }
                yaml.number("committed", last.committed);
            });
        }
        if let Some(term) = self.loss_accepted {
            yaml.number("lossAccepted", term.0);
        }
    }
}

impl SplitMetadata {
    fn write(&self, yaml: &mut Emitter) {
        yaml.number("phase", self.phase.number());
        yaml.number("parentShardId", self.parent_shard_id.0);
        yaml.list("childShardIds", &self.child_shard_ids, |yaml, id| {
            yaml.item(id.0);
        });
        yaml.number("splitPoint", self.split_point);
        if self.snapshot_offset != 0 {
            yaml.number("snapshotOffset", self.snapshot_offset);
        }
        if self.parent_term_at_bootstrap != 0 {
            yaml.number("parentTermAtBootstrap", self.parent_term_at_bootstrap);
        }
        if !self.child_leaders_at_bootstrap.is_empty() {
            yaml.map("childLeadersAtBootstrap", |yaml| {
                for (id, leader) in &self.child_leaders_at_bootstrap {
                    yaml.text(id.0, leader);
                }
            });
        }
    }
}

impl ShardStatus {
    fn number(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::SteadyState => 1,
            Self::Election => 2,
            Self::Deleting => 3,
        }
    }
}

impl SplitPhase {
    fn number(self) -> u8 {
        match self {
            Self::Bootstrap => 0,
            Self::CatchUp => 1,
            Self::Cutover => 2,
        }
    }
}
