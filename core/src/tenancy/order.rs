//! What is to be done about an effect, and what a task that was begun can come to.

use std::sync::Arc;

use crate::assign::ShardAssignments;
use crate::call::Call;
use crate::cluster::DataServerIdentity;
use crate::event::Event;
use crate::id::{Epoch, RequestId, Tenure, Timestamp, Version};
use crate::report::Report;
use crate::store::StatusDocument;

/// What is to be done about one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// End this task. That it has ended is still to be told.
    Abort(RequestId),
    /// Tell the coordinator's machine this: nothing was begun.
    Answer(Event),
    /// Begin a task. How it ended is to be told, once.
    Begin(RequestId, Task),
    /// Campaign, in this tenure.
    Campaign(Tenure),
    /// Close the office: extend leadership no more, then end these tasks, then tell the
    /// coordinator's machine that nothing is left, if that is so already.
    Close {
        /// Calls, watches and streams. That each has ended is still to be told.
        abort: Vec<RequestId>,
        /// `Drained`, where nothing was under way.
        drained: Option<Event>,
    },
    /// End the process.
    Exit,
    /// The connection to this internal address may be closed.
    Forget(Arc<str>),
    /// There is nothing to do.
    Nothing,
    /// Make ready for calls. Where that can't be, [`Tenancy::no_server_can_be_called`] is to be
    /// told.
    ///
    /// [`Tenancy::no_server_can_be_called`]: super::Tenancy::no_server_can_be_called
    OpenOffice {
        /// The tenure's epoch.
        epoch: Epoch,
        /// The id that every call to a data server carries.
        instance_id: Arc<str>,
    },
    /// Send these assignments on the stream that is open.
    Push(RequestId, Arc<ShardAssignments>),
    /// Give leadership back.
    Release,
    /// Tell people and metrics.
    Report(Report),
    /// Nothing, as the effect of this name is of a tenure that is over. The coordinator's machine
    /// never asks for that.
    Stale(&'static str),
}

/// What can be under way. Whoever carries it out looks at the gate once more right before anything
/// leaves, but for reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Ask a data server, for no longer than [`call_limit`](super::call_limit) says.
    Call {
        /// Whom.
        server: DataServerIdentity,
        /// What.
        call: Call,
    },
    /// Read the status document.
    Load {
        /// When to give up; `None` where leadership is a lock.
        until: Option<Timestamp>,
    },
    /// Read the configuration document.
    ReadConfiguration {
        /// When to give up.
        until: Timestamp,
    },
    /// Read the head of the status document.
    ReadHead {
        /// When to give up; `None` where leadership is a lock.
        until: Option<Timestamp>,
    },
    /// Write the status document, if its version is still `expected`.
    Store {
        /// When to give up; `None` where leadership is a lock.
        until: Option<Timestamp>,
        /// The version that it replaces.
        expected: Option<Version>,
        /// The document.
        document: StatusDocument,
    },
    /// Open a stream, and send these assignments on it.
    Stream {
        /// To whom.
        server: DataServerIdentity,
        /// What.
        assignments: Arc<ShardAssignments>,
    },
    /// Watch a data server's health.
    Watch {
        /// Whose.
        server: DataServerIdentity,
    },
}

/// The kinds of [`Task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is a `Task` without its payload")]
pub enum Kind {
    Call,
    Load,
    ReadConfiguration,
    ReadHead,
    Store,
    Stream,
    Watch,
}

/// How a task ended that brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// It was aborted.
    Dropped,
    /// Authority had ended right before anything left, so that nothing did.
    NoAuthority,
    /// It panicked.
    Panicked,
    /// It took as long as it may.
    TimedOut,
}

impl Task {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Call { .. } => Kind::Call,
            Self::Load { .. } => Kind::Load,
            Self::ReadConfiguration { .. } => Kind::ReadConfiguration,
            Self::ReadHead { .. } => Kind::ReadHead,
            Self::Store { .. } => Kind::Store,
            Self::Stream { .. } => Kind::Stream,
            Self::Watch { .. } => Kind::Watch,
        }
    }
}

impl Kind {
    /// Whether it is given up at the close. What reads or writes the status is not: it may be half done.
    pub(super) fn is_given_up(self) -> bool {
        self.asks_a_server() || self == Self::ReadConfiguration
    }

    /// Whether it asks a data server. The others read or write documents.
    pub(super) fn asks_a_server(self) -> bool {
        match self {
            Self::Call | Self::Stream | Self::Watch => true,
            Self::Load | Self::ReadConfiguration | Self::ReadHead | Self::Store => false,
        }
    }

    /// Whether it only reads. What a read says is looked at under authority, so it may begin without.
    #[must_use]
    pub fn reads(self) -> bool {
        match self {
            Self::Load | Self::ReadConfiguration | Self::ReadHead => true,
            Self::Call | Self::Store | Self::Stream | Self::Watch => false,
        }
    }

    /// The name of the effect that begins it.
    pub(super) fn effect(self) -> &'static str {
        match self {
            Self::Call => "Call",
            Self::Load => "Load",
            Self::ReadConfiguration => "ReadConfiguration",
            Self::ReadHead => "ReadHead",
            Self::Store => "Store",
            Self::Stream => "PushAssignments",
            Self::Watch => "WatchHealth",
        }
    }
}
