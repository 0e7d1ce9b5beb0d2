//! Mistakes about disks that were replaced.

use stepdown_core::call::{Answer, Call, CallErrorKind, ReplicaRole, ReplicaStatus};
use stepdown_core::{Event, Term};

use super::mistaken::Mistake;
use super::seen::{Seen, answering};
use crate::sim::server::failure;

/// Who has lost its disk votes as if it had nothing to remember.
pub struct LetsTheForgetfulVote;

impl Mistake for LetsTheForgetfulVote {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let Event::CallAnswered { result, .. } = &event else {
            return Some(event);
        };
        if let Ok(Answer::Status(status)) = result
            && status.has_forgotten()
        {
            let fenced = ReplicaStatus {
                term: Term(0),
                role: ReplicaRole::Fenced,
                ..*status
            };
            return Some(answering(event, Ok(Answer::Status(fenced))));
        }
        let was_probed = matches!(&seen.asked,
            Some((_, Call::NewTerm(call))) if call.term == Term::NEVER);
        let has_forgotten = match result {
            Ok(Answer::Fenced(_)) => true,
            Err(error) => error.kind == CallErrorKind::InvalidStatus,
            Ok(_) => false,
        };
        if was_probed && has_forgotten {
            let refused = failure(CallErrorKind::InvalidTerm, "it remembers");
            return Some(answering(event, Err(refused)));
        }
        Some(event)
    }
}
