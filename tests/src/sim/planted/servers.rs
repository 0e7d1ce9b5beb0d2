//! Mistakes about data servers: what their answers mean.

use stepdown_core::call::{Answer, Binding, Call, CallErrorKind, ReplicaRole, ReplicaStatus};
use stepdown_core::{Effect, Event, RequestId, Term};

use super::mistaken::Mistake;
use super::seen::{Seen, answering};

/// A leader that leads is elected anew.
pub struct ElectsHealthyLeaders;

impl Mistake for ElectsHealthyLeaders {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        if let Some((_, mut status, true)) = seen.status(&event) {
            status.role = ReplicaRole::Fenced;
            return Some(answering(event, Ok(Answer::Status(status))));
        }
        Some(event)
    }
}

/// A stored leader that answers leads.
pub struct TakesAnyAnswerForLeading;

impl Mistake for TakesAnyAnswerForLeading {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let (Some((server, Call::GetStatus { shard })), Event::CallAnswered { result, .. }) =
            (&seen.asked, &event)
        else {
            return Some(event);
        };
        let Some(stored) = seen.shard(*shard) else {
            return Some(event);
        };
        let leader = stored.leader.as_ref();
        let is_leader = leader.is_some_and(|leader| leader.id() == server.id());
        let unheard = result.as_ref().is_err_and(|error| {
            matches!(
                error.kind,
                CallErrorKind::TimedOut | CallErrorKind::Unreachable
            )
        });
        if !is_leader || unheard {
            return Some(event);
        }
        let term = stored.term;
        Some(answering(event, Ok(leading(term))))
    }
}

/// One failed check is enough.
pub struct GivesUpAfterOneCheck;

impl Mistake for GivesUpAfterOneCheck {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let failed = matches!(&event, Event::CallAnswered { result: Err(_), .. });
        if failed && matches!(seen.asked, Some((_, Call::CheckHealth))) {
            let serving = false;
            return Some(answering(event, Ok(Answer::Health { serving })));
        }
        Some(event)
    }
}

/// A leader that can't be heard of leads until it is heard of.
pub struct WaitsForTheDead;

impl Mistake for WaitsForTheDead {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let Event::CallAnswered {
            result: Err(error), ..
        } = &event
        else {
            return Some(event);
        };
        let unheard = matches!(
            error.kind,
            CallErrorKind::TimedOut | CallErrorKind::Unreachable
        );
        let answer = match &seen.asked {
            Some((_, Call::CheckHealth)) => Some(Answer::Health { serving: true }),
            Some((_, Call::GetStatus { shard })) if unheard => {
                seen.shard(*shard).map(|stored| leading(stored.term))
            }
            Some(_) | None => None,
        };
        match answer {
            Some(answer) => Some(answering(event, Ok(answer))),
            None => Some(event),
        }
    }
}

/// What a replica says that leads.
fn leading(term: Term) -> Answer {
    Answer::Status(ReplicaStatus {
        term,
        role: ReplicaRole::Leader,
        head_offset: -1,
        commit_offset: -1,
    })
}

/// Another cluster's server is worked with.
pub struct WorksWithAForeignServer;

impl Mistake for WorksWithAForeignServer {
    fn hears(&mut self, _: &mut Seen, mut event: Event) -> Option<Event> {
        if let Event::CallAnswered {
            result: Ok(Answer::Handshaken { binding, .. }),
            ..
        } = &mut event
            && *binding == Binding::Mismatch
        {
            *binding = Binding::AlreadyBound;
        }
        Some(event)
    }
}

/// Another cluster's server is told the assignments.
#[derive(Default)]
pub struct TellsAForeignServer {
    last: Option<Effect>,
}

impl Mistake for TellsAForeignServer {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        if let Event::CallAnswered {
            result:
                Ok(Answer::Handshaken {
                    binding: Binding::Mismatch,
                    ..
                }),
            ..
        } = &event
            && let Some((foreign, _)) = &seen.asked
            && let Some(Effect::PushAssignments {
                tenure,
                request,
                server,
                ..
            }) = &mut self.last
            && *tenure == seen.tenure
        {
            *server = foreign.clone();
            *request = RequestId(u64::MAX / 2);
            seen.more.extend(self.last.clone());
        }
        Some(event)
    }

    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::PushAssignments { .. } = &effect {
            self.last = Some(effect.clone());
        }
        Some(effect)
    }
}
