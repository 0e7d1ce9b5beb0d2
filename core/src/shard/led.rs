//! With what logs leaders began.
//!
//! A leader commits all of its log as soon as a majority has it, also entries of earlier terms, and
//! clients can read them. A log that ends in one of the terms between goes on from what *its* leader
//! began with. If that was less, it lacks what was committed, though its head is the greater one: figure
//! 8 of the Raft paper, where an entry of the leader's own term would make the difference.

use std::collections::BTreeMap;

use crate::call::EntryId;
use crate::id::Term;

/// With what logs leaders were made, in one tenure.
#[derive(Clone, Debug, Default)]
pub(super) struct Led(BTreeMap<Term, EntryId>);

impl Led {
    /// Somebody leads in this term, with a log that ended like this when it began.
    pub(super) fn record(&mut self, term: Term, head: EntryId) {
        // Logs that end in no later term than this one are told apart by their heads.
        self.0.retain(|earlier, _| *earlier > head.term);
        self.0.insert(term, head);
    }

    /// The term and the log of the last one.
    pub(super) fn last(&self) -> Option<(Term, EntryId)> {
        let (term, head) = self.0.last_key_value()?;
        Some((*term, *head))
    }

    /// Whether a log that ends like this is known to lack something that the last leader began with.
    pub(super) fn is_left_by(&self, head: EntryId) -> bool {
        let Some((term, began)) = self.last() else {
            return false;
        };
        let is_between = began.term < head.term && head.term < term;
        let written_from = self.0.get(&head.term);
        is_between && written_from.is_some_and(|from| *from < began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(term: i64, offset: i64) -> EntryId {
        EntryId {
            term: Term(term),
            offset,
        }
    }

    #[test]
    fn a_log_is_left_only_if_its_leader_is_known_to_have_begun_with_less() {
        let mut led = Led::default();
        assert!(!led.is_left_by(at(1, 29)));
        led.record(Term(1), at(0, 28));
        led.record(Term(3), at(0, 29));
        assert_eq!(led.last(), Some((Term(3), at(0, 29))));
        assert!(led.is_left_by(at(1, 29)) && led.is_left_by(at(1, 40)));
        // Nothing is known of the leader of term 2; the others have it, or are no greater.
        for head in [at(2, 29), at(3, 30), at(0, 29), at(0, 50)] {
            assert!(!led.is_left_by(head), "{head:?}");
        }
    }

    #[test]
    fn a_log_that_goes_on_from_as_much_is_not_left() {
        let mut led = Led::default();
        led.record(Term(1), at(0, 29));
        led.record(Term(2), at(0, 29));
        assert!(!led.is_left_by(at(1, 30)));
        led.record(Term(3), at(1, 30));
        led.record(Term(5), at(3, 31));
        assert!(!led.is_left_by(at(1, 40)));
    }
}
