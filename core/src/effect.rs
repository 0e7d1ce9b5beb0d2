//! What is to be done: imperative verbs. Each names the tenure it belongs to, and its request
//! where an event answers it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::assign::ShardAssignments;
use crate::call::Call;
use crate::cluster::DataServerIdentity;
use crate::id::{Epoch, RequestId, ServerId, Tenure, Version};
use crate::report::Report;
use crate::store::StatusDocument;

/// Everything that the machine can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Ask a data server. Answered by `CallAnswered`.
    Call {
        /// The tenure that asks.
        tenure: Tenure,
        /// The request.
        request: RequestId,
        /// Whom.
        server: DataServerIdentity,
        /// What.
        call: Call,
    },
    /// Try to become the leader. Answered by `LeadershipWon`, in its own time.
    Campaign {
        /// The tenure that campaigns.
        tenure: Tenure,
    },
    /// Give up a call, a watch or a stream; nothing more is to be reported of it.
    Cancel {
        /// The tenure that asked.
        tenure: Tenure,
        /// The request.
        request: RequestId,
    },
    /// Close the office: end every call, watch, stream and store of the tenure, and hand nothing
    /// more of it to I/O. Answered by `Drained` when all have ended or were dropped.
    CloseOffice {
        /// The tenure that ends.
        tenure: Tenure,
    },
    /// End the process, in order and with success. Nothing comes after it.
    Exit,
    /// The server is no longer needed: its connection may be closed.
    ForgetServer {
        /// The tenure that knew it.
        tenure: Tenure,
        /// The server.
        server: ServerId,
    },
    /// Read the status document. Answered by `Loaded`.
    Load {
        /// The tenure that asks.
        tenure: Tenure,
        /// The request.
        request: RequestId,
    },
    /// The office is open: the fencing write is durable, and calls may begin.
    OpenOffice {
        /// The tenure that leads.
        tenure: Tenure,
        /// Its epoch.
        epoch: Epoch,
        /// The id that every call to a data server carries.
        instance_id: Arc<str>,
    },
    /// Send these assignments on the server's stream, opening it if need be. The newest ones take
    /// the place of older ones not yet sent. Answered only by `PushEnded`, when the stream ends.
    PushAssignments {
        /// The tenure that pushes.
        tenure: Tenure,
        /// The request that names the stream: the same for every push on one stream.
        request: RequestId,
        /// To whom.
        server: DataServerIdentity,
        /// What.
        assignments: Arc<ShardAssignments>,
    },
    /// Read the configuration document, as it is now. Answered by `ConfigurationFound`.
    ReadConfiguration {
        /// The tenure that asks.
        tenure: Tenure,
        /// The request.
        request: RequestId,
    },
    /// Read the head of the status document. Answered by `HeadRead`.
    ReadHead {
        /// The tenure that asks.
        tenure: Tenure,
        /// The request.
        request: RequestId,
    },
    /// Give leadership back, so that another may lead at once. Also ends an unfinished campaign.
    Release {
        /// The tenure that ends.
        tenure: Tenure,
    },
    /// Tell people and metrics.
    Report(Report),
    /// Write the status document, if its version is still `expected`. Answered by `StoreEnded`.
    Store {
        /// The tenure that stores.
        tenure: Tenure,
        /// The request.
        request: RequestId,
        /// The version that it replaces; `None` where there is no document.
        expected: Option<Version>,
        /// The document.
        document: StatusDocument,
    },
    /// Open `grpc.health.v1.Health/Watch` for the service "". Answered by `HealthObserved`, again
    /// and again, and at last by `HealthWatchEnded`.
    WatchHealth {
        /// The tenure that watches.
        tenure: Tenure,
        /// The request.
        request: RequestId,
        /// Whom.
        server: DataServerIdentity,
    },
}
