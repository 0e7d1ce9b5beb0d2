//! In office: what an event means for the leader.

use crate::context::Context;
use crate::event::Event;
use crate::ledger::Conclusion;
use crate::office::Office;
use crate::report::Cause;

/// What an event means for the leader.
pub(super) enum Led {
    /// It goes on, and the event was for it.
    On,
    /// It goes on, and the event was not for it.
    Past,
    /// It can't lead any more.
    Over(Cause, String),
}

/// Why it is of no use as a leader any more: no term and no leader can be stored, and while it is
/// in doubt what was, nothing leaves for a data server either.
pub(super) fn useless(office: &Office, context: &Context) -> Option<(Cause, String)> {
    let reason = office.ledger.stalled(context)?;
    Some((Cause::StoreStalled, reason))
}

/// Takes in an answer of the store, of a data server, a hint, or time.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not for the leader ends in the machine's exhaustive match"
)]
pub(super) fn lead(office: &mut Office, event: &Event, context: &mut Context) -> Led {
    if let Some(conclusion) = office.ledger.hear(event, context) {
        match conclusion {
            Conclusion::Accepted(acceptances) => office.accepted(acceptances, context),
            Conclusion::Conflict(reason) => return Led::Over(Cause::Conflict, reason),
            Conclusion::Nothing => {}
            Conclusion::Refused(reason) => return Led::Over(Cause::StoreRefused, reason),
            Conclusion::Rejected { namespaces, reason } => {
                office.rejected(&namespaces, &reason, context);
            }
        }
        return Led::On;
    }
    match event {
        Event::CallAnswered {
            tenure,
            request,
            result,
        } if *tenure == context.tenure => {
            office.call_answered(*request, result.clone(), context);
        }
        Event::ConfigurationFound {
            tenure,
            request,
            found,
        } if *tenure == context.tenure => {
            office.configuration_found(*request, found, context);
        }
        Event::HealthObserved {
            tenure,
            request,
            serving,
        } if *tenure == context.tenure => {
            office.health_observed(*request, *serving, context);
        }
        Event::HealthWatchEnded {
            tenure,
            request,
            error,
        } if *tenure == context.tenure => {
            office.watch_ended(*request, error, context);
        }
        Event::PushEnded {
            tenure,
            request,
            error,
        } if *tenure == context.tenure => {
            office.push_ended(*request, error, context);
        }
        Event::ServerGivenUp { server } => office.give_up(server, context),
        Event::StatusHinted => office.ledger.hint(context),
        Event::TimePassed => office.time_passed(context),
        _ => return Led::Past,
    }
    Led::On
}
