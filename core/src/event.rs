//! What has happened: past participles. Answers name the tenure and the request that they belong
//! to; an answer of an older tenure, or to an unknown request, changes nothing.

use serde::{Deserialize, Serialize};

use crate::call::{Answer, CallError};
use crate::id::{RequestId, ServerId, Tenure, Timestamp};
use crate::store::{HeadOutcome, LoadOutcome, StoreOutcome};

/// Everything that the machine can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Leadership was confirmed: authority now ends at `authority` (the send time of the last
    /// acknowledged renewal, plus the renew deadline).
    AuthorityExtended {
        /// The tenure that leads.
        tenure: Tenure,
        /// When authority ends.
        authority: Timestamp,
    },
    /// A data server answered, or failed to.
    CallAnswered {
        /// The tenure that asked.
        tenure: Tenure,
        /// The request.
        request: RequestId,
        /// What it said.
        result: Result<Answer, CallError>,
    },
    /// The configuration document was read because that was asked for.
    ConfigurationFound {
        /// The tenure that asked.
        tenure: Tenure,
        /// The request.
        request: RequestId,
        /// What it said then, or why it could not be read.
        found: Result<ConfigurationText, String>,
    },
    /// The configuration document was read, at the start or after it changed. It belongs to no
    /// tenure.
    ConfigurationRead(ConfigurationText),
    /// What was read last can't be put in force, for a reason that whoever read it has found. The last good one
    /// stays. It belongs to no tenure.
    ConfigurationRefused {
        /// Where it was read, for messages.
        source: String,
        /// Every reason, each with its key.
        reason: String,
    },
    /// Every task of the tenure has ended or was dropped: no call, no stream, no store.
    Drained {
        /// The tenure that was closed.
        tenure: Tenure,
    },
    /// The document's head was read.
    HeadRead {
        /// The tenure that asked.
        tenure: Tenure,
        /// The request.
        request: RequestId,
        /// What was found.
        outcome: HeadOutcome,
    },
    /// A health watch said something. The watch goes on.
    HealthObserved {
        /// The tenure that watches.
        tenure: Tenure,
        /// The request that opened the watch.
        request: RequestId,
        /// Whether the server said SERVING.
        serving: bool,
    },
    /// A health watch has ended.
    HealthWatchEnded {
        /// The tenure that watched.
        tenure: Tenure,
        /// The request that opened the watch.
        request: RequestId,
        /// Why.
        error: CallError,
    },
    /// Somebody else leads, or leadership could not be confirmed any more.
    LeadershipLost {
        /// The tenure that led.
        tenure: Tenure,
        /// The backend's words.
        reason: String,
    },
    /// The campaign was won.
    LeadershipWon {
        /// The tenure that campaigned.
        tenure: Tenure,
        /// When authority ends, unless it is extended; `None` where leadership is a lock that
        /// can't be lost while it is held.
        authority: Option<Timestamp>,
    },
    /// The document was read.
    Loaded {
        /// The tenure that asked.
        tenure: Tenure,
        /// The request.
        request: RequestId,
        /// What was found.
        outcome: LoadOutcome,
    },
    /// The assignments stream to a data server has ended.
    PushEnded {
        /// The tenure that pushed.
        tenure: Tenure,
        /// The request that opened the stream.
        request: RequestId,
        /// Why.
        error: CallError,
    },
    /// A person says that a data server which is not configured any more never comes back: nobody waits
    /// any longer for it to delete what it had. Where it is not known to be away, or is configured, nothing follows. It
    /// belongs to no tenure.
    ServerGivenUp {
        /// The server.
        server: ServerId,
    },
    /// The process was asked to stop: leave office in order, then exit.
    ShutdownRequested,
    /// Something hints that the status document was changed by somebody else.
    StatusHinted,
    /// A store has ended.
    StoreEnded {
        /// The tenure that stored.
        tenure: Tenure,
        /// The request.
        request: RequestId,
        /// How.
        outcome: StoreOutcome,
    },
    /// A deadline may have passed. Harmless at any time.
    TimePassed,
}

/// The configuration document's text, or its absence. The machine reads it itself, so that a bad
/// one can be refused and the last good one kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationText {
    /// Where it was read, for messages: a path, or `configmap namespace/name`.
    pub source: String,
    /// The text; `None` where there is no document.
    pub text: Option<String>,
}
