//! What is in the status document.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::beginnings::Beginnings;
use crate::cluster::configuration::ClusterConfiguration;
use crate::cluster::identity::DataServerIdentity;
use crate::id::{ServerId, ShardId, Term};

/// The whole status document. Shards are shared, so that a copy of it costs little.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// The namespaces by name.
    pub namespaces: BTreeMap<Arc<str>, NamespaceStatus>,
    /// The next free shard id, cluster-wide; ids are never used twice.
    pub shard_id_generator: i64,
    /// A field of old releases, kept and not used.
    pub server_idx: u32,
    /// The cluster's id, which data servers bind to for ever; empty before the first leader.
    pub instance_id: Arc<str>,
}

impl ClusterStatus {
    /// Forgets with what logs leaders began, as a coordinator does that knows nothing of it. Returns
    /// whether that was known of any.
    pub fn drop_beginnings(&mut self) -> bool {
        let mut is_known = false;
        for shard in self.shards_mut() {
            if !shard.beginnings.is_empty() {
                is_known = true;
                Arc::make_mut(shard).beginnings = Beginnings::default();
            }
        }
        is_known
    }

    /// Somebody else has written it: anybody may have been told to lead in the terms that it tells of.
    pub(crate) fn doubt_beginnings(&mut self) {
        for shard in self.shards_mut() {
            let beginnings = shard.beginnings.with_unknown(shard.term);
            if beginnings != shard.beginnings {
                Arc::make_mut(shard).beginnings = beginnings;
            }
        }
    }

    pub(super) fn shards_mut(&mut self) -> impl Iterator<Item = &mut Arc<ShardMetadata>> {
        let namespaces = self.namespaces.values_mut();
        namespaces.flat_map(|namespace| namespace.shards.values_mut())
    }

    /// Every shard of every namespace, by namespace and then by id.
    pub fn shards(&self) -> impl Iterator<Item = (&Arc<str>, ShardId, &Arc<ShardMetadata>)> {
        self.namespaces.iter().flat_map(|(name, namespace)| {
            namespace
                .shards
                .iter()
                .map(move |(id, shard)| (name, *id, shard))
        })
    }
}

impl ClusterStatus {
    /// Whether a server has to delete what it has, and of no shard can: wherever one waits for it, another one that
    /// has to keep that very shard is at its address by now.
    #[must_use]
    pub fn is_replaced(&self, server: &ServerId, configuration: &ClusterConfiguration) -> bool {
        let address = |it: &DataServerIdentity| {
            let mut configured = configuration.servers.iter();
            let configured = configured.find(|other| other.id() == it.id());
            configured.unwrap_or(it).internal.clone()
        };
        let mut is_any = false;
        for (_, _, shard) in self.shards() {
            let members = || shard.ensemble.iter().chain(&shard.removed_nodes);
            let left = shard.pending_delete_shard_nodes.iter();
            let mut left = left.chain(members().filter(|_| shard.is_deleting()));
            let Some(left) = left.find(|it| it.id() == *server) else {
                continue;
            };
            let keeps = |it: &DataServerIdentity| {
                it.id() != *server && address(it) == address(left) && !shard.is_deleting()
            };
            if !members().any(keeps) {
                return false;
            }
            is_any = true;
        }
        is_any
    }
}

/// One namespace of the status document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceStatus {
    /// The replication factor that its ensembles were made with.
    pub replication_factor: u32,
    /// Its shards by id.
    pub shards: BTreeMap<ShardId, Arc<ShardMetadata>>,
}

impl NamespaceStatus {
    /// Its shards but for those that are being deleted.
    pub fn kept(&self) -> impl Iterator<Item = (ShardId, &Arc<ShardMetadata>)> {
        let shards = self.shards.iter();
        shards
            .filter(|(_, shard)| !shard.is_deleting())
            .map(|(id, shard)| (*id, shard))
    }
}

/// One shard of the status document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardMetadata {
    /// Where the shard is in its life.
    pub status: ShardStatus,
    /// The term of its last election; -1 before the first.
    pub term: Term,
    /// Its leader, once elected in `term`.
    pub leader: Option<DataServerIdentity>,
    /// The servers that replicate it.
    pub ensemble: Vec<DataServerIdentity>,
    /// Servers swapped out, which still vote until the swap is complete.
    pub removed_nodes: Vec<DataServerIdentity>,
    /// Servers swapped out whose data is still to be deleted.
    pub pending_delete_shard_nodes: Vec<DataServerIdentity>,
    /// The hashes that it serves; absent only in broken documents.
    pub int32_hash_range: Option<HashRange>,
    /// The split that it takes part in.
    pub split: Option<SplitMetadata>,
    /// With what logs its last leaders began.
    #[serde(default, skip_serializing_if = "Beginnings::is_empty")]
    pub beginnings: Beginnings,
    /// Who led last, and in which term, while nobody leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_leader: Option<LastLeader>,
    /// The term in which an operator last accepted that what lost replicas had is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_accepted: Option<Term>,
}

/// Who led a shard last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLeader {
    /// In this term.
    pub term: Term,
    /// By its id; nobody, if it has lost its data since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerId>,
    /// Up to this offset it was known to have committed; -1 where nothing is known.
    pub committed: i64,
}

impl ShardMetadata {
    /// Whether a server is in the ensemble, by its id.
    #[must_use]
    pub fn is_member(&self, server: &DataServerIdentity) -> bool {
        let id = server.id();
        self.ensemble.iter().any(|member| member.id() == id)
    }

    /// Whether it is being deleted: nothing takes that back.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.status == ShardStatus::Deleting
    }

    /// Whether clients are told of it: not one being deleted, nor the child of an unfinished split.
    #[must_use]
    pub fn is_assignable(&self) -> bool {
        self.status != ShardStatus::Deleting && !self.is_split_child()
    }

    /// Whether it may have been led, and so may hold entries: not one whose first leader is still
    /// to be stored. Until then its status stays unknown, but for a first attempt in term 0, which
    /// is stored as an election with its creation.
    #[must_use]
    pub fn was_led(&self) -> bool {
        match self.status {
            ShardStatus::Unknown => self.leader.is_some(),
            ShardStatus::Election => self.leader.is_some() || self.term > Term(0),
            ShardStatus::SteadyState | ShardStatus::Deleting => true,
        }
    }

    /// Whether it is the child of a split that has not finished.
    #[must_use]
    pub fn is_split_child(&self) -> bool {
        self.split
            .as_ref()
            .is_some_and(|split| split.child_shard_ids.is_empty())
    }
}

impl Default for ShardMetadata {
    fn default() -> Self {
        Self {
            status: ShardStatus::Unknown,
            term: Term::NEVER,
            leader: None,
            ensemble: Vec::new(),
            removed_nodes: Vec::new(),
            pending_delete_shard_nodes: Vec::new(),
            int32_hash_range: None,
            split: None,
            beginnings: Beginnings::default(),
            last_leader: None,
            loss_accepted: None,
        }
    }
}

/// A shard's persisted state; the numbers are those of the document.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum ShardStatus {
    /// Never elected (0).
    #[default]
    Unknown,
    /// It has a leader (1).
    SteadyState,
    /// It is being elected (2).
    Election,
    /// Its data is being deleted (3).
    Deleting,
}

/// Hash range, both ends inclusive.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct HashRange {
    /// The least hash of the range.
    pub min: u32,
    /// The greatest hash of the range.
    pub max: u32,
}

/// A split in progress, as recorded on the parent and on both children.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitMetadata {
    /// How far it is.
    pub phase: SplitPhase,
    /// The shard being split.
    pub parent_shard_id: ShardId,
    /// `[left, right]`, on the parent only.
    pub child_shard_ids: Vec<ShardId>,
    /// The last hash of the left child.
    pub split_point: u32,
    /// Unused by every release, kept.
    pub snapshot_offset: i64,
    /// The parent's term when its children were fenced.
    pub parent_term_at_bootstrap: i64,
    /// The internal address of each child's leader at bootstrap.
    pub child_leaders_at_bootstrap: BTreeMap<ShardId, Arc<str>>,
}

/// The phases of a split, in order; the numbers are those of the document.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum SplitPhase {
    /// Children are fenced and led, and observe the parent (0).
    #[default]
    Bootstrap,
    /// Children read the parent's log (1).
    CatchUp,
    /// The parent is frozen and fenced (2).
    Cutover,
}
