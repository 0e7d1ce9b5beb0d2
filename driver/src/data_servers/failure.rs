//! What a failed call means to the coordinator: first by Oxia's reason, then by gRPC's code.

use std::error::Error;
use std::time::Duration;

use stepdown_core::call::{CallError, CallErrorKind};
use stepdown_wire::brief;
use stepdown_wire::error::{Reason, reason_of};
use tonic::{Code, Status};

/// So much of a server's own words is passed on, in characters.
const LONGEST: usize = 300;

/// The error that a status stands for.
pub(super) fn call_error(status: &Status) -> CallError {
    CallError {
        kind: reason_of(status).map_or_else(|| kind_without_reason(status), kind_of_reason),
        message: format!("{}: {}", status.code(), brief(&status.message(), LONGEST)),
    }
}

/// No answer came in time.
pub(super) fn timed_out(method: &str, deadline: Duration) -> CallError {
    CallError {
        kind: CallErrorKind::TimedOut,
        message: format!("{method}: no answer within {deadline:?}"),
    }
}

/// The calls before this one took so long that it was not even sent.
pub(super) fn crowded_out(method: &str, deadline: Duration) -> CallError {
    CallError {
        kind: CallErrorKind::TimedOut,
        message: format!("{method}: not sent, earlier calls were not answered within {deadline:?}"),
    }
}

/// The server answered well, but not in a way that can be understood.
pub(super) fn incomprehensible(what: impl Into<String>) -> CallError {
    CallError {
        kind: CallErrorKind::Other,
        message: what.into(),
    }
}

/// The server answered well, but nothing of it can be so. It is as good as one that is not ours: nothing that
/// such a server says of a replica counts.
pub(super) fn implausible(what: impl Into<String>) -> CallError {
    CallError {
        kind: CallErrorKind::Refused,
        message: what.into(),
    }
}

/// The server ended a stream that should go on for ever.
pub(super) fn stream_ended(method: &str) -> CallError {
    CallError {
        kind: CallErrorKind::Unreachable,
        message: format!("{method}: the server ended the stream"),
    }
}

fn kind_of_reason(reason: Reason) -> CallErrorKind {
    match reason {
        Reason::InvalidStatus => CallErrorKind::InvalidStatus,
        Reason::InvalidTerm => CallErrorKind::InvalidTerm,
        Reason::NodeIsNotLeader => CallErrorKind::NotLeader,
        Reason::NodeIsNotMember => CallErrorKind::NotMember,
        Reason::NotInitialized => CallErrorKind::NotInitialized,
        Reason::Aborted
        | Reason::InvalidSessionTimeout
        | Reason::NamespaceNotFound
        | Reason::NotificationsNotEnabled
        | Reason::ResourceConflict
        | Reason::ResourceUnavailable
        | Reason::SessionNotFound
        | Reason::ShardNotFound => CallErrorKind::Other,
    }
}

/// A connection that breaks amid a call looks like an answer, but for what caused it.
fn kind_without_reason(status: &Status) -> CallErrorKind {
    let kind = kind_of_code(status.code());
    if status.source().is_some() && kind != CallErrorKind::TimedOut {
        return CallErrorKind::Unreachable;
    }
    kind
}

fn kind_of_code(code: Code) -> CallErrorKind {
    match code {
        Code::Cancelled | Code::DeadlineExceeded => CallErrorKind::TimedOut,
        Code::PermissionDenied | Code::Unauthenticated => CallErrorKind::Refused,
        Code::Unavailable => CallErrorKind::Unreachable,
        Code::Unimplemented => CallErrorKind::Unimplemented,
        Code::Aborted
        | Code::AlreadyExists
        | Code::DataLoss
        | Code::FailedPrecondition
        | Code::Internal
        | Code::InvalidArgument
        | Code::NotFound
        | Code::Ok
        | Code::OutOfRange
        | Code::ResourceExhausted
        | Code::Unknown => CallErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use stepdown_wire::error::to_status;

    use super::*;

    #[test]
    fn a_reason_counts_for_more_than_its_code() {
        for (reason, kind) in [
            (Reason::InvalidStatus, CallErrorKind::InvalidStatus),
            (Reason::InvalidTerm, CallErrorKind::InvalidTerm),
            (Reason::NodeIsNotLeader, CallErrorKind::NotLeader),
            (Reason::NodeIsNotMember, CallErrorKind::NotMember),
            (Reason::NotInitialized, CallErrorKind::NotInitialized),
            (Reason::ResourceUnavailable, CallErrorKind::Other),
        ] {
            assert_eq!(call_error(&to_status(reason, [])).kind, kind);
        }
    }

    #[test]
    fn a_connection_that_breaks_amid_a_call_is_no_answer() {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let status = Status::from_error(Box::new(broken));
        assert_eq!(status.code(), Code::Unknown);
        assert_eq!(call_error(&status).kind, CallErrorKind::Unreachable);
    }

    #[test]
    fn long_words_are_cut_short() {
        let error = call_error(&Status::unknown("ä".repeat(6_000)));
        assert_eq!(error.message.chars().filter(|it| *it == 'ä').count(), 300);
        assert!(error.message.ends_with("ä…"), "{error}");
        let error = call_error(&Status::unknown("ä".repeat(300)));
        assert!(error.message.ends_with("ää"), "{error}");
    }

    #[test]
    fn a_status_without_a_reason_goes_by_its_code() {
        for (code, kind) in [
            (Code::DeadlineExceeded, CallErrorKind::TimedOut),
            (Code::Cancelled, CallErrorKind::TimedOut),
            (Code::PermissionDenied, CallErrorKind::Refused),
            (Code::Unauthenticated, CallErrorKind::Refused),
            (Code::Unavailable, CallErrorKind::Unreachable),
            (Code::Unimplemented, CallErrorKind::Unimplemented),
            (Code::Unknown, CallErrorKind::Other),
            (Code::FailedPrecondition, CallErrorKind::Other),
        ] {
            assert_eq!(call_error(&Status::new(code, "x")).kind, kind);
        }
    }
}
