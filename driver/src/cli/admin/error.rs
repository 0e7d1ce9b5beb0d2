//! Why nothing has come of `stepdown admin`.

use std::time::Duration;

use stepdown_wire::error::{Reason, reason_of};
use tonic::Status;

use crate::causes::with_causes;

/// Why nothing has come of `stepdown admin`.
#[derive(Debug, thiserror::Error)]
pub enum AdminCommandError {
    /// There is no such host or port.
    #[error("{address} is not an address (--admin-address): {error}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        error: tonic::transport::Error,
    },
    /// It can't be reached.
    #[error("{address}: {}", with_causes(.error))]
    Connect {
        /// Who was asked.
        address: String,
        /// Why it does not answer.
        error: tonic::transport::Error,
    },
    /// What is to be printed can't be.
    #[error("can't print the answer: {0}")]
    Print(String),
    /// The coordinator says no.
    #[error("{}", told(.0))]
    Refused(Box<Status>),
    /// It took too long.
    #[error("no answer within {0:?} (--timeout); if it was a change, look before you try again")]
    TimedOut(Duration),
}

fn told(status: &Status) -> String {
    let (code, message) = (status.code(), status.message());
    let more = match reason_of(status) {
        Some(Reason::NotInitialized) => ": it does not lead, or does not know yet who does",
        Some(_) | None => "",
    };
    format!("{code:?}: {message}{more}")
}
