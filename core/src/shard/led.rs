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

use crate::call::EntryId;
use crate::cluster::{Beginning, Beginnings, ShardMetadata};
use crate::id::Term;

/// So many are known of. Logs of earlier terms are rare, and then nothing is known of them.
const MOST: usize = 64;

/// With what logs leaders were made. Whoever was told to lead in a term, and nobody else, may have
/// written in it, on the log that it had then; whether it has led or not.
///
/// Where such a log ends in the term before, that is not stored before somebody is told to lead, but
/// later ([`Led::is_to_be_stored`]). So it holds of every term between those that are known, unless
/// somebody else has used it.
#[derive(Clone, Debug, Default)]
pub(super) struct Led {
    runs: Vec<Run>,
    /// It is known in which of the later terms somebody was told to lead.
    known_after: Option<Term>,
    /// Up to this term what was committed may have been given up.
    loss_accepted: Option<Term>,
}

/// One term or several in a row, whose leaders began with the same log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    began: Beginning,
    is_known_to_have_led: bool,
}

/// With what the leader of a term began, if there was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Began {
    With(EntryId),
    /// With a log that ended in the term before; it is not known where. So it is back to the last term
    /// that is known of.
    InTheTermBefore {
        known: Term,
    },
    Unknown,
}

/// Whether a follower's log is its leader's once it was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    /// It ends before, and refuses to be cut off.
    Refuses,
    /// It keeps an entry that its leader does not have.
    Differs,
    /// What would be cut off was given up, but may be in its database, from which nothing is cut off:
    /// what is acknowledged at the same places would never get there.
    GivenUp,
    /// Its leader has nothing of its last term; whether it keeps an entry of that depends on leaders of
    /// whom nothing is known. Where others are enough, it is left out.
    Parted,
    /// That depends on leaders of whom nothing is known.
    Unknown,
}

impl Fit {
    /// Whether it may become a part of its leader's log.
    pub(super) fn is_possible(self) -> bool {
        matches!(self, Self::Fits | Self::Parted | Self::Unknown)
    }
}

impl Led {
    /// What the document tells.
    pub(super) fn found(shard: &ShardMetadata) -> Self {
        // Nobody was told to lead in a later term than the stored one.
        let kept = shard.beginnings.iter();
        let kept = kept.filter(|began| began.first <= shard.term);
        let kept = kept.map(|began| Beginning {
            last: began.last.min(shard.term),
            ..*began
        });
        let mut led = Self {
            runs: Vec::new(),
            known_after: Some(shard.term),
            loss_accepted: shard.loss_accepted,
        };
        for began in kept {
            led.push(began, false);
        }
        if led.runs.is_empty() && shard.term >= Term(0) {
            // Else terms after it would be between some of which nothing is known.
            let (first, last, head) = (Term(0), shard.term, None);
            led.push(Beginning { first, last, head }, false);
        }
        if shard.leader.is_some()
            && let Some(head) = led.of(shard.term)
        {
            led.record(shard.term, head);
        }
        led
    }

    /// What the document is to tell, once somebody was told to lead in `next`, if anybody is to be.
    pub(super) fn kept(&self, next: Option<(Term, EntryId)>) -> Beginnings {
        let mut led = self.clone();
        if let Some((term, head)) = next {
            led.tell(term, head);
        }
        let mut kept: Vec<Beginning> = Vec::new();
        for run in led.runs.iter().map(|run| run.began) {
            match kept.last_mut() {
                Some(last) if last.head == run.head && led.goes_on(last.last, run.first) => {
                    last.last = run.last;
                }
                Some(_) | None => kept.push(run),
            }
        }
        Beginnings::of_last(kept)
    }

    /// Whether with what the leader of this term begins is to be stored before it is told to lead. If
    /// its log ends in the term before, nobody can have another one that ends between; and if nobody is
    /// known to have begun with anything yet, it goes without saying.
    pub(super) fn is_to_be_stored(&self, term: Term, head: EntryId) -> bool {
        let is_none = |head: EntryId| head == EntryId::NONE;
        let last = self.runs.last().and_then(|run| run.began.head);
        let is_first = is_none(head) && last.is_none_or(is_none);
        head.term.next() < term && !is_first
    }

    /// A term is to be stored, after this one, and maybe after others that somebody else has used.
    pub(super) fn goes_beyond(&mut self, stored: Term, term: Term) {
        if stored.next() < term {
            let last = Term(term.0.saturating_sub(1));
            self.known_after = Some(last);
            let known = self.last_told().filter(|known| *known >= stored);
            let first = known.map_or(stored.max(Term(0)), Term::next);
            let head = None;
            self.push(Beginning { first, last, head }, false);
        }
    }

    /// Whether nobody was told to lead between these terms.
    fn goes_on(&self, last: Term, next: Term) -> bool {
        last.next() == next || self.known_after.is_some_and(|known| known <= last)
    }

    /// Somebody is told to lead in this term, with a log that ends like this.
    pub(super) fn tell(&mut self, term: Term, head: EntryId) {
        match self
            .runs
            .last()
            .map(|run| (run.began, run.is_known_to_have_led))
        {
            Some((began, _)) if began.first <= term && term <= began.last => {}
            Some((began, false)) if began.head == Some(head) && self.goes_on(began.last, term) => {
                if let Some(run) = self.runs.last_mut() {
                    run.began.last = term;
                }
            }
            Some(_) | None => self.push(in_term(term, head), false),
        }
    }

    /// The same, and it leads.
    pub(super) fn record(&mut self, term: Term, head: EntryId) {
        if let Some(run) = self.runs.last_mut()
            && run.began.last == term
        {
            if run.began.first < term {
                run.began.last = Term(term.0.saturating_sub(1));
            } else if run.began.head == Some(head) {
                run.is_known_to_have_led = true;
                return;
            } else {
                self.runs.pop();
            }
        }
        self.push(in_term(term, head), true);
    }

    /// It is learned, of a leader that somebody else has made, with what it began.
    pub(super) fn learn(&mut self, term: Term, head: EntryId) {
        if self.is_unknown(term) && self.last_told().is_none_or(|last| last <= term) {
            self.record(term, head);
        }
    }

    fn push(&mut self, began: Beginning, is_known_to_have_led: bool) {
        self.runs.push(Run {
            began,
            is_known_to_have_led,
        });
        while self.runs.len() > MOST {
            let began: Vec<_> = self.runs.iter().map(|run| run.began).collect();
            let last = self.runs.iter().rposition(|run| run.is_known_to_have_led);
            let implied = Beginnings::implied(&began).find(|it| Some(*it) != last);
            self.runs.remove(implied.unwrap_or(0));
        }
    }

    /// The term and the log of the last one who is known to have led.
    pub(super) fn last(&self) -> Option<(Term, EntryId)> {
        let mut known = self.runs.iter().rev();
        let run = known.find(|run| run.is_known_to_have_led)?;
        Some((run.began.last, run.began.head?))
    }

    /// The last term in which anybody is known to have been told to lead.
    pub(super) fn last_told(&self) -> Option<Term> {
        self.runs.last().map(|run| run.began.last)
    }

    /// The last term, this one or an earlier one, in which anybody may have been told to lead.
    pub(super) fn last_told_by(&self, term: Term) -> Term {
        let Some(known) = self.known_after else {
            return term;
        };
        let runs = self.runs.iter().map(|run| run.began);
        let told = runs.filter(|began| began.first <= term).map(|it| it.last);
        told.fold(known, Term::max).min(term)
    }

    /// Those who were told to lead since, the last one first. Of several with the same log one stands
    /// for all.
    pub(super) fn told_since(&self) -> impl Iterator<Item = (Term, EntryId)> + '_ {
        let told = self.runs.iter().rev();
        told.take_while(|run| !run.is_known_to_have_led)
            .filter_map(|run| Some((run.began.last, run.began.head?)))
    }

    /// With what the leader of this term began.
    pub(super) fn of(&self, term: Term) -> Option<EntryId> {
        match self.began(term) {
            Began::With(head) => Some(head),
            Began::InTheTermBefore { .. } | Began::Unknown => None,
        }
    }

    /// The same, or with what one before began, from whose log every one since went on.
    pub(super) fn at_least(&self, term: Term) -> Option<EntryId> {
        match self.began(term) {
            Began::With(head) => Some(head),
            Began::InTheTermBefore { known } => self.of(known),
            Began::Unknown => None,
        }
    }

    fn began(&self, term: Term) -> Began {
        let run = self.runs.iter().rev().find(|run| run.began.first <= term);
        match run.map(|run| run.began) {
            Some(began) if term <= began.last => began.head.map_or(Began::Unknown, Began::With),
            Some(began) => Began::InTheTermBefore { known: began.last },
            None => Began::Unknown,
        }
    }

    /// Whether a log that ends like this is not known to have all with which the leader of this term
    /// began.
    pub(super) fn is_left_by(&self, head: EntryId, (term, began): (Term, EntryId)) -> bool {
        // Logs that end in no later term than this one's are told apart by their heads.
        is_between(head, (term, began)) && self.fit(began, head) != Fit::Fits
    }

    /// Whether the log that ends with `follower` becomes a part of the one that ends with `leader`.
    pub(super) fn fit(&self, leader: EntryId, follower: EntryId) -> Fit {
        if follower == EntryId::NONE {
            return Fit::Fits;
        }
        let cut = match self.last_at_most(leader, follower.term) {
            Last::Entry(cut) => cut,
            // It has nothing of a later term.
            Last::OfTerm(_) => return Fit::Fits,
            Last::Unknown => return Fit::Unknown,
        };
        let is_cut = cut.offset < follower.offset;
        if is_cut && self.loss_accepted.is_some_and(|term| follower.term <= term) {
            return Fit::GivenUp;
        }
        if cut.term == follower.term || cut == EntryId::NONE {
            return Fit::Fits;
        }
        if follower.offset < cut.offset {
            return Fit::Refuses;
        }
        match self.has(follower, cut) {
            Has::Unknown => Fit::Parted,
            Has::Yes => Fit::Fits,
            // It is safe to take it for one that differs.
            Has::Maybe | Has::No => Fit::Differs,
        }
    }

    /// Whether a replica whose log ends like this has not acknowledged the log with which the leader of
    /// this term began: it is known to lack the end, or not known to have it and ends in a term between,
    /// where nobody follows that leader.
    pub(super) fn lacks(&self, head: EntryId, (term, began): (Term, EntryId)) -> bool {
        match self.has(head, began) {
            Has::Yes => false,
            Has::No => true,
            Has::Maybe | Has::Unknown => is_between(head, (term, began)),
        }
    }

    /// Whether it is not known with what the leader of this term began, not even in which term.
    pub(super) fn is_unknown(&self, term: Term) -> bool {
        self.began(term) == Began::Unknown
    }

    fn has(&self, head: EntryId, entry: EntryId) -> Has {
        // There it has one of its head's term, or nothing.
        if head.term > entry.term && head.offset <= entry.offset {
            return Has::of(entry == EntryId::NONE);
        }
        match self.last_at_most(head, entry.term) {
            Last::Entry(shared) => {
                Has::of(shared.term == entry.term && shared.offset >= entry.offset)
            }
            Last::OfTerm(term) if term == entry.term => Has::Maybe,
            Last::OfTerm(_) => Has::No,
            Last::Unknown => Has::Unknown,
        }
    }

    /// The last entry of no later term than this in a log that ends with `head`.
    fn last_at_most(&self, head: EntryId, term: Term) -> Last {
        let mut last = Last::Entry(head);
        loop {
            let of = match last {
                Last::Entry(entry) => entry.term,
                Last::OfTerm(of) => of,
                Last::Unknown => return last,
            };
            if of <= term {
                return last;
            }
            last = match self.began(of) {
                Began::With(from) if from.term < of => Last::Entry(from),
                Began::InTheTermBefore { known } => Last::OfTerm(known.max(term)),
                Began::With(_) | Began::Unknown => Last::Unknown,
            };
        }
    }
}

/// Whether a log ends in a term between the one in which somebody led and the one of the log that it
/// began with.
fn is_between(head: EntryId, (term, began): (Term, EntryId)) -> bool {
    began.term < head.term && head.term < term
}

fn in_term(term: Term, head: EntryId) -> Beginning {
    Beginning {
        first: term,
        last: term,
        head: Some(head),
    }
}

/// An entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Entry(EntryId),
    /// One of this term; which one is not known.
    OfTerm(Term),
    Unknown,
}

/// Whether a log has an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    Yes,
    No,
    /// One of its term; maybe not that far.
    Maybe,
    Unknown,
}

impl Has {
    fn of(has: bool) -> Self {
        if has { Self::Yes } else { Self::No }
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
        // It is not known with what the leader of term 2 began, but that it was of term 1.
        assert!(led.is_left_by(at(2, 30), last));
        // The others have it, or are no greater.
        for head in [at(3, 30), at(0, 29), at(0, 50)] {
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
        assert_eq!(led.runs.len(), 3);
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
        assert_eq!(led.fit(at(4, 40), at(1, 29)), Fit::Unknown);
        assert_eq!(led.fit(at(2, 31), at(3, 40)), Fit::Parted);
    }

    /// What the document of a shard in this term tells.
    fn found(term: i64, beginnings: &str) -> Led {
        Led::found(&ShardMetadata {
            term: Term(term),
            beginnings: beginnings.parse().unwrap(),
            ..ShardMetadata::default()
        })
    }

    /// A coordinator died before it had stored with what the leader of term 8 began.
    #[test]
    fn where_nothing_is_known_of_earlier_terms_later_ones_are_between_them_and_what_is_known() {
        let first = found(7, "");
        assert!(!first.is_to_be_stored(Term(8), at(7, 20)));
        assert!(first.is_to_be_stored(Term(8), at(6, 20)));
        assert!(!first.is_to_be_stored(Term(8), EntryId::NONE));
        let kept = first.kept(None).to_string();
        assert_eq!(kept, "0-7@unknown");
        let mut led = found(8, &kept);
        led.record(Term(9), at(7, 22));
        assert_eq!(led.fit(at(9, 40), at(8, 23)), Fit::Differs);
        assert_eq!(led.fit(at(9, 40), at(7, 30)), Fit::Fits);
        assert_eq!(led.fit(at(9, 40), at(6, 30)), Fit::Unknown);
    }

    #[test]
    fn of_a_new_shard_it_is_known_that_nobody_has_led() {
        assert_eq!(found(-1, "").kept(None).to_string(), "");
    }

    #[test]
    fn a_document_that_tells_of_later_terms_than_its_own_is_taken_up_to_that() {
        let led = found(5, "2@0/29 3-9@unknown 10@9/4");
        assert_eq!(led.kept(None).to_string(), "2@0/29 3-5@unknown");
        assert_eq!(led.fit(at(5, 40), at(4, 30)), Fit::Unknown);
    }

    #[test]
    fn after_many_terms_in_a_row_it_is_still_known_of_a_log_that_differs() {
        let mut led = found(4, "0@none 1@0/9 2@1/20 3@2/28 4@2/31");
        for term in 5..100 {
            led.record(Term(term), at(term - 1, 1_000 + term));
        }
        assert_eq!(led.runs.len(), MOST);
        let next = found(99, &led.kept(None).to_string());
        for led in [led, next] {
            assert_eq!(led.fit(at(99, 2_000), at(3, 40)), Fit::Differs);
        }
    }

    #[test]
    fn a_log_that_fits_does_so_after_many_terms_too() {
        let mut led = found(4, "0@none 2@0/9 4@2/31");
        for (term, head) in [(5, at(4, 40)), (6, at(4, 40))] {
            led.record(Term(term), head);
        }
        for term in 7..100 {
            led.record(Term(term), at(term - 1, 1_000 + term));
        }
        let next = found(99, &led.kept(None).to_string());
        for led in [led, next] {
            assert_eq!(led.fit(at(99, 2_000), at(5, 41)), Fit::Fits);
        }
    }

    #[test]
    fn who_has_led_has_what_it_began_with_also_where_the_next_one_began_with_the_same() {
        let mut led = led(&[(1, at(0, 28))]);
        led.tell(Term(2), at(0, 29));
        led.tell(Term(3), at(0, 29));
        let told: Vec<_> = led.told_since().collect();
        assert_eq!(told, [(Term(3), at(0, 29))]);
        for (head, lacks) in [
            (at(2, 40), false),
            (at(0, 29), false),
            (at(1, 30), true),
            (at(0, 28), true),
        ] {
            assert_eq!(led.lacks(head, told[0]), lacks, "{head:?}");
        }
    }

    #[test]
    fn a_log_does_not_fit_of_which_is_cut_off_what_an_operator_has_given_up() {
        let shard = ShardMetadata {
            term: Term(3),
            loss_accepted: Some(Term(3)),
            ..ShardMetadata::default()
        };
        let mut led = Led::found(&shard);
        led.record(Term(4), at(2, 30));
        for (head, fit) in [
            (at(2, 30), Fit::Fits),
            (at(2, 31), Fit::GivenUp),
            (at(3, 31), Fit::GivenUp),
            (at(2, 29), Fit::Fits),
            (EntryId::NONE, Fit::Fits),
        ] {
            assert_eq!(led.fit(at(4, 40), head), fit, "{head:?}");
        }
        led.record(Term(5), at(4, 40));
        assert_eq!(led.fit(at(5, 50), at(4, 41)), Fit::Fits);
    }

    #[test]
    fn only_what_is_of_the_term_before_need_not_be_stored_before() {
        let none = led(&[(0, EntryId::NONE)]);
        let some = led(&[(0, EntryId::NONE), (2, at(0, 0))]);
        for (led, term, head, is) in [
            (&none, 1, EntryId::NONE, false),
            (&some, 3, EntryId::NONE, true),
            (&none, 3, at(2, 7), false),
            (&none, 3, at(1, 7), true),
        ] {
            let is_to_be_stored = led.is_to_be_stored(Term(term), head);
            assert_eq!(is_to_be_stored, is, "{term} {head:?}");
        }
    }

    #[test]
    fn only_the_last_terms_are_known() {
        let heads: Vec<_> = (1..100).map(|it| (it * 2, at(it * 2 - 2, it))).collect();
        let led = led(&heads);
        assert_eq!(led.runs.len(), MOST);
        assert_eq!(led.of(Term(198)), Some(at(196, 99)));
        assert_eq!(led.of(Term(2)), None);
    }
}
