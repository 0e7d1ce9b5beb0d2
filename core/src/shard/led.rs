//! With what logs leaders began.
//!
//! A leader commits all of its log as soon as a majority has it, also entries of earlier terms, and
//! clients can read them. A log that ends in one of the terms between goes on from what *its* leader
//! began with. If that was less, it lacks what was committed, though its head is the greater one: figure
//! 8 of the Raft paper, where an entry of the leader's own term would make the difference.
//!
//! A leader has a follower's log cut off by offset alone, where its own last entry of no later term than
//! the follower's head is. If the follower has another entry there, that one stays, and nothing ever
//! compares it: Raft's log matching (section 5.3) is not looked at. So it has to be known beforehand.

use std::collections::BTreeMap;

use crate::call::EntryId;
use crate::id::Term;

/// So many terms are known of. Logs of earlier ones are rare, and then nothing is known of them.
const MOST: usize = 64;

/// With what logs leaders were made, in one tenure. Whoever was told to lead in a term, and nobody else,
/// may have written in it, on the log that it had then; whether it has led or not.
#[derive(Clone, Debug, Default)]
pub(super) struct Led(BTreeMap<Term, Began>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Began {
    head: EntryId,
    is_known_to_have_led: bool,
}

/// Whether a follower's log is its leader's once it was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    /// It ends before, and refuses to be cut off.
    Refuses,
    /// It keeps an entry that its leader does not have.
    Differs,
    /// That depends on leaders of whom nothing is known.
    Unknown,
}

impl Fit {
    /// Whether it may become a part of its leader's log.
    pub(super) fn is_possible(self) -> bool {
        matches!(self, Self::Fits | Self::Unknown)
    }
}

impl Led {
    /// Somebody is told to lead in this term, with a log that ends like this.
    pub(super) fn tell(&mut self, term: Term, head: EntryId) {
        let began = Began {
            head,
            is_known_to_have_led: false,
        };
        self.0.insert(term, began);
        if self.0.len() > MOST {
            // Those who have led matter most.
            let mut terms = self.0.iter();
            let idle = terms.find(|(it, began)| **it != term && !began.is_known_to_have_led);
            let gone = idle.or_else(|| self.0.first_key_value());
            if let Some(gone) = gone.map(|(term, _)| *term) {
                self.0.remove(&gone);
            }
        }
    }

    /// The same, and it leads.
    pub(super) fn record(&mut self, term: Term, head: EntryId) {
        self.tell(term, head);
        if let Some(began) = self.0.get_mut(&term) {
            began.is_known_to_have_led = true;
        }
    }

    /// The term and the log of the last one who is known to have led.
    pub(super) fn last(&self) -> Option<(Term, EntryId)> {
        let mut known = self.0.iter().rev();
        let (term, began) = known.find(|(_, began)| began.is_known_to_have_led)?;
        Some((*term, began.head))
    }

    /// Those who were told to lead since, the last one first.
    pub(super) fn told_since(&self) -> impl Iterator<Item = (Term, EntryId)> + '_ {
        let told = self.0.iter().rev();
        told.take_while(|(_, began)| !began.is_known_to_have_led)
            .map(|(term, began)| (*term, began.head))
    }

    /// With what the leader of this term began.
    pub(super) fn of(&self, term: Term) -> Option<EntryId> {
        self.0.get(&term).map(|began| began.head)
    }

    /// Whether a log that ends like this is known to lack something with which the leader of this term
    /// began.
    pub(super) fn is_left_by(&self, head: EntryId, (term, began): (Term, EntryId)) -> bool {
        // Logs that end in no later term than this one's are told apart by their heads.
        let is_between = began.term < head.term && head.term < term;
        is_between && !self.fit(began, head).is_possible()
    }

    /// Whether the log that ends with `follower` becomes a part of the one that ends with `leader`.
    pub(super) fn fit(&self, leader: EntryId, follower: EntryId) -> Fit {
        if follower == EntryId::NONE {
            return Fit::Fits;
        }
        let Some(cut) = self.last_at_most(leader, follower.term) else {
            return Fit::Unknown;
        };
        if cut.term == follower.term || cut == EntryId::NONE {
            return Fit::Fits;
        }
        if follower.offset < cut.offset {
            return Fit::Refuses;
        }
        match self.has(follower, cut) {
            None => Fit::Unknown,
            Some(true) => Fit::Fits,
            Some(false) => Fit::Differs,
        }
    }

    /// Whether a log that ends with `head` has this entry, if that is known.
    pub(super) fn has(&self, head: EntryId, entry: EntryId) -> Option<bool> {
        // There it has one of its head's term, or nothing.
        if head.term > entry.term && head.offset <= entry.offset {
            return Some(entry == EntryId::NONE);
        }
        let shared = self.last_at_most(head, entry.term)?;
        Some(shared.term == entry.term && shared.offset >= entry.offset)
    }

    /// The last entry of no later term than this in a log that ends with `head`.
    fn last_at_most(&self, head: EntryId, term: Term) -> Option<EntryId> {
        let mut last = head;
        while last.term > term {
            last = self.of(last.term).filter(|from| from.term < last.term)?;
        }
        Some(last)
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

    fn led(of: &[(i64, EntryId)]) -> Led {
        let mut led = Led::default();
        for (term, head) in of {
            led.record(Term(*term), *head);
        }
        led
    }

    #[test]
    fn a_log_is_left_if_it_is_known_to_have_another_entry_where_the_last_leader_began() {
        let led = led(&[(1, at(0, 28)), (3, at(0, 29))]);
        let last = led.last().unwrap();
        assert_eq!(last, (Term(3), at(0, 29)));
        assert!(led.is_left_by(at(1, 29), last) && led.is_left_by(at(1, 40), last));
        // Whoever wrote it, it has another entry there.
        assert!(led.is_left_by(at(2, 29), last));
        // Nothing is known of the leader of term 2; the others have it, or are no greater.
        for head in [at(2, 30), at(3, 30), at(0, 29), at(0, 50)] {
            assert!(!led.is_left_by(head, last), "{head:?}");
        }
    }

    #[test]
    fn a_log_that_goes_on_from_as_much_is_not_left() {
        let mut led = led(&[(1, at(0, 29)), (2, at(0, 29))]);
        assert!(!led.is_left_by(at(1, 30), (Term(2), at(0, 29))));
        led.record(Term(3), at(1, 30));
        led.record(Term(5), at(3, 31));
        assert!(!led.is_left_by(at(1, 40), (Term(5), at(3, 31))));
    }

    #[test]
    fn what_was_written_by_who_was_told_to_lead_is_known_whether_that_one_led_or_not() {
        let mut led = led(&[(1, at(0, 28))]);
        led.tell(Term(2), at(0, 29));
        led.tell(Term(3), at(0, 28));
        assert_eq!(led.last(), Some((Term(1), at(0, 28))));
        let told: Vec<_> = led.told_since().collect();
        assert_eq!(told, [(Term(3), at(0, 28)), (Term(2), at(0, 29))]);
        led.record(Term(4), at(2, 31));
        assert_eq!(led.told_since().count(), 0);
        assert_eq!(led.fit(at(2, 31), at(1, 29)), Fit::Differs);
    }

    #[test]
    fn those_who_have_led_are_remembered_longer_than_those_who_were_told() {
        let mut led = led(&[(1, at(0, 28)), (2, at(0, 29))]);
        for term in 3..300 {
            led.tell(Term(term), at(0, 29));
        }
        assert_eq!(led.0.len(), MOST);
        assert_eq!(led.fit(at(0, 29), at(1, 40)), Fit::Differs);
    }

    #[test]
    fn a_log_fits_where_it_was_written_by_the_same_leaders_up_to_where_it_is_cut_off() {
        let led = led(&[(1, at(0, 28)), (2, at(0, 29)), (4, at(2, 31))]);
        for (leader, follower) in [
            // Of the leader's own term, shorter or longer; and of an earlier one within it.
            (at(2, 30), at(2, 12)),
            (at(2, 30), at(2, 40)),
            (at(2, 30), at(0, 12)),
            (at(4, 40), at(2, 35)),
            (at(4, 40), at(0, 35)),
            // One that wrote on from the same end.
            (at(0, 28), at(1, 30)),
            (at(0, 20), at(1, 30)),
            // Nothing of it stays.
            (EntryId::NONE, at(1, 30)),
            (at(2, 30), EntryId::NONE),
        ] {
            let fit = led.fit(leader, follower);
            assert_eq!(fit, Fit::Fits, "{leader:?} {follower:?}");
        }
    }

    #[test]
    fn a_log_with_another_entry_where_it_is_cut_off_never_fits() {
        let led = led(&[(1, at(0, 28)), (2, at(0, 29)), (4, at(2, 31))]);
        for (leader, follower) in [
            (at(0, 29), at(1, 29)),
            (at(0, 29), at(1, 40)),
            (at(2, 30), at(1, 29)),
            (at(4, 40), at(1, 40)),
        ] {
            let fit = led.fit(leader, follower);
            assert_eq!(fit, Fit::Differs, "{leader:?} {follower:?}");
        }
        for (leader, follower) in [(at(0, 29), at(3, 20)), (at(2, 30), at(1, 20))] {
            let fit = led.fit(leader, follower);
            assert_eq!(fit, Fit::Refuses, "{leader:?} {follower:?}");
        }
    }

    #[test]
    fn of_leaders_that_somebody_else_has_made_nothing_is_known() {
        let led = led(&[(4, at(2, 31))]);
        for (leader, follower) in [(at(4, 40), at(1, 29)), (at(2, 31), at(3, 40))] {
            let fit = led.fit(leader, follower);
            assert_eq!(fit, Fit::Unknown, "{leader:?} {follower:?}");
        }
    }

    #[test]
    fn only_the_last_terms_are_known() {
        let heads: Vec<_> = (0..100).map(|it| (it + 1, at(it, it))).collect();
        let led = led(&heads);
        assert_eq!(led.0.len(), MOST);
        assert_eq!(led.of(Term(100)), Some(at(99, 99)));
    }
}
