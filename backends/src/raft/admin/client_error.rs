//! Why the cluster does not do what it was asked.

use std::fmt;

use stepdown_wire::raft::MemberStatus;
use stepdown_wire::tls::TlsError;

use crate::raft::network::CallError;

/// Why the cluster does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminCallError {
    /// No node answers.
    #[error("no node answers: {}", listed(.0))]
    NobodyAnswers(Vec<(String, CallError)>),
    /// There is nobody to do it.
    #[error(
        "{asked} knows of nobody who leads, and only a leader can do this; does a majority of the \
         nodes run?"
    )]
    NobodyLeads {
        /// Who was asked.
        asked: String,
    },
    /// Whoever leads can't be asked.
    #[error("{} leads, and does not answer at {}: {error}", .leader.name, .leader.address)]
    LeaderSilent {
        /// Who leads.
        leader: Box<MemberStatus>,
        /// Why it does not answer.
        error: CallError,
    },
    /// A node has said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The files of TLS can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A node's words.
#[derive(Debug)]
pub struct Refusal {
    /// The node's address.
    pub address: String,
    /// Why, in gRPC's terms and in the node's.
    pub error: CallError,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        match error {
            CallError::Refused { message, .. } if !message.is_empty() => f.write_str(message),
            CallError::Address { .. }
            | CallError::Forgotten(_)
            | CallError::Malformed(_)
            | CallError::Refused { .. }
            | CallError::Stalled(_)
            | CallError::Stranger(_)
            | CallError::TimedOut(_) => write!(f, "{address}: {error}"),
        }
    }
}

fn listed(errors: &[(String, CallError)]) -> String {
    let errors: Vec<_> = errors
        .iter()
        .map(|(at, error)| format!("{at}: {error}"))
        .collect();
    errors.join("; ")
}
