//! Why another node did not answer.

use std::error::Error;
use std::time::Duration;

use openraft::error::{RPCError, RaftError, Unreachable};
use tonic::{Code, Status};

use super::convert::Malformed;
use super::identity::Stranger;
use crate::raft::heed::Forgotten;
use crate::raft::types::{Member, NodeId};

/// Why another node did not answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Its address is none.
    #[error("'{address}' is no address: use host:port")]
    Address {
        /// What was given.
        address: String,
    },
    /// It has lost what it has acknowledged.
    #[error(transparent)]
    Forgotten(#[from] Forgotten),
    /// Its answer, or our question, can't be understood.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its answer is one of another cluster's, or of nobody's.
    #[error(transparent)]
    Stranger(#[from] Stranger),
    /// It said no, or there is no connection.
    #[error("{}", in_words(*.code, .message, .cause.as_deref()))]
    Refused {
        /// gRPC's code.
        code: Code,
        /// Its words.
        message: String,
        /// What is behind it.
        cause: Option<String>,
    },
    /// It takes no more of a snapshot.
    #[error("it took no more of the snapshot for {0:?}")]
    Stalled(Duration),
    /// There was no answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let mut causes = Vec::new();
        let mut next = status.source();
        while let Some(source) = next {
            causes.push(source.to_string());
            next = source.source();
        }
        Self::Refused {
            code: status.code(),
            message: status.message().to_owned(),
            cause: (!causes.is_empty()).then(|| causes.join(": ")),
        }
    }
}

impl From<CallError> for Unreachable {
    fn from(error: CallError) -> Self {
        Self::new(&error)
    }
}

/// Raft pauses before it tries again, whatever the reason: another node that says no, or answers
/// late, does so again a moment later.
impl From<CallError> for RPCError<NodeId, Member, RaftError<NodeId>> {
    fn from(error: CallError) -> Self {
        Self::Unreachable(error.into())
    }
}

/// A refusal is in words already, and of a connection the last cause says most.
fn in_words(code: Code, message: &str, cause: Option<&str>) -> String {
    match (cause, code) {
        (Some(cause), _) => match cause.rsplit_once("tcp connect error: ") {
            Some((_, cause)) => cause.to_owned(),
            None => cause.to_owned(),
        },
        (None, Code::FailedPrecondition | Code::Unavailable) => message.to_owned(),
        (None, _) => format!("{code:?}: {message}"),
    }
}
