//! What a failed request means, as a table: by the `reason` of the server's answer where it is one
//! that servers are known to give, or else by the HTTP code.
//!
//! A write that may have been applied is ambiguous. So is one that was refused because of the
//! version, or because the object is not there: an earlier try of it may have come first, on a
//! connection that broke. Whoever asked finds out by reading.

use std::time::Duration;

use super::request::{Failure, Refusal};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Make an object.
    Create,
    /// Read an object, or a list.
    Read,
    /// Watch.
    Watch,
    /// Change an object at a version.
    Write,
}

/// What a failure means for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureClass {
    /// There is no such object.
    Absent,
    /// The write was applied, or not.
    Ambiguous,
    /// The watch has to begin anew.
    Expired,
    /// We may not.
    Forbidden,
    /// The request is malformed. It won't help to repeat it.
    Invalid,
    /// The object is too large.
    TooLarge,
    /// Nothing was done; try again after a while.
    Unavailable {
        /// How long to wait at least.
        after: Duration,
    },
}

use FailureClass::{Absent, Ambiguous, Expired, Forbidden, Invalid, TooLarge};

/// How long to wait where the server does not say.
const RETRY: Duration = Duration::from_millis(100);
/// Token files are read again after a while, and nothing else helps.
const NEW_TOKEN: Duration = Duration::from_secs(1);
/// The longest that a server may make us wait.
const PATIENCE: Duration = Duration::from_secs(30);

const NOT_FOUND: u16 = 404;
const LATER: FailureClass = FailureClass::Unavailable { after: RETRY };
const WITH_A_NEW_TOKEN: FailureClass = FailureClass::Unavailable { after: NEW_TOKEN };

struct Row {
    reason: &'static str,
    code: u16,
    read: FailureClass,
    create: FailureClass,
    write: FailureClass,
    watch: FailureClass,
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    //   reason                  code  read              create            write             watch
    row("BadRequest",            400, [Invalid,          Invalid,          Invalid,          Invalid]),
    row("Unauthorized",          401, [WITH_A_NEW_TOKEN, WITH_A_NEW_TOKEN, WITH_A_NEW_TOKEN, WITH_A_NEW_TOKEN]),
    row("Forbidden",             403, [Forbidden,        Forbidden,        Forbidden,        Forbidden]),
    // A new object can't be missing: the namespace is.
    row("NotFound",              404, [Absent,           LATER,            Ambiguous,        LATER]),
    row("MethodNotAllowed",      405, [Invalid,          Invalid,          Invalid,          Invalid]),
    row("NotAcceptable",         406, [Invalid,          Invalid,          Invalid,          Invalid]),
    row("RequestTimeout",        408, [LATER,            Ambiguous,        Ambiguous,        LATER]),
    row("Conflict",              409, [LATER,            Ambiguous,        Ambiguous,        LATER]),
    row("AlreadyExists",         409, [LATER,            Ambiguous,        Ambiguous,        LATER]),
    row("Gone",                  410, [LATER,            Ambiguous,        Ambiguous,        Expired]),
    row("Expired",               410, [LATER,            Ambiguous,        Ambiguous,        Expired]),
    row("RequestEntityTooLarge", 413, [LATER,            TooLarge,         TooLarge,         LATER]),
    row("UnsupportedMediaType",  415, [Invalid,          Invalid,          Invalid,          Invalid]),
    row("Invalid",               422, [Invalid,          Invalid,          Invalid,          Invalid]),
    row("TooManyRequests",       429, [LATER,            LATER,            LATER,            LATER]),
    row("InternalError",         500, [LATER,            Ambiguous,        Ambiguous,        LATER]),
    row("ServerTimeout",         500, [LATER,            Ambiguous,        Ambiguous,        LATER]),
    row("StorageReadError",      500, [LATER,            Ambiguous,        Ambiguous,        LATER]),
    row("ServiceUnavailable",    503, [LATER,            Ambiguous,        Ambiguous,        LATER]),
    row("Timeout",               504, [LATER,            Ambiguous,        Ambiguous,        LATER]),
];
/// Any other answer, and none.
const UNKNOWN: Row = row("", 0, [LATER, Ambiguous, Ambiguous, LATER]);

const fn row(reason: &'static str, code: u16, classes: [FailureClass; 4]) -> Row {
    let [read, create, write, watch] = classes;
    Row {
        reason,
        code,
        read,
        create,
        write,
        watch,
    }
}

/// What the failure means.
pub(crate) fn classify(ask: Ask, failure: &Failure) -> FailureClass {
    match failure {
        Failure::NotSent(_) => LATER,
        Failure::Unanswered(_) => UNKNOWN.of(ask),
        Failure::Refused(refusal) => of_refusal(ask, refusal),
    }
}

fn of_refusal(ask: Ask, refusal: &Refusal) -> FailureClass {
    let writes = matches!(ask, Ask::Create | Ask::Write);
    if writes && is_too_large(refusal) {
        return TooLarge;
    }
    // It has nothing to do with versions: somebody else's fields are applied without force.
    if writes && refusal.has_cause("FieldManagerConflict") {
        return Invalid;
    }
    let reason = &refusal.status.reason;
    let by_reason = TABLE.iter().find(|row| row.reason == reason);
    // An API server gives its reason for a 404; one without is of something on the way, which
    // knows nothing of the object.
    let by_code = || {
        let is_it = |row: &&Row| row.code == refusal.code && row.code != NOT_FOUND;
        TABLE.iter().find(is_it)
    };
    match by_reason.or_else(by_code).unwrap_or(&UNKNOWN).of(ask) {
        FailureClass::Unavailable { after } => FailureClass::Unavailable {
            after: refusal.retry_after.unwrap_or(after).min(PATIENCE),
        },
        class @ (Absent | Ambiguous | Expired | Forbidden | Invalid | TooLarge) => class,
    }
}

/// The object is too large for the API server, or for etcd behind it, which only its words tell.
fn is_too_large(refusal: &Refusal) -> bool {
    let message = &refusal.status.message;
    match refusal.code {
        422 => {
            refusal.has_cause("FieldValueTooLong")
                || ["may not be more than", "must have at most"]
                    .iter()
                    .any(|words| message.contains(words) && message.contains("bytes"))
        }
        500 => message.contains("etcdserver: request is too large"),
        _ => false,
    }
}

impl Row {
    fn of(&self, ask: Ask) -> FailureClass {
        match ask {
            Ask::Create => self.create,
            Ask::Read => self.read,
            Ask::Watch => self.watch,
            Ask::Write => self.write,
        }
    }
}

#[cfg(test)]
mod tests;
