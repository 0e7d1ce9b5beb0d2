//! What a coordinator or a client asks of a data server, and what it hears.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stepdown_core::call::{
    AddFollower, Answer, BecomeLeader, CallError, CallErrorKind, EntryId, Feature, NewTerm,
    ReplicaStatus, Truncate,
};
use stepdown_core::{ShardId, Term};

/// Names a request, so that its reply can be told. The caller picks it; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Token(pub u64);

/// A request about one shard, or about the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Let the leader take a follower.
    AddFollower(AddFollower),
    /// Let the leader feed a shard of another server, which has no say in the quorum.
    AddObserver {
        /// Whom to feed, and from where on.
        follower: AddFollower,
        /// The shard that is fed; the leader's own where absent.
        target: Option<ShardId>,
    },
    /// Add one entry to a shard's log: a client's write. Answered when a quorum has it.
    Append {
        /// The shard.
        shard: ShardId,
    },
    /// Make a fenced replica lead. Answered when a quorum has its whole log.
    BecomeLeader(BecomeLeader),
    /// Forget a shard and its log.
    DeleteShard {
        /// The shard.
        shard: ShardId,
        /// The term of who asks.
        term: Term,
    },
    /// Refuse writes, or take them again.
    FreezeShard {
        /// The shard.
        shard: ShardId,
        /// The leader's term.
        term: Term,
        /// Whether to refuse.
        frozen: bool,
    },
    /// Ask for the server's features.
    GetInfo,
    /// Ask for a replica's term, role and offsets.
    GetStatus {
        /// The shard.
        shard: ShardId,
    },
    /// Fence a replica in a term.
    NewTerm(NewTerm),
    /// Make a fenced replica drop the end of its log.
    Truncate(Truncate),
    /// Feed an observer no longer.
    RemoveObserver {
        /// The shard.
        shard: ShardId,
        /// The leader's term.
        term: Term,
        /// The observer's internal address.
        follower: Arc<str>,
        /// The shard that was fed.
        target: ShardId,
    },
}

impl Request {
    /// The shard it is about.
    pub fn shard(&self) -> Option<ShardId> {
        match self {
            Self::AddFollower(request) => Some(request.shard),
            Self::AddObserver { follower, .. } => Some(follower.shard),
            Self::BecomeLeader(request) => Some(request.shard),
            Self::NewTerm(request) => Some(request.shard),
            Self::Truncate(request) => Some(request.shard),
            Self::Append { shard }
            | Self::DeleteShard { shard, .. }
            | Self::FreezeShard { shard, .. }
            | Self::GetStatus { shard }
            | Self::RemoveObserver { shard, .. } => Some(*shard),
            Self::GetInfo => None,
        }
    }
}

/// A good answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To `Append`: the entry is committed.
    Appended(EntryId),
    /// To `BecomeLeader`.
    BecameLeader,
    /// To `DeleteShard`.
    Deleted,
    /// To `NewTerm`: the head of the log.
    Fenced(EntryId),
    /// To `AddFollower` and `AddObserver`.
    FollowerAdded,
    /// To `FreezeShard`: the last offset of the log.
    Frozen {
        /// The offset.
        head_offset: i64,
    },
    /// To `GetInfo`.
    Info(BTreeSet<Feature>),
    /// To `RemoveObserver`.
    ObserverRemoved,
    /// To `GetStatus`.
    Status(ReplicaStatus),
    /// To `Truncate`: the head of the log.
    Truncated(EntryId),
}

impl Reply {
    /// The reply as the coordinator's machine hears it, where that has such a call.
    pub fn answer(&self) -> Option<Answer> {
        match self {
            Self::BecameLeader => Some(Answer::BecameLeader),
            Self::Deleted => Some(Answer::ShardDeleted),
            Self::Fenced(head) => Some(Answer::Fenced(*head)),
            Self::FollowerAdded => Some(Answer::FollowerAdded),
            Self::Status(status) => Some(Answer::Status(*status)),
            Self::Truncated(head) => Some(Answer::Truncated(*head)),
            Self::Appended(_) | Self::Frozen { .. } | Self::Info(_) | Self::ObserverRemoved => None,
        }
    }
}

/// Why a data server refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Every follower of the ensemble is attached already.
    #[error("all followers are already attached")]
    AllFollowersAttached,
    /// The instance id is empty.
    #[error("instance id must not be empty")]
    EmptyInstanceId,
    /// The replica's status does not allow it.
    #[error("oxia: invalid status")]
    InvalidStatus,
    /// The term is not the replica's.
    #[error("oxia: invalid term")]
    InvalidTerm,
    /// An append that does not fit the log.
    #[error("the log does not have the entry before the appended ones")]
    LogMismatch,
    /// The server has not been bound to a cluster.
    #[error("oxia: server not initialized yet")]
    NotInitialized,
    /// The replica does not lead.
    #[error("oxia: node is not leader")]
    NotLeader,
    /// The server has no such shard.
    #[error("oxia: node is not a member")]
    NotMember,
    /// Another leader's replication stream is still open.
    #[error("oxia: resource conflict")]
    ResourceConflict,
    /// The replica was closed, or stopped leading, meanwhile.
    #[error("oxia: resource unavailable")]
    ResourceUnavailable,
    /// The request comes from another cluster.
    #[error("oxia: unexpected instance id {0:?}")]
    UnexpectedInstanceId(Arc<str>),
}

impl Refusal {
    /// What it means to the coordinator.
    pub(crate) fn kind(&self) -> CallErrorKind {
        match self {
            Self::InvalidStatus => CallErrorKind::InvalidStatus,
            Self::InvalidTerm => CallErrorKind::InvalidTerm,
            Self::NotInitialized => CallErrorKind::NotInitialized,
            Self::NotLeader => CallErrorKind::NotLeader,
            Self::NotMember => CallErrorKind::NotMember,
            Self::UnexpectedInstanceId(_) => CallErrorKind::Refused,
            Self::AllFollowersAttached
            | Self::EmptyInstanceId
            | Self::LogMismatch
            | Self::ResourceConflict
            | Self::ResourceUnavailable => CallErrorKind::Other,
        }
    }
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        Self {
            kind: refusal.kind(),
            message: refusal.to_string(),
        }
    }
}
