//! Reads the status document, from this coordinator, Oxia's, or a person's hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::beginnings::BeginningsError;
use super::document::{
    ClusterStatus, HashRange, LastLeader, NamespaceStatus, ShardMetadata, ShardStatus,
    SplitMetadata, SplitPhase,
};
use crate::cluster::identity::DataServerIdentity;
use crate::cluster::yaml::{self, Cursor, DecodeError, Strings};
use crate::id::{ServerId, ShardId, Term};

impl ClusterStatus {
    /// Reads a status document: YAML or JSON, keys in camel or snake case, enums by number or by
    /// name, numbers quoted or not. Unknown keys are ignored. A text that is empty, or nothing but
    /// comments, is an error, as it is for the caller to say whether the document may be absent.
    ///
    /// Two things that Oxia reads are refused, since it reads them by dropping half: a key that is
    /// given twice, and a second document.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let document = yaml::parse(text)?;
        Self::read(document.root(), &mut Strings::default())
    }

    fn read(at: Cursor<'_>, strings: &mut Strings) -> Result<Self, DecodeError> {
        let mut status = Self::default();
        for (field, at) in at.fields()? {
            match field {
                "namespaces" => {
                    for (name, at) in at.entries()? {
                        let namespace = NamespaceStatus::read(at, strings)?;
                        status.namespaces.insert(strings.share(name), namespace);
                    }
                }
                "shardIdGenerator" | "shard_id_generator" => {
                    status.shard_id_generator = at.int64()?;
                }
                "serverIdx" | "server_idx" => status.server_idx = at.uint32()?,
                "instanceId" | "instance_id" => status.instance_id = at.text()?.into(),
                _ => {}
            }
        }
        Ok(status)
    }
}

impl NamespaceStatus {
    fn read(at: Cursor<'_>, strings: &mut Strings) -> Result<Self, DecodeError> {
        let mut namespace = Self::default();
        for (field, at) in at.fields()? {
            match field {
                "replicationFactor" | "replication_factor" => {
                    namespace.replication_factor = at.uint32()?;
                }
                "shards" => {
                    namespace.shards =
                        by_shard(at, |at| Ok(Arc::new(ShardMetadata::read(at, strings)?)))?;
                }
                _ => {}
            }
        }
        Ok(namespace)
    }
}

impl ShardMetadata {
    fn read(at: Cursor<'_>, strings: &mut Strings) -> Result<Self, DecodeError> {
        let mut shard = Self {
            // Protobuf's JSON leaves zeros out.
            term: Term(0),
            ..Self::default()
        };
        for (field, at) in at.fields()? {
            let mut servers = |at: Cursor<'_>| at.list(|at| DataServerIdentity::read(at, strings));
            match field {
                "status" => shard.status = ShardStatus::read(at)?,
                "term" => shard.term = Term(at.int64()?),
                "ensemble" => shard.ensemble = servers(at)?,
                "removedNodes" | "removed_nodes" => shard.removed_nodes = servers(at)?,
                "pendingDeleteShardNodes" | "pending_delete_shard_nodes" => {
                    shard.pending_delete_shard_nodes = servers(at)?;
                }
                "leader" => shard.leader = Some(DataServerIdentity::read(at, strings)?),
                "int32HashRange" | "int32_hash_range" => {
                    shard.int32_hash_range = Some(HashRange::read(at)?);
                }
                "beginnings" => {
                    let read = |error: BeginningsError| at.error(error.to_string());
                    shard.beginnings = at.text()?.parse().map_err(read)?;
                }
                "lastLeader" => shard.last_leader = Some(LastLeader::read(at, strings)?),
                "lossAccepted" => shard.loss_accepted = Some(Term(at.int64()?)),
                "split" => shard.split = Some(SplitMetadata::read(at, strings)?),
                _ => {}
            }
        }
        Ok(shard)
    }
}

impl LastLeader {
    fn read(at: Cursor<'_>, strings: &mut Strings) -> Result<Self, DecodeError> {
        let mut last = Self {
            term: Term(0),
            server: None,
            committed: -1,
        };
        for (field, at) in at.fields()? {
            match field {
                "term" => last.term = Term(at.int64()?),
                "server" => last.server = Some(ServerId(strings.share(at.text()?))),
                "committed" => last.committed = at.int64()?,
                _ => {}
            }
        }
        Ok(last)
    }
}

impl ShardStatus {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        at.variant(
            |number| match number {
                1 => Some(Self::SteadyState),
                2 => Some(Self::Election),
                3 => Some(Self::Deleting),
                _ => None,
            },
            |name| match name {
                "SteadyState" => Some(Self::SteadyState),
                "Election" => Some(Self::Election),
                "Deleting" => Some(Self::Deleting),
                _ => None,
            },
        )
    }
}

impl HashRange {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        let mut range = Self::default();
        for (field, at) in at.fields()? {
            match field {
                "min" => range.min = at.uint32()?,
                "max" => range.max = at.uint32()?,
                _ => {}
            }
        }
        Ok(range)
    }
}

impl SplitMetadata {
    fn read(at: Cursor<'_>, strings: &mut Strings) -> Result<Self, DecodeError> {
        let mut split = Self::default();
        for (field, at) in at.fields()? {
            match field {
                "phase" => split.phase = SplitPhase::read(at)?,
                "parentShardId" | "parent_shard_id" => {
                    split.parent_shard_id = ShardId(at.int64()?);
                }
                "childShardIds" | "child_shard_ids" => {
                    split.child_shard_ids = at.list(|at| at.int64().map(ShardId))?;
                }
                "splitPoint" | "split_point" => split.split_point = at.uint32()?,
                "snapshotOffset" | "snapshot_offset" => split.snapshot_offset = at.int64()?,
                "parentTermAtBootstrap" | "parent_term_at_bootstrap" => {
                    split.parent_term_at_bootstrap = at.int64()?;
                }
                "childLeadersAtBootstrap" | "child_leaders_at_bootstrap" => {
                    split.child_leaders_at_bootstrap =
                        by_shard(at, |at| Ok(strings.share(at.text()?)))?;
                }
                _ => {}
            }
        }
        Ok(split)
    }
}

impl SplitPhase {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        at.variant(
            |number| match number {
                1 => Some(Self::CatchUp),
                2 => Some(Self::Cutover),
                _ => None,
            },
            |name| match name {
                "CatchUp" => Some(Self::CatchUp),
                "Cutover" => Some(Self::Cutover),
                _ => None,
            },
        )
    }
}

fn by_shard<T>(
    at: Cursor<'_>,
    mut read: impl FnMut(Cursor<'_>) -> Result<T, DecodeError>,
) -> Result<BTreeMap<ShardId, T>, DecodeError> {
    let mut shards = BTreeMap::new();
    for (key, at) in at.entries()? {
        let id = key
            .parse()
            .map_err(|_| at.error("the key is not a shard id, a whole number of 64 bits"))?;
        if shards.insert(ShardId(id), read(at)?).is_some() {
            return Err(at.error("this shard id is given twice: remove one"));
        }
    }
    Ok(shards)
}
