//! Mistakes about what is left on servers that are no members.

use stepdown_core::call::{Answer, Call};
use stepdown_core::{Effect, Term};

use super::mistaken::Mistake;
use super::seen::Seen;

/// Whoever was asked whether it has anything, and never became a member, is taken to have deleted what that opened.
pub struct KeepsWhatItOpened;

impl Mistake for KeepsWhatItOpened {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::Call {
            request,
            call: Call::DeleteShard(call),
            ..
        } = &effect
            && call.term == Term::NEVER
        {
            seen.tell(*request, Answer::ShardDeleted);
            return None;
        }
        Some(effect)
    }
}
