//! How far a replica has come, and whether it has all that another has.
//!
//! A head is not a position: a replica that was fed by a snapshot has no entry in its log until its
//! leader's next one, and answers `NewTerm` with no head, though it has everything up to the offset
//! that it knows to be committed.

use crate::call::{EntryId, ReplicaStatus};
use crate::id::Term;

/// What a voter has, by its status before it was fenced, and its answer when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    head: EntryId,
    /// Up to where it has what is committed; -1 also where that is not known, as a server does not
    /// say it of a replica that it has just opened. Such a one is taken to have nothing but its log:
    /// a leader that has less is not acknowledged by it.
    commit: i64,
    /// Its term before.
    term: Term,
}

impl Position {
    pub(super) fn new(status: ReplicaStatus, head: EntryId) -> Self {
        Self {
            head,
            commit: status.commit_offset,
            term: status.term,
        }
    }

    pub(super) fn has_log(&self) -> bool {
        self.head != EntryId::NONE
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
            (true, false) => self.commit >= other.commit || self.continues(other),
            (false, false) => self.commit >= other.commit,
        }
    }

    /// Whether its log was written by a leader that had everything that the other, which has no
    /// log, has: a leader of the other's term, or of a later one.
    fn continues(&self, other: &Self) -> bool {
        self.head.offset >= other.commit && self.head.term >= other.term
    }

    /// The head that a leader at this position is told of a follower: the follower's own, unless it
    /// has none and is known to have what the leader's log begins with, or the leader has none: it
    /// takes only followers without one, and feeds them all that it has.
    pub(super) fn told_of(&self, follower: &Self) -> EntryId {
        if !self.has_log() {
            return EntryId::NONE;
        }
        let has_part = !follower.has_log() && follower.commit >= 0;
        if has_part && self.head.offset >= follower.commit && self.covers(follower) {
            return EntryId {
                term: self.head.term,
                offset: follower.commit,
            };
        }
        follower.head
    }
}
