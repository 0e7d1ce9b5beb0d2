//! What the coordinator asks of a data server, and what it hears.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::KeySorting;
use crate::id::{ShardId, Term};

/// One request to a data server. Each is answered by exactly one `CallAnswered`, unless its
/// tenure is closed first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// Make the leader take a follower. Repeating it is harmless.
    AddFollower(AddFollower),
    /// Make a fenced server the leader of a shard.
    BecomeLeader(BecomeLeader),
    /// Ask `grpc.health.v1.Health/Check` for the service "".
    CheckHealth,
    /// Delete what a server has of a shard, for good.
    DeleteShard(DeleteShard),
    /// Ask for a replica's term, role and offsets.
    GetStatus {
        /// The shard.
        shard: ShardId,
    },
    /// Bind the server to the cluster and learn its features.
    Handshake,
    /// Fence a replica in a term and learn the head of its log.
    NewTerm(NewTerm),
    /// Make a fenced replica drop what its log has after this entry, as a leader would.
    Truncate(Truncate),
}

/// Fence a replica in a term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTerm {
    /// The shard's namespace.
    pub namespace: Arc<str>,
    /// The shard.
    pub shard: ShardId,
    /// The term to fence in.
    pub term: Term,
    /// Whether the shard keeps notifications.
    pub enable_notifications: bool,
    /// How keys are sorted; it matters only when the database is made.
    pub key_sorting: KeySorting,
}

/// Make a fenced replica drop the end of its log. It is no longer fenced then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncate {
    /// The shard's namespace.
    pub namespace: Arc<str>,
    /// The shard.
    pub shard: ShardId,
    /// The term in which the replica was fenced.
    pub term: Term,
    /// What is to be its last entry.
    pub head: EntryId,
}

/// Make a fenced server the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BecomeLeader {
    /// The shard's namespace.
    pub namespace: Arc<str>,
    /// The shard.
    pub shard: ShardId,
    /// The term in which the server was fenced.
    pub term: Term,
    /// The size of the ensemble.
    pub replication_factor: u32,
    /// The other fenced members by internal address, with the heads of their logs.
    pub follower_maps: BTreeMap<Arc<str>, EntryId>,
    /// The features that every member has.
    pub features_supported: BTreeSet<Feature>,
}

/// Make the leader take a follower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddFollower {
    /// The shard's namespace.
    pub namespace: Arc<str>,
    /// The shard.
    pub shard: ShardId,
    /// The leader's term.
    pub term: Term,
    /// The follower's internal address.
    pub follower: Arc<str>,
    /// The head of the follower's log.
    pub head: EntryId,
}

/// Delete what a server has of a shard. A server that has nothing of it says that it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteShard {
    /// The shard's namespace.
    pub namespace: Arc<str>,
    /// The shard.
    pub shard: ShardId,
    /// The term in which the server is no member any more; a replica in a later one refuses.
    pub term: Term,
}

/// A place in a shard's log; `(-1, -1)` is before its first entry. Ordered by term, then offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryId {
    /// The term in which the entry was written.
    pub term: Term,
    /// Its place in the log.
    pub offset: i64,
}

impl EntryId {
    /// Before the first entry.
    pub const NONE: Self = Self {
        term: Term(-1),
        offset: -1,
    };

    /// Whether a log may end like this that nobody has written to in this term, or later.
    pub(crate) fn is_of_a_log_before(self, term: Term) -> bool {
        let is_entry = self.term >= Term(0) && self.offset >= 0;
        self == Self::NONE || is_entry && self.term < term
    }
}

/// A data server's optional ability, by its number on the wire; 0 is never one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Feature(pub i32);

impl Feature {
    /// What all of these can do; `None` where there are none, or while one has not told.
    pub(crate) fn common<'a>(
        told: impl IntoIterator<Item = Option<&'a BTreeSet<Self>>>,
    ) -> Option<BTreeSet<Self>> {
        let mut told = told.into_iter();
        let mut common = told.next()??.clone();
        common.remove(&Self(0));
        for features in told {
            let features = features?;
            common.retain(|feature| features.contains(feature));
        }
        Some(common)
    }
}

/// A data server's answer to a [`Call`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To `BecomeLeader`: the whole log is committed by a quorum.
    BecameLeader,
    /// To `NewTerm`: the replica is fenced, and this is the head of its log, as far as that is synced.
    Fenced(EntryId),
    /// To `AddFollower`.
    FollowerAdded,
    /// To `Handshake`.
    Handshaken {
        /// Whether the server is ours.
        binding: Binding,
        /// What it can do.
        features: BTreeSet<Feature>,
    },
    /// To `CheckHealth`.
    Health {
        /// Whether it answered SERVING.
        serving: bool,
    },
    /// To `DeleteShard`: there is nothing of it any more.
    ShardDeleted,
    /// To `GetStatus`.
    Status(ReplicaStatus),
    /// To `Truncate`: the head of its log.
    Truncated(EntryId),
}

/// Whether a data server is bound to this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binding {
    /// It was bound before.
    AlreadyBound,
    /// It is bound now.
    Bound,
    /// It belongs to another cluster.
    Mismatch,
}

/// A replica's view of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Its term.
    pub term: Term,
    /// Its role.
    pub role: ReplicaRole,
    /// The last offset of its log; of a follower also what is not synced.
    pub head_offset: i64,
    /// The last offset that it knows to be committed.
    pub commit_offset: i64,
}

impl ReplicaStatus {
    /// Whether it was never fenced: it has no data, or none any more. No member in a term is one that is
    /// being closed.
    #[must_use]
    pub fn has_forgotten(&self) -> bool {
        self.term == Term::NEVER
    }
}

/// What a replica does; the names are the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReplicaRole {
    /// It replicates a leader's log.
    Follower,
    /// It waits to be told who leads; a follower stays so until its first append.
    Fenced,
    /// It leads.
    Leader,
    /// It has no such shard.
    NotMember,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind:?}: {message}")]
pub struct CallError {
    /// What it means to the coordinator.
    pub kind: CallErrorKind,
    /// The peer's or the transport's words.
    pub message: String,
}

/// What a failed call means to the coordinator. The first group is the data server's own
/// `ErrorInfo` reason; the second is the transport's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CallErrorKind {
    /// The replica is not in a state to do that.
    InvalidStatus,
    /// The replica is in a higher term.
    InvalidTerm,
    /// The replica does not lead.
    NotLeader,
    /// The server has no such shard.
    NotMember,
    /// The server has not been bound to a cluster yet.
    NotInitialized,
    /// The server belongs to another cluster, or refuses the instance id.
    Refused,
    /// The server does not know the method.
    Unimplemented,

    /// No answer in time: it may have happened.
    TimedOut,
    /// The server can't be reached, or the connection broke: it may have happened.
    Unreachable,
    /// Anything else that the server said.
    Other,
}

impl CallErrorKind {
    /// Whether nothing was heard of the server: what it was asked may have happened, or may yet.
    #[must_use]
    pub fn is_unheard(self) -> bool {
        matches!(self, Self::TimedOut | Self::Unreachable)
    }
}
