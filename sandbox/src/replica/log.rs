//! A shard's log: what was written in which term. Entries have no content, so a log is kept as
//! runs of entries of one term.

use serde::{Deserialize, Serialize};
use stepdown_core::Term;
use stepdown_core::call::EntryId;

/// Consecutive entries of one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The term in which they were written.
    pub term: Term,
    /// How many; never zero.
    pub count: u32,
}

/// The entries of a shard, from offset 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Run>", into = "Vec<Run>")]
pub struct Log {
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    term: Term,
    /// The offset of its last entry.
    last: i64,
}

impl Log {
    /// The last entry, or [`EntryId::NONE`].
    pub fn head(&self) -> EntryId {
        self.pieces.last().map_or(EntryId::NONE, |piece| EntryId {
            term: piece.term,
            offset: piece.last,
        })
    }

    /// The term of the entry at `offset`.
    pub(crate) fn term_at(&self, offset: i64) -> Option<Term> {
        if offset < 0 {
            return None;
        }
        let at = self.pieces.partition_point(|piece| piece.last < offset);
        self.pieces.get(at).map(|piece| piece.term)
    }

    /// Whether this very entry is in the log; the place before the first one always is.
    pub fn contains(&self, entry: EntryId) -> bool {
        entry == EntryId::NONE || self.term_at(entry.offset) == Some(entry.term)
    }

    /// The last entry whose term is at most `term`, or [`EntryId::NONE`].
    pub fn last_at_most(&self, term: Term) -> EntryId {
        self.pieces
            .iter()
            .rev()
            .find(|piece| piece.term <= term)
            .map_or(EntryId::NONE, |piece| EntryId {
                term: piece.term,
                offset: piece.last,
            })
    }

    /// The entry at `offset`, or the head where there is none so far.
    pub(crate) fn entry_at_most(&self, offset: i64) -> EntryId {
        match self.term_at(offset) {
            Some(term) => EntryId { term, offset },
            None if offset < 0 => EntryId::NONE,
            None => self.head(),
        }
    }

    /// The terms in which it was written, in order.
    pub fn terms(&self) -> impl Iterator<Item = Term> + '_ {
        self.pieces.iter().map(|piece| piece.term)
    }

    /// Whether `prefix` is how this log begins.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        let Some((last, whole)) = prefix.pieces.split_last() else {
            return true;
        };
        self.pieces.starts_with(whole)
            && self
                .pieces
                .get(whole.len())
                .is_some_and(|piece| piece.term == last.term && piece.last >= last.last)
    }

    /// Whether this log becomes a part of a leader's. That truncates it by offset alone, to its own last
    /// entry of no later term than this one's head: here that may be another entry, or none.
    pub fn fits(&self, leader: &Self) -> bool {
        let head = self.head();
        let common = leader.last_at_most(head.term);
        let is_within = head.term == common.term && head.offset <= common.offset;
        common == EntryId::NONE || is_within || self.contains(common)
    }

    /// Whether it would be truncated without an error, and keep another entry than the leader's.
    pub fn would_differ(&self, leader: &Self) -> bool {
        let cut = leader.last_at_most(self.head().term);
        !self.fits(leader) && self.head().offset >= cut.offset
    }

    /// The entries up to `offset`.
    pub fn up_to(&self, offset: i64) -> Self {
        let mut prefix = Self::default();
        prefix.become_prefix(self, offset);
        prefix
    }

    /// Becomes the entries of another log up to `offset`.
    pub(super) fn become_prefix(&mut self, other: &Self, offset: i64) {
        self.pieces.clone_from(&other.pieces);
        self.truncate(offset);
    }

    /// Adds `count` entries of `term` at the end.
    pub(crate) fn append(&mut self, term: Term, count: u32) {
        if count == 0 {
            return;
        }
        let last = self.head().offset.saturating_add(i64::from(count));
        match self.pieces.last_mut() {
            Some(piece) if piece.term == term => piece.last = last,
            _ => self.pieces.push(Piece { term, last }),
        }
    }

    /// Drops every entry after `offset`.
    pub(crate) fn truncate(&mut self, offset: i64) {
        let keep = self.pieces.partition_point(|piece| piece.last <= offset);
        let cut = self.pieces.get(keep).copied();
        self.pieces.truncate(keep);
        if let Some(piece) = cut
            && offset > self.head().offset
        {
            self.pieces.push(Piece {
                term: piece.term,
                last: offset,
            });
        }
    }

    /// The entries after `offset`.
    pub(crate) fn after(&self, offset: i64) -> Vec<Run> {
        let mut from = offset.max(-1);
        let first = self.pieces.partition_point(|piece| piece.last <= from);
        let mut runs = Vec::new();
        for piece in self.pieces.iter().skip(first) {
            let mut left = piece.last.saturating_sub(from);
            from = piece.last;
            while left > 0 {
                let count = u32::try_from(left).unwrap_or(u32::MAX);
                runs.push(Run {
                    term: piece.term,
                    count,
                });
                left = left.saturating_sub(i64::from(count));
            }
        }
        runs
    }
}

impl From<Vec<Run>> for Log {
    fn from(runs: Vec<Run>) -> Self {
        let mut log = Self::default();
        for run in runs {
            log.append(run.term, run.count);
        }
        log
    }
}

impl From<Log> for Vec<Run> {
    fn from(log: Log) -> Self {
        log.after(-1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(terms: &[i64]) -> Log {
        let mut log = Log::default();
        for term in terms {
            log.append(Term(*term), 1);
        }
        log
    }

    fn id(term: i64, offset: i64) -> EntryId {
        EntryId {
            term: Term(term),
            offset,
        }
    }

    #[test]
    fn the_last_entry_of_a_lower_term_is_the_common_point() {
        let log = log(&[1, 1, 3]);
        assert_eq!(log.last_at_most(Term(2)), id(1, 1));
        assert_eq!(log.last_at_most(Term(0)), EntryId::NONE);
        assert_eq!(log.head(), id(3, 2));
    }

    #[test]
    fn a_log_that_differs_where_it_is_truncated_to_does_not_fit() {
        let leader = log(&[1, 2, 4]);
        for fits in [
            &[1, 2, 4, 4][..],
            &[1, 2, 3, 3],
            &[1, 1, 1, 1],
            &[1],
            &[0, 0, 0],
            &[],
        ] {
            assert!(log(fits).fits(&leader), "{fits:?}");
            assert!(!log(fits).would_differ(&leader), "{fits:?}");
        }
        for (differs, is_truncated) in [(&[1, 3, 3][..], true), (&[1, 3], true), (&[3], false)] {
            assert!(!log(differs).fits(&leader), "{differs:?}");
            let would_differ = log(differs).would_differ(&leader);
            assert_eq!(would_differ, is_truncated, "{differs:?}");
        }
    }

    proptest! {
        #[test]
        fn runs_behave_as_the_plain_list_of_terms(
            mut terms in proptest::collection::vec(0i64..4, 0..12),
            cut in -1i64..12,
        ) {
            terms.sort_unstable();
            let mut runs = log(&terms);
            for (offset, term) in terms.iter().enumerate() {
                prop_assert_eq!(runs.term_at(i64::try_from(offset).unwrap()), Some(Term(*term)));
            }
            prop_assert_eq!(&Log::from(Vec::<Run>::from(runs.clone())), &runs);
            let whole = runs.clone();
            let tail = runs.after(cut);
            runs.truncate(cut);
            terms.truncate(usize::try_from(cut + 1).unwrap());
            prop_assert_eq!(&runs, &log(&terms));
            prop_assert!(whole.starts_with(&runs));
            for run in tail {
                runs.append(run.term, run.count);
            }
            prop_assert_eq!(&runs, &whole);
        }
    }
}
