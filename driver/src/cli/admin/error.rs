//! Why nothing has come of `stepdown admin`.

use std::path::PathBuf;
use std::time::Duration;

use stepdown_wire::error::{Reason, reason_of};
use stepdown_wire::tls::TlsError;
use tonic::{Code, Status};

use super::way::Way;
use crate::causes::with_causes;

/// Why nothing has come of `stepdown admin`.
#[derive(Debug, thiserror::Error)]
pub enum AdminCommandError {
    /// There is no such host or port.
    #[error("{way}: not an address (--admin-address): {error}")]
    Address {
        /// What was given, or named.
        way: Way,
        /// What is wrong with it.
        error: tonic::transport::Error,
    },
    /// It can't be reached.
    #[error("{way}: {}", with_causes(.error))]
    Connect {
        /// Who was asked.
        way: Way,
        /// Why it does not answer.
        error: tonic::transport::Error,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error(
        "a certificate and its key are both needed: set --tls-cert-file and --tls-key-file, or neither"
    )]
    HalfACertificate,
    /// Each names another one.
    #[error(
        "{way} names {leader} as the leader, where this has been or can't go on to; try again in a moment"
    )]
    NoLeader {
        /// Who was asked.
        way: Way,
        /// Whom the last of them has named.
        leader: String,
    },
    /// Others could read the token.
    #[error(
        "{0}: a token is not sent there in plaintext, where others could read it: use --tls, or --tls-trusted-ca-file FILE"
    )]
    Plaintext(Way),
    /// What is to be printed can't be.
    #[error("can't print the answer: {0}")]
    Print(String),
    /// The coordinator says no.
    #[error("{way}: {}", told(.status))]
    Refused {
        /// Who was asked.
        way: Way,
        /// What it says.
        status: Box<Status>,
    },
    /// It took too long.
    #[error("no answer within {0:?} (--timeout); if it was a change, look before you try again")]
    TimedOut(Duration),
    /// TLS can't be set up.
    #[error("can't set up TLS: {0}")]
    Tls(TlsError),
    /// There is no token in its file.
    #[error("no token in {} (--token-file, STEPDOWN_TOKEN_FILE): {reason}", .path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

fn told(status: &Status) -> String {
    let (code, message) = (status.code(), status.message());
    let more = match reason_of(status) {
        Some(Reason::NotInitialized) => ": it does not lead, or does not know yet who does",
        Some(_) | None if code == Code::Unauthenticated => " (--token-file)",
        Some(_) | None => "",
    };
    format!("{code:?}: {message}{more}")
}
