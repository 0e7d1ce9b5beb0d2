//! Why nothing has come of `stepdown admin`.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use stepdown_wire::error::{Reason, reason_of};
use stepdown_wire::tls::TlsError;
use tonic::{Code, Status};

use super::way::Way;
use crate::causes::with_causes;
use crate::cli::visible::visible;

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
    /// The document at hand can't be read.
    #[error("can't read {}: {error}", .path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error(
        "a certificate and its key are both needed: set --tls-cert-file and --tls-key-file, or neither"
    )]
    HalfACertificate,
    /// Nobody knows of it.
    #[error(
        "there is no data server {0}, nor anything left of it: it was drained before, or never was (stepdown admin \
         data-server list)"
    )]
    NoDataServer(String),
    /// Each names another one.
    #[error(
        "{way} names {} as the leader, where this has been or can't go on to; try again in a moment",
        visible(.leader)
    )]
    NoLeader {
        /// Who was asked.
        way: Way,
        /// Whom the last of them has named.
        leader: String,
    },
    /// It is done, but it can't be seen what comes of it.
    #[error("the change was made, but can't be waited for: {0}")]
    NotAwaited(Box<AdminCommandError>),
    /// It has not had its effect in time.
    #[error("after {within:?} (--wait) {what}; it goes on all the same")]
    NotYet {
        /// How long it was waited.
        within: Duration,
        /// What is missing.
        what: String,
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
    /// Nobody has said that it is meant.
    #[error("nothing was done: it can't be taken back, so say --yes if it is meant")]
    Unconfirmed,
    /// The token is for others.
    #[error(
        "the token is not shown to {end}, whom {named_by} names, and for whom only the system's authorities vouch: \
         ask it itself (--admin-address {end}), or name the authority (--tls-trusted-ca-file FILE)"
    )]
    Unvouched {
        /// Who has named it.
        named_by: String,
        /// Who would see it.
        end: String,
    },
}

impl AdminCommandError {
    /// Whether who only looks may see it otherwise in a moment: nobody leads now, or whoever led has gone.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::NoLeader { .. } | Self::TimedOut(_) => true,
            Self::Refused { status, .. } => {
                matches!(
                    status.code(),
                    Code::Aborted
                        | Code::Cancelled
                        | Code::DeadlineExceeded
                        | Code::FailedPrecondition
                        | Code::ResourceExhausted
                        | Code::Unavailable
                        | Code::Unknown
                ) || reason_of(status) == Some(Reason::NotInitialized)
            }
            Self::Address { .. }
            | Self::Document { .. }
            | Self::HalfACertificate
            | Self::NoDataServer(_)
            | Self::NotAwaited(_)
            | Self::NotYet { .. }
            | Self::Plaintext(_)
            | Self::Print(_)
            | Self::Tls(_)
            | Self::Token { .. }
            | Self::Unconfirmed
            | Self::Unvouched { .. } => false,
        }
    }

    /// Whether a coordinator was reached, so that whoever is asked is not nowhere.
    pub(super) fn is_answer(&self) -> bool {
        match self {
            Self::NoLeader { .. } | Self::Refused { .. } => true,
            Self::Connect { way, .. } => way.named_by().is_some(),
            Self::Address { .. }
            | Self::Document { .. }
            | Self::HalfACertificate
            | Self::NoDataServer(_)
            | Self::NotAwaited(_)
            | Self::NotYet { .. }
            | Self::Plaintext(_)
            | Self::Print(_)
            | Self::TimedOut(_)
            | Self::Tls(_)
            | Self::Token { .. }
            | Self::Unconfirmed
            | Self::Unvouched { .. } => false,
        }
    }
}

fn told(status: &Status) -> String {
    let code = status.code();
    // What has come of the connection: "transport error" alone is of no use to anybody.
    let message = match status.source() {
        Some(broken) => with_causes(broken),
        None => status.message().to_owned(),
    };
    let message = visible(&message);
    let more = match reason_of(status) {
        Some(Reason::NotInitialized) => ": it does not lead, or does not know yet who does",
        Some(_) | None if code == Code::Unauthenticated => " (--token-file)",
        Some(_) | None if is_doubtful(status) => "; if it was a change, look before you try again",
        Some(_) | None => "",
    };
    format!("{code:?}: {message}{more}")
}

/// Whether it is not known what the coordinator has done.
fn is_doubtful(status: &Status) -> bool {
    let is_broken = status.source().is_some();
    let code = status.code();
    is_broken
        || matches!(
            code,
            Code::Cancelled | Code::DeadlineExceeded | Code::Unknown
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_know_whether_a_change_was_made_is_told_to_look() {
        for (code, is_told) in [
            (Code::Cancelled, true),
            (Code::DeadlineExceeded, true),
            (Code::Unknown, true),
            (Code::Aborted, false),
            (Code::InvalidArgument, false),
            (Code::PermissionDenied, false),
            (Code::Unavailable, false),
        ] {
            let told = told(&Status::new(code, "words"));
            let look = "; if it was a change, look before you try again";
            assert_eq!(told.ends_with(look), is_told, "{told}");
        }
    }
}
