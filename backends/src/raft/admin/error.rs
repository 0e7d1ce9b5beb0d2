//! Why a node does not do what it was asked.

use std::time::Duration;

use stepdown_core::cluster::{DecodeError, StatusProblem};
use tonic::{Code, Status};

use crate::raft::brief::brief;
use crate::raft::command::{ClusterId, Refusal};
use crate::raft::error::WriteError;
use crate::raft::types::{Member, NodeId};

/// Why a node does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error("more than one member is {0}: name it by its number")]
    Ambiguous(String),
    #[error(
        "{address} belongs to cluster {theirs}, and this is cluster {ours}; a node that is to \
         leave that one for good needs an empty data directory"
    )]
    AnotherCluster {
        address: String,
        theirs: String,
        ours: String,
    },
    #[error(
        "{member} is known as node {expected}, and node {found} answers there; if it has lost its \
         disk, add it again"
    )]
    AnotherNode {
        member: Member,
        expected: NodeId,
        found: NodeId,
    },
    #[error("{member} lags {} entries behind; try again once it has caught up", shown(.entries))]
    Behind {
        member: Member,
        entries: Option<u64>,
    },
    #[error("another change of the members is under way; try again")]
    Changing,
    #[error("{0}")]
    Configuration(String),
    #[error("the status is cut short: export it again")]
    CutShort,
    #[error(
        "there is a status already, at version {present}; to give it up for this one, use --replace {present}"
    )]
    Exists { present: u64 },
    #[error("{0}; put it right first")]
    Harmful(StatusProblem),
    #[error("{0} is the only one that votes: the cluster would be gone")]
    LastVoter(Member),
    #[error("the cluster has no id yet, having just been formed; try again")]
    Nameless,
    #[error("the status was written by a newer release: use that")]
    Newer,
    #[error("{address} does not answer: {reason}")]
    NoAnswer { address: String, reason: String },
    #[error(
        "of the {voters} that {vote} no majority answers, and without one nothing can be changed: {}",
        .silent.join("; ")
    )]
    NoMajority {
        voters: usize,
        vote: &'static str,
        silent: Vec<String>,
    },
    #[error("{0} does not vote, and so can't lead")]
    NotAVoter(Member),
    #[error("this node does not lead; {}", leader(.0))]
    NotLeader(Option<Member>),
    #[error("{member} has not taken the place within {within:?}; is its coordinator running?")]
    NotTaken { member: Member, within: Duration },
    #[error("{0} does not say at which address the others reach it; is it of another version?")]
    Nowhere(String),
    #[error("{0}")]
    Raft(String),
    #[error("{0}")]
    Refused(Refusal),
    #[error("it has the name of {0}: give it another (metadata.name), or remove that one first")]
    SameName(Member),
    #[error("no majority has agreed within {0:?}; it may still happen: look at the status")]
    TimedOut(Duration),
    #[error("the {what} has {bytes} bytes; no more than {most} are taken")]
    TooLarge {
        what: &'static str,
        bytes: u64,
        most: u64,
    },
    #[error("{0}; put it right first")]
    Undecodable(DecodeError),
    #[error("{address} is forming a cluster of its own, with others; end that first")]
    Forming { address: String },
    #[error("no member is {who}; there are {}", listed(.members))]
    Unknown { who: String, members: Vec<Member> },
}

fn shown(entries: &Option<u64>) -> String {
    entries.map_or_else(|| "all".to_owned(), |entries| entries.to_string())
}

fn leader(leader: &Option<Member>) -> String {
    match leader {
        Some(member) => format!("{member} does"),
        None => "nobody is known to: does a majority run?".to_owned(),
    }
}

fn listed(members: &[Member]) -> String {
    let members: Vec<_> = members.iter().map(ToString::to_string).collect();
    match members.as_slice() {
        [] => "none yet".to_owned(),
        members => members.join(", "),
    }
}

impl AdminError {
    pub(super) fn another_cluster(address: &str, theirs: &str, ours: Option<ClusterId>) -> Self {
        Self::AnotherCluster {
            address: address.to_owned(),
            theirs: theirs.to_owned(),
            ours: ours.map_or_else(|| "one without an id yet".to_owned(), |id| id.to_string()),
        }
    }

    /// Whoever asks follows an aborted call to the leader, and no other.
    fn code(&self) -> Code {
        match self {
            Self::NotLeader(_) => Code::Aborted,
            Self::Configuration(_)
            | Self::CutShort
            | Self::Harmful(_)
            | Self::Newer
            | Self::TooLarge { .. }
            | Self::Undecodable(_) => Code::InvalidArgument,
            Self::Unknown { .. } => Code::NotFound,
            Self::NotTaken { .. } | Self::TimedOut(_) => Code::DeadlineExceeded,
            Self::NoAnswer { .. } | Self::Raft(_) => Code::Unavailable,
            Self::Ambiguous(_)
            | Self::AnotherCluster { .. }
            | Self::AnotherNode { .. }
            | Self::Behind { .. }
            | Self::Changing
            | Self::Exists { .. }
            | Self::Forming { .. }
            | Self::LastVoter(_)
            | Self::Nameless
            | Self::NoMajority { .. }
            | Self::NotAVoter(_)
            | Self::Nowhere(_)
            | Self::Refused(_)
            | Self::SameName(_) => Code::FailedPrecondition,
        }
    }
}

impl From<WriteError> for AdminError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Raft(reason) => Self::Raft(reason),
            WriteError::TimedOut(within) => Self::TimedOut(within),
            WriteError::TooLarge { bytes, most } => Self::TooLarge {
                what: "document, as it is written,",
                bytes,
                most,
            },
        }
    }
}

impl From<AdminError> for Status {
    fn from(error: AdminError) -> Self {
        Self::new(error.code(), brief(&error))
    }
}
