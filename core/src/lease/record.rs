//! The lease object, as everybody sees it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, ProcessId, Version};

/// A wall clock's time, in microseconds since 1970. It is for people, and to tell one record from
/// another: no deadline is ever counted from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub i64);

/// The lease object and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its version, to be presented by the next write.
    pub version: Version,
    /// What it says.
    pub record: LeaseRecord,
}

/// What a lease says: client-go's fields, and ours beside them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// The name of whoever holds it; empty where nobody does.
    pub holder: Arc<str>,
    /// The process that wrote this very record, if it was one of ours. A writer that does not know
    /// of it, such as client-go, leaves an older one behind: whoever decodes a lease has to drop
    /// what does not belong to `renewed`.
    pub process: Option<ProcessId>,
    /// The UID of that process's pod, with the same caveat.
    pub pod: Option<Arc<str>>,
    /// How long it lasts after the last renewal; zero where that is missing or nonsense.
    pub duration: Duration,
    /// When its holder got it; in a record to be written, `None` means now.
    pub acquired: Option<WallTime>,
    /// When its holder renewed it last; in a record to be written, `None` means now.
    pub renewed: Option<WallTime>,
    /// How often the holder has changed.
    pub transitions: u32,
    /// The greatest epoch that a holder has told of; zero if none has.
    pub epoch: Epoch,
    /// Whom the last holder gave it to, by name: the others wait a while.
    pub transfer_to: Option<Arc<str>>,
    /// Whom the present holder is asked to give it to, by name.
    pub transfer_requested: Option<Arc<str>>,
}

impl LeaseRecord {
    /// Whether somebody holds it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.holder.is_empty()
    }

    /// Whether its holder has not written since the other one: what somebody else asks of him is
    /// no sign of life.
    pub(super) fn is_as_old_as(&self, other: &Self) -> bool {
        let apart_from_requests = |record: &Self| Self {
            transfer_requested: None,
            ..record.clone()
        };
        apart_from_requests(self) == apart_from_requests(other)
    }
}
