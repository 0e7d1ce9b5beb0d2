//! Mistakes about a document that was put back to what it was.

use stepdown_core::call::Answer;
use stepdown_core::{Effect, Event, Report};

use super::mistaken::Mistake;
use super::seen::{Seen, answering};

/// It leads on an older copy as on any document.
pub struct SaysNothingOfAnOldCopy;

impl Mistake for SaysNothingOfAnOldCopy {
    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        let is_said = matches!(effect, Effect::Report(Report::StatusAdopted { .. }));
        (!is_said).then_some(effect)
    }
}

/// The terms of an older copy are gone on from, whatever the members of its shards say of theirs.
pub struct TrustsAnOldCopy;

impl Mistake for TrustsAnOldCopy {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let is_old = seen.loaded.as_ref().is_some_and(|loaded| {
            let id = loaded.write_id.filter(|_| loaded.intact);
            id.is_some_and(|id| id.epoch < loaded.epoch)
        });
        if is_old
            && let Some((id, mut status, _)) = seen.status(&event)
            && let Some(shard) = seen.shard(id)
            && status.term > shard.term
        {
            status.term = shard.term;
            return Some(answering(event, Ok(Answer::Status(status))));
        }
        Some(event)
    }
}
