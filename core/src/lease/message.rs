//! What the machine is told, and what it asks for.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record::{Lease, LeaseRecord, WallTime};
use crate::id::{Epoch, RequestId, Timestamp, Version};

/// Everything that a [`LeaseState`](super::LeaseState) can be told. An answer to an unknown request
/// changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseEvent {
    /// Somebody wants to lead. Answered by [`LeaseReport::Won`], in its own time.
    CampaignRequested,
    /// A fencing write has raised the epoch: the lease is to remember it.
    EpochRaised(Epoch),
    /// Something hints that the lease has changed, or a watch of it has begun or ended.
    LeaseHinted,
    /// A watch has shown the lease, or that it is gone. It may be late, repeated or out of order.
    LeaseObserved(Option<Lease>),
    /// The lease was read.
    LeaseRead {
        /// The request.
        request: RequestId,
        /// What was found.
        outcome: LeaseReading,
    },
    /// A write of the lease has ended.
    LeaseWritten {
        /// The request.
        request: RequestId,
        /// When it was sent, by the boot-time clock.
        sent: Timestamp,
        /// What the record said of the time where it was to say "now".
        wall: WallTime,
        /// How it ended.
        outcome: LeaseWriting,
    },
    /// The office is closed, or nobody wants to lead any more: what is held is held still, but
    /// nothing is renewed and nothing is bid for.
    OfficeClosed,
    /// The office is empty: what is held is to be given back. Answered by
    /// [`LeaseReport::Released`].
    ReleaseRequested,
    /// A deadline may have passed. Harmless at any time.
    TimePassed,
}

/// The answer to a [`LeaseEffect::Read`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseReading {
    /// There is none.
    Absent {
        /// Whether there is a status document, or may be one.
        beside_a_document: bool,
    },
    /// We may not read it.
    Forbidden(String),
    /// This is it.
    Found(Lease),
    /// No answer, or none that helps.
    Unavailable {
        /// How long to wait at least.
        after: Duration,
        /// The other side's words.
        reason: String,
    },
}

/// The answer to a [`LeaseEffect::Write`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseWriting {
    /// It may or may not have been applied: a timeout, or a refusal over a network.
    Ambiguous(String),
    /// It was definitely not applied, for a reason that waiting alone does not mend.
    Refused(String),
    /// It was definitely not applied; try again after a while.
    Unavailable {
        /// How long to wait at least.
        after: Duration,
        /// The other side's words.
        reason: String,
    },
    /// It is written, and this is its version.
    Written(Version),
}

/// Everything that a [`LeaseState`](super::LeaseState) can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseEffect {
    /// Read the lease, as it is now and not from any cache. Answered by
    /// [`LeaseEvent::LeaseRead`], whatever happens.
    Read {
        /// The request.
        request: RequestId,
        /// When to give up.
        deadline: Timestamp,
    },
    /// Tell whoever wants to lead.
    Report(LeaseReport),
    /// Write the lease, if its version is still `expected`. Answered by
    /// [`LeaseEvent::LeaseWritten`], whatever happens.
    Write {
        /// The request.
        request: RequestId,
        /// The version that it replaces; `None` where there is none.
        expected: Option<Version>,
        /// What it is to say.
        record: LeaseRecord,
        /// When to give up.
        deadline: Timestamp,
    },
}

/// What whoever wants to lead is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseReport {
    /// Leadership was lost too often lately, and somebody else is there to take it.
    CoolingDown {
        /// For how long no bid is made.
        wait: Duration,
    },
    /// We still lead.
    Extended {
        /// When authority ends now.
        authority: Timestamp,
    },
    /// The lease names somebody else than before.
    HolderChanged {
        /// Whom; empty where nobody.
        holder: Arc<str>,
    },
    /// We do not lead any more.
    Lost {
        /// Why.
        reason: String,
    },
    /// The lease can't be read or written.
    Refused {
        /// Why.
        reason: String,
    },
    /// Whatever was held is given back, or nothing was.
    Released {
        /// Whether it was given back, so that another may lead at once.
        given_back: bool,
    },
    /// We lead.
    Won {
        /// When authority ends, unless it is extended.
        authority: Timestamp,
    },
}
