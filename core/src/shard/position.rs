//! How far a replica has come, and whether it has all that another has.
//!
//! A head is not a position: a replica that was fed by a snapshot has no entry in its log until its
//! leader's next one, and answers `NewTerm` with no head, though it has everything up to the offset
//! that it knows to be committed.

use super::led::Led;
use crate::call::{EntryId, ReplicaRole, ReplicaStatus};
use crate::id::Term;

/// What a voter has, by its status before it was fenced, and its answer when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    head: EntryId,
    /// Up to where it has what is committed; -1 also where that is not known, as a server does not
    /// say it of a replica that it has just opened.
    commit: i64,
    /// Its term before, or the last one before that in which anybody led.
    term: Term,
    /// Whether `commit` is known: it is of a replica that told its head, too.
    is_told: bool,
    /// Whether its database was seen to have nothing beyond `commit`, also where that is -1.
    is_shown: bool,
    /// Whether it has all that it had then.
    is_whole: bool,
    /// What it was in that term.
    role: ReplicaRole,
    /// The last term in which it is known to have led.
    last_led_in: Option<Term>,
    /// With what the leader of its term began, if that is known, or one before from whose log every
    /// one since went on.
    began: Option<EntryId>,
}

impl Position {
    /// Of a voter that is known, from elsewhere, to have what is committed up to `fed`, or to have led.
    pub(super) fn new(
        status: ReplicaStatus,
        head: EntryId,
        fed: Option<i64>,
        last_led_in: Option<Term>,
        led: &Led,
    ) -> Self {
        // Nobody has fed it in a term in which nobody led.
        let term = match status.role {
            ReplicaRole::Leader | ReplicaRole::Follower => status.term,
            ReplicaRole::Fenced | ReplicaRole::NotMember => led.last_told_by(status.term),
        };
        Self {
            head,
            commit: status.commit_offset.max(fed.unwrap_or(-1)),
            term,
            is_told: status.head_offset >= head.offset,
            is_shown: false,
            is_whole: status.head_offset <= head.offset,
            role: status.role,
            last_led_in: match status.role {
                ReplicaRole::Leader => Some(status.term),
                ReplicaRole::Follower | ReplicaRole::Fenced | ReplicaRole::NotMember => last_led_in,
            },
            began: led.at_least(term),
        }
    }

    /// The same, once it has shown, if it has, up to where its database goes.
    pub(super) fn showing(self, commit: Option<i64>) -> Self {
        Self {
            commit: commit.map_or(self.commit, |commit| commit.max(self.commit)),
            is_shown: commit.is_some(),
            ..self
        }
    }

    /// The term in which it led, and with what it began, if it has written nothing since.
    pub(super) fn began(&self) -> Option<(Term, EntryId)> {
        let is_as_it_was = self.is_whole && self.head.term < self.term;
        // One that was fed by a snapshot had more than its log.
        let is_all = self.has_log() || !self.has_told_its_commit();
        let led = self.role == ReplicaRole::Leader && is_as_it_was && is_all;
        led.then_some((self.term, self.head))
    }

    /// The last term in which it led or followed, if that was before it was fenced: somebody led
    /// then.
    pub(super) fn led_in(&self) -> Option<Term> {
        let is_fed = matches!(self.role, ReplicaRole::Leader | ReplicaRole::Follower);
        is_fed.then_some(self.term)
    }

    /// The last entry of its log.
    pub(super) fn head(&self) -> EntryId {
        self.head
    }

    pub(super) fn has_log(&self) -> bool {
        self.head != EntryId::NONE
    }

    /// Whether nothing is known of what it has: it has no log, as one that was fed by a snapshot, and
    /// its server has opened it only now.
    pub(super) fn is_untold(&self) -> bool {
        !self.has_log() && !self.has_told_its_commit() && !self.is_shown
    }

    /// Whether it is known up to where it has what is committed.
    pub(super) fn has_told_its_commit(&self) -> bool {
        self.commit >= 0
    }

    /// Up to where it is known to have what is committed, or -1.
    pub(super) fn commit(&self) -> i64 {
        self.commit
    }

    /// Whether it is known to have what is committed up to here.
    pub(super) fn has_committed(&self, offset: i64) -> bool {
        self.commit >= offset
    }

    /// Whether it ends with this entry.
    pub(super) fn is_at(&self, head: EntryId) -> bool {
        self.head == head
    }

    /// The last offset that it is known to have.
    pub(super) fn offset(&self) -> i64 {
        self.head.offset.max(self.commit)
    }

    /// Whether it has everything that the other may have acknowledged.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self.has_log(), other.has_log()) {
            (true, true) => self.head >= other.head,
            (false, true) => self.commit >= other.head.offset,
            (true, false) if self.has_led_since(other) => true,
            // Whatever a leader of its term had committed.
            (true, false) if other.is_untold() => self.head.term > other.term,
            (true, false) => self.commit >= other.commit || self.continues(other),
            (false, false) => self.commit >= other.commit,
        }
    }

    /// Whether it led in the other's term, or later: it had all that the other had committed by then.
    fn has_led_since(&self, other: &Self) -> bool {
        self.last_led_in.is_some_and(|term| term >= other.term)
    }

    /// Whether its log was written by a leader that had everything that the other, which has no
    /// log, has: a leader of the other's term, or of a later one. Or it has no less of the log with
    /// which the other's leader began than the other has.
    fn continues(&self, other: &Self) -> bool {
        let is_later = self.head.term >= other.term;
        let is_begun = other
            .began
            .is_some_and(|began| began.term == self.head.term && began.offset >= other.commit);
        self.head.offset >= other.commit && (is_later || is_begun)
    }

    /// Whether it may lead. A server whose database goes further than its log, which is empty since
    /// a snapshot or was truncated, would write at offsets that it takes to be committed, and
    /// acknowledge at once what no other replica has.
    pub(super) fn may_lead(&self) -> bool {
        self.commit <= self.head.offset
    }

    /// Whether it is known to have nothing beyond its log.
    pub(super) fn is_proved(&self) -> bool {
        self.has_log() && self.is_told
    }

    /// The head that a leader at this position is told of a follower: the follower's own, unless it
    /// has none and is known to have what the leader's log begins with.
    pub(super) fn told_of(&self, follower: &Self) -> EntryId {
        let has_part = self.has_log() && !follower.has_log() && follower.commit >= 0;
        if has_part && self.head.offset >= follower.commit && self.covers(follower) {
            return EntryId {
                term: self.head.term,
                offset: follower.commit,
            };
        }
        follower.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ReplicaRole;

    fn at(head: (i64, i64), commit: i64, term: i64) -> Position {
        let status = ReplicaStatus {
            term: Term(term),
            role: ReplicaRole::Follower,
            head_offset: head.1.max(commit),
            commit_offset: commit,
        };
        let head = EntryId {
            term: Term(head.0),
            offset: head.1,
        };
        Position::new(status, head, None, None, &Led::default())
    }

    fn leading(head: (i64, i64), commit: i64, term: i64) -> Position {
        Position {
            last_led_in: Some(Term(term)),
            ..at(head, commit, term)
        }
    }

    /// The same, fed by a leader that began with this log.
    fn fed(commit: i64, term: i64, began: (i64, i64)) -> Position {
        let began = EntryId {
            term: Term(began.0),
            offset: began.1,
        };
        Position {
            began: Some(began),
            ..at(NO_LOG, commit, term)
        }
    }

    const NO_LOG: (i64, i64) = (-1, -1);

    #[test]
    fn it_covers_what_is_known_to_be_no_further() {
        let rows = [
            ("greater head", at((2, 5), 5, 2), at((1, 9), 9, 1), true),
            ("smaller head", at((1, 9), 9, 2), at((2, 5), 5, 2), false),
            ("equal heads", at((2, 5), 4, 2), at((2, 5), 5, 2), true),
            (
                "snapshot over a log within it",
                at(NO_LOG, 30, 2),
                at((2, 30), 29, 2),
                true,
            ),
            (
                "snapshot under a longer log",
                at(NO_LOG, 30, 2),
                at((2, 31), 29, 2),
                false,
            ),
            (
                "unknown over a log",
                at(NO_LOG, -1, 2),
                at((0, 0), 0, 2),
                false,
            ),
            (
                "log known to be committed as far",
                at((1, 40), 30, 2),
                at(NO_LOG, 30, 2),
                true,
            ),
            (
                "log of the same leader",
                at((2, 30), 20, 2),
                at(NO_LOG, 30, 2),
                true,
            ),
            (
                "log of an earlier leader",
                at((1, 40), 20, 2),
                at(NO_LOG, 30, 2),
                false,
            ),
            ("shorter log", at((2, 29), 29, 2), at(NO_LOG, 30, 2), false),
            (
                "log with which the leader began",
                at((1, 40), -1, 2),
                fed(40, 2, (1, 40)),
                true,
            ),
            (
                "part of the log with which the leader began",
                at((1, 30), -1, 2),
                fed(30, 2, (1, 40)),
                true,
            ),
            (
                "less of it than that",
                at((1, 29), -1, 2),
                fed(30, 2, (1, 40)),
                false,
            ),
            (
                "longer log than the one with which the leader began",
                at((1, 50), -1, 2),
                fed(41, 2, (1, 40)),
                false,
            ),
            (
                "log of another term than the one with which the leader began",
                at((1, 50), -1, 3),
                fed(40, 3, (0, 40)),
                false,
            ),
            (
                "log over nothing known",
                at((0, 9), -1, 7),
                at(NO_LOG, -1, 0),
                false,
            ),
            (
                "log of a later leader over nothing known",
                at((1, 9), -1, 7),
                at(NO_LOG, -1, 0),
                true,
            ),
            (
                "its leader's log over nothing known",
                leading((0, 9), 9, 7),
                at(NO_LOG, -1, 7),
                true,
            ),
            (
                "an earlier leader's log over nothing known",
                leading((0, 9), 9, 7),
                at(NO_LOG, -1, 8),
                false,
            ),
            (
                "greater snapshot",
                at(NO_LOG, 30, 2),
                at(NO_LOG, 20, 2),
                true,
            ),
            (
                "smaller snapshot",
                at(NO_LOG, 20, 2),
                at(NO_LOG, 30, 2),
                false,
            ),
            (
                "nothing over nothing",
                at(NO_LOG, -1, 0),
                at(NO_LOG, -1, 0),
                true,
            ),
        ];
        for (row, one, other, covers) in rows {
            assert_eq!(one.covers(&other), covers, "{row}");
        }
    }

    #[test]
    fn nothing_is_known_of_one_without_a_log_unless_it_shows_what_is_in_its_database() {
        let log = at((2, 7), 3, 2);
        let empty = at((-1, -1), -1, 2);
        assert!(empty.is_untold() && !log.covers(&empty));
        let shown = empty.showing(Some(-1));
        assert!(!shown.is_untold() && log.covers(&shown));
        let fed = empty.showing(Some(9));
        assert!(!fed.is_untold() && !log.covers(&fed));
        assert!(empty.showing(None).is_untold());
    }

    #[test]
    fn one_that_has_more_than_its_log_may_not_lead() {
        assert!(at((2, 5), 5, 2).may_lead());
        assert!(!at((2, 5), 6, 2).may_lead());
        assert!(at(NO_LOG, -1, 2).may_lead());
        assert!(!at(NO_LOG, 0, 2).may_lead());
    }

    #[test]
    fn whoever_is_covered_both_ways_is_told_of_as_having_no_less() {
        let logged = at((2, 35), 35, 2);
        let told = |follower: Position| logged.told_of(&follower);
        assert_eq!(
            told(at((1, 9), 9, 1)),
            EntryId {
                term: Term(1),
                offset: 9
            }
        );
        assert_eq!(
            told(at(NO_LOG, 30, 2)),
            EntryId {
                term: Term(2),
                offset: 30
            }
        );
        assert_eq!(told(at(NO_LOG, -1, 2)), EntryId::NONE);
        assert_eq!(told(at(NO_LOG, 36, 2)), EntryId::NONE);
    }
}
