//! What data servers say to one another. Any message may be lost, repeated or come late.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stepdown_core::call::EntryId;
use stepdown_core::{ShardId, Term};

use super::log::Run;
use super::request::Refusal;

/// A message from one data server to another, about one shard of the receiver's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The sender's internal address.
    pub from: Arc<str>,
    /// The shard's namespace.
    pub namespace: Arc<str>,
    /// The leader's shard.
    pub source: ShardId,
    /// The follower's shard: the same one, or the child that an observer feeds in a split.
    pub target: ShardId,
    /// The leader's term.
    pub term: Term,
    /// What it says.
    pub body: Body,
}

/// What a [`Message`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Leader to follower: here is more of the log. Without entries it opens the stream, or
    /// tells how far the log is committed.
    Append {
        /// The leader's entry just before `entries`.
        previous: EntryId,
        /// The entries.
        entries: Vec<Run>,
        /// How far the leader's log is committed.
        commit_offset: i64,
    },
    /// Leader to follower: here is the database, in place of whatever there is. The log begins
    /// after it.
    Snapshot {
        /// What is in it: all that is committed.
        entries: Vec<Run>,
    },
    /// Leader to follower: the stream ends.
    Close,
    /// Follower to leader: the log is the leader's up to this offset.
    Appended {
        /// The offset.
        offset: i64,
    },
    /// Follower to leader: not appended. The stream ends.
    AppendRefused {
        /// Why.
        refusal: Refusal,
    },
    /// Leader to follower: drop what comes after this entry.
    Truncate {
        /// The entry.
        to: EntryId,
    },
    /// Follower to leader: truncated.
    Truncated {
        /// The follower's new head.
        head: EntryId,
    },
    /// Follower to leader: not truncated.
    TruncateRefused {
        /// Why.
        refusal: Refusal,
    },
}

impl Body {
    /// Whether it answers another message: a follower says it to a leader.
    pub fn is_answer(&self) -> bool {
        match self {
            Self::Append { .. } | Self::Snapshot { .. } | Self::Truncate { .. } | Self::Close => {
                false
            }
            Self::Appended { .. }
            | Self::AppendRefused { .. }
            | Self::Truncated { .. }
            | Self::TruncateRefused { .. } => true,
        }
    }
}
