//! Why a node can't start, or can't be written to.

use std::io;
use std::time::Duration;

use openraft::error::Fatal;
use stepdown_wire::tls::TlsError;

use super::storage::{Fault, OpenError};
use super::types::{Member, NodeId};

/// Why a node can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no source of chance for its number.
    #[error("no random number: {0}")]
    Chance(getrandom::Error),
    /// What it holds can't be read.
    #[error(transparent)]
    Disk(#[from] Fault),
    /// The cluster can't be formed.
    #[error("the cluster can't be formed: {0}")]
    Form(String),
    /// Its file can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its port can't be opened.
    #[error("can't listen on {address} for the other nodes: {error}")]
    Listen {
        /// The address.
        address: String,
        /// The system's words.
        error: io::Error,
    },
    /// The others look for it at another address.
    #[error(
        "{directory} is of node {node}, which its cluster knows as {known} and not at {address}: \
         start it there, or remove it from the cluster and add it again with an empty directory; one \
         that is alone, or all at once, move by export and import"
    )]
    Moved {
        /// Its directory.
        directory: String,
        /// Its number.
        node: NodeId,
        /// What the cluster knows of it.
        known: Member,
        /// Where it is now.
        address: String,
    },
    /// Raft does not start.
    #[error(transparent)]
    Raft(Box<Fatal<NodeId>>),
    /// TLS among the nodes can't be set up.
    #[error("TLS among the nodes can't be set up: {0}")]
    Tls(TlsError),
    /// Durations that make no sense.
    #[error(transparent)]
    Timing(#[from] TimingError),
}

impl From<Fatal<NodeId>> for StartError {
    fn from(fatal: Fatal<NodeId>) -> Self {
        Self::Raft(Box::new(fatal))
    }
}

pub(super) const NOT_LEADING: &str = "this node does not lead";

/// Why an entry was not applied, or it is not known whether it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Raft's words: another leads, or the node has stopped.
    #[error("{0}")]
    Raft(String),
    /// No majority has taken it in time.
    #[error("no majority has taken it within {0:?}")]
    TimedOut(Duration),
    /// It was not even tried: no other node could be sent it.
    #[error("{bytes} bytes in the log are more than {most}")]
    TooLarge {
        /// What it comes to in the log, in bytes.
        bytes: u64,
        /// The most that is taken.
        most: u64,
    },
}

/// Durations that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TimingError(pub(super) String);
