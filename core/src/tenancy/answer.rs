//! The events that answer requests: which request an event belongs to, and what answers one that
//! nobody else does.

use std::time::Duration;

use super::order::{End, Kind};
use crate::call::{CallError, CallErrorKind};
use crate::event::Event;
use crate::id::{RequestId, Tenure};
use crate::store::{HeadOutcome, LoadOutcome, StoreOutcome};

/// Why a request has no answer but ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing has left: it certainly did not happen.
    NotSent(String),
    /// It may have happened.
    Unheard(CallErrorKind, String),
}

/// The event that tells of it.
pub(super) fn failed(kind: Kind, tenure: Tenure, request: RequestId, failure: Failure) -> Event {
    match kind {
        Kind::Call => Event::CallAnswered {
            tenure,
            request,
            result: Err(failure.into()),
        },
        Kind::Load => Event::Loaded {
            tenure,
            request,
            outcome: LoadOutcome::Unavailable {
                after: Duration::ZERO,
                reason: failure.into_reason(),
            },
        },
        Kind::ReadConfiguration => Event::ConfigurationFound {
            tenure,
            request,
            found: Err(failure.into_reason()),
        },
        Kind::ReadHead => Event::HeadRead {
            tenure,
            request,
            outcome: HeadOutcome::Unavailable {
                after: Duration::ZERO,
                reason: failure.into_reason(),
            },
        },
        Kind::Store => Event::StoreEnded {
            tenure,
            request,
            outcome: match failure {
                Failure::NotSent(reason) => StoreOutcome::Unavailable {
                    after: Duration::ZERO,
                    reason,
                },
                Failure::Unheard(_, reason) => StoreOutcome::Ambiguous(reason),
            },
        },
        Kind::Stream => Event::PushEnded {
            tenure,
            request,
            error: failure.into(),
        },
        Kind::Watch => Event::HealthWatchEnded {
            tenure,
            request,
            error: failure.into(),
        },
    }
}

/// The last word on a request: whose it is.
pub(super) fn concludes(event: &Event) -> Option<(Tenure, RequestId, Kind)> {
    let (tenure, request, kind) = match event {
        Event::CallAnswered {
            tenure, request, ..
        } => (tenure, request, Kind::Call),
        Event::ConfigurationFound {
            tenure, request, ..
        } => (tenure, request, Kind::ReadConfiguration),
        Event::HeadRead {
            tenure, request, ..
        } => (tenure, request, Kind::ReadHead),
        Event::HealthWatchEnded {
            tenure, request, ..
        } => (tenure, request, Kind::Watch),
        Event::Loaded {
            tenure, request, ..
        } => (tenure, request, Kind::Load),
        Event::PushEnded {
            tenure, request, ..
        } => (tenure, request, Kind::Stream),
        Event::StoreEnded {
            tenure, request, ..
        } => (tenure, request, Kind::Store),
        Event::AuthorityExtended { .. }
        | Event::ConfigurationRead(_)
        | Event::ConfigurationRefused { .. }
        | Event::Drained { .. }
        | Event::HealthObserved { .. }
        | Event::LeadershipLost { .. }
        | Event::LeadershipWon { .. }
        | Event::ServerGivenUp { .. }
        | Event::ShutdownRequested
        | Event::StatusHinted
        | Event::TimePassed => return None,
    };
    Some((*tenure, *request, kind))
}

impl Failure {
    pub(super) fn no_authority() -> Self {
        Self::NotSent("authority has ended: nothing was sent".to_owned())
    }

    pub(super) fn no_such_tenure(tenure: Tenure) -> Self {
        Self::NotSent(format!("tenure {tenure} has not begun: nothing was sent"))
    }

    pub(super) fn no_servers(reason: &str) -> Self {
        Self::NotSent(format!("no data server can be called: {reason}"))
    }

    /// Of a task that ended like that, having had so much time.
    pub(super) fn of(end: End, kind: Kind, limit: Option<Duration>) -> Self {
        match end {
            End::Dropped => Self::Unheard(CallErrorKind::Unreachable, "it was given up".to_owned()),
            End::NoAuthority => Self::no_authority(),
            End::Panicked if kind.asks_a_server() => Self::Unheard(
                CallErrorKind::Unreachable,
                "the call has panicked".to_owned(),
            ),
            End::Panicked => Self::Unheard(
                CallErrorKind::Unreachable,
                "the backend has panicked".to_owned(),
            ),
            End::TimedOut => {
                let reason = match limit {
                    Some(limit) => format!("no answer within {limit:?}"),
                    None => "no answer in time".to_owned(),
                };
                Self::Unheard(CallErrorKind::TimedOut, reason)
            }
        }
    }

    fn into_reason(self) -> String {
        match self {
            Self::NotSent(reason) | Self::Unheard(_, reason) => reason,
        }
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        let (kind, message) = match failure {
            Failure::NotSent(message) => (CallErrorKind::Other, message),
            Failure::Unheard(kind, message) => (kind, message),
        };
        Self { kind, message }
    }
}
