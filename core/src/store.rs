//! What a metadata store is asked and what it answers. Results are values: a conflict is an
//! answer like any other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::ClusterStatus;
use crate::id::{Epoch, Version, WriteId};

/// The status document as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDocument {
    /// The writer's epoch, kept beside the status in the document.
    pub epoch: Epoch,
    /// The name of this write, kept beside the status in the document.
    pub write_id: WriteId,
    /// The status itself.
    pub status: Arc<ClusterStatus>,
    /// Whether it has namespaces that were not there before. Then it counts as too large, too, if
    /// it would not fit as [`ClusterStatus::grown`]: what is stored now must not keep leaders and
    /// terms from being stored later.
    #[serde(default)]
    pub admits: bool,
}

/// The answer to a `Store`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreOutcome {
    /// It may or may not have been applied: a timeout, or a refusal over a network.
    Ambiguous(String),
    /// It was definitely not applied, because the version is another one.
    Conflict(String),
    /// What is stored can't be read, so nothing was written.
    Corrupt(String),
    /// It was definitely not applied, because we may not.
    Forbidden(String),
    /// It was definitely not applied, because the store calls it malformed.
    Invalid(String),
    /// It is durable, at this version.
    Stored(Version),
    /// It was definitely not applied, because the document is too large.
    TooLarge(String),
    /// It was definitely not applied; try again after a while.
    Unavailable {
        /// How long to wait at least.
        after: Duration,
        /// The store's words.
        reason: String,
    },
}

impl StoreOutcome {
    /// Why the document is not durable, if it is not.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Stored(_) => None,
            Self::Ambiguous(reason)
            | Self::Conflict(reason)
            | Self::Corrupt(reason)
            | Self::Forbidden(reason)
            | Self::Invalid(reason)
            | Self::TooLarge(reason)
            | Self::Unavailable { reason, .. } => Some(reason),
        }
    }
}

/// The answer to a `Load`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadOutcome {
    /// The store says definitely that there is no document: a new cluster.
    Absent {
        /// The greatest epoch known from elsewhere (a Lease, a sidecar); zero if none.
        epoch: Epoch,
    },
    /// There is a document, but it can't be read. It is never taken for an empty cluster.
    Corrupt(String),
    /// We may not read it.
    Forbidden(String),
    /// The document.
    Found(LoadedStatus),
    /// No answer; try again after a while.
    Unavailable {
        /// How long to wait at least.
        after: Duration,
        /// The store's words.
        reason: String,
    },
}

/// A status document as read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedStatus {
    /// Its version, to be presented by the next store.
    pub version: Version,
    /// The greatest epoch known: the document's own, or that of a Lease or a sidecar.
    pub epoch: Epoch,
    /// The write that made it, where that is recorded.
    pub write_id: Option<WriteId>,
    /// Whether its recorded checksum matches its data. Where it doesn't, or there is none, somebody
    /// else wrote it: upstream's coordinator, or a person.
    pub intact: bool,
    /// The status.
    pub status: Arc<ClusterStatus>,
    /// The size of the document as stored, in bytes.
    pub bytes: u64,
}

impl LoadedStatus {
    /// Whether it is one that was there before, put back: the epoch that made it is not the greatest
    /// known.
    #[must_use]
    pub fn is_older_copy(&self) -> bool {
        self.intact && self.write_id.is_some_and(|id| id.epoch < self.epoch)
    }

    /// Whether somebody else has put it there, from wherever: it is not what a coordinator of this
    /// kind stored last.
    #[must_use]
    pub fn is_of_others(&self) -> bool {
        !self.intact || self.write_id.is_none() || self.is_older_copy()
    }
}

/// The answer to a `ReadHead`: enough to tell whose the document is, without the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeadOutcome {
    /// There is no document.
    Absent,
    /// There is a document, but it can't be read.
    Corrupt(String),
    /// The document's head.
    Found(Head),
    /// No answer; try again after a while.
    Unavailable {
        /// How long to wait at least.
        after: Duration,
        /// The store's words.
        reason: String,
    },
}

impl HeadOutcome {
    /// Why it could not be read, if it could not.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Absent | Self::Found(_) => None,
            Self::Corrupt(reason) | Self::Unavailable { reason, .. } => Some(reason),
        }
    }
}

/// The head of a stored document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its version.
    pub version: Version,
    /// The write that made it, where that is recorded.
    pub write_id: Option<WriteId>,
    /// Whether its recorded checksum matches its data.
    pub intact: bool,
}

impl Head {
    /// Who has written it, in words.
    #[must_use]
    pub fn writer(&self) -> WrittenBy {
        WrittenBy {
            write_id: self.write_id,
            intact: self.intact,
        }
    }
}

/// Who has written a document, as far as it tells: in words, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenBy {
    /// The write that made it, where that is recorded.
    pub write_id: Option<WriteId>,
    /// Whether its recorded checksum matches its data.
    pub intact: bool,
}

impl fmt::Display for WrittenBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = "no coordinator of this kind: upstream's, or a person";
        match self.write_id {
            Some(id) if self.intact => {
                write!(
                    f,
                    "by the coordinator of epoch {}, process {}",
                    id.epoch, id.process
                )
            }
            Some(id) => write!(
                f,
                "by {others}, after the coordinator of epoch {}, process {}",
                id.epoch, id.process
            ),
            None => write!(f, "by {others}"),
        }
    }
}
