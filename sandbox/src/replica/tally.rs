//! What a follower has acknowledged, as its leader counts it for the quorum.
//!
//! It is not where sending goes on: a follower that lost what it had is sent all of it again, and what
//! it has once acknowledged counts for as long as that leader leads.

#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    acked: i64,
    /// After the first and up to the second it acknowledged what its leader had not written yet: that
    /// is not counted when it is. Where that happened twice, it is of the last time.
    early: (i64, i64),
    /// An earlier cursor has the stream: nothing more is heard.
    is_deaf: bool,
}

impl Tally {
    pub(super) const fn new(acked: i64) -> Self {
        Self {
            acked,
            early: (-1, -1),
            is_deaf: false,
        }
    }

    /// What is acknowledged from now on goes to an earlier cursor.
    pub(super) fn deafen(&mut self) {
        self.is_deaf = true;
    }

    /// The follower acknowledges up to `offset`, and the leader's log ends at `head`.
    pub(super) fn acknowledge(&mut self, offset: i64, head: i64) {
        if self.is_deaf || offset <= self.acked {
            return;
        }
        if offset > head {
            let from = if self.acked > head {
                self.early.0
            } else {
                head
            };
            self.early = (from, offset);
        }
        self.acked = offset;
    }

    pub(super) fn counts(&self, offset: i64) -> bool {
        let (after, up_to) = self.early;
        offset <= self.acked && !(after < offset && offset <= up_to)
    }

    /// The greatest offsets below `head` that it may count.
    pub(super) fn ends(&self, head: i64) -> [i64; 2] {
        [self.acked.min(head), self.early.0.min(head)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acknowledged_before_it_is_written_is_not_counted_and_what_comes_after_it_is() {
        let mut tally = Tally::new(-1);
        tally.acknowledge(4, 0);
        let counted: Vec<i64> = (0..=5).filter(|it| tally.counts(*it)).collect();
        assert_eq!(counted, [0]);
        tally.acknowledge(5, 5);
        let counted: Vec<i64> = (0..=5).filter(|it| tally.counts(*it)).collect();
        assert_eq!(counted, [0, 5]);
    }

    #[test]
    fn a_deaf_one_keeps_what_it_has_counted() {
        let mut tally = Tally::new(2);
        tally.deafen();
        tally.acknowledge(3, 3);
        assert!(tally.counts(2) && !tally.counts(3));
    }
}
