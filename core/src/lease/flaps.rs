//! Whoever keeps losing leadership lets others try.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::Timestamp;

/// How many losses are too many. The rule is that of PD, TiKV's placement driver: more than three
/// campaigns within five minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlapLimit {
    /// So many unplanned losses are borne; zero switches the limit off.
    pub losses: u32,
    /// Within this time.
    pub within: Duration,
}

impl Default for FlapLimit {
    fn default() -> Self {
        Self {
            losses: 3,
            within: Duration::from_secs(300),
        }
    }
}

/// The losses of late, and whether anybody else is there.
#[derive(Clone, Debug)]
pub(super) struct Flaps {
    limit: FlapLimit,
    losses: VecDeque<Timestamp>,
    other_seen: Option<Timestamp>,
}

impl Flaps {
    pub(super) fn new(limit: FlapLimit) -> Self {
        Self {
            limit,
            losses: VecDeque::new(),
            other_seen: None,
        }
    }

    /// Another candidate has just held or renewed the lease.
    pub(super) fn see_other(&mut self, now: Timestamp) {
        self.other_seen = Some(now);
    }

    pub(super) fn lose(&mut self, now: Timestamp) {
        self.forget(now);
        self.losses.push_back(now);
    }

    /// Whether to let the others try. It counts as done: the losses are forgotten.
    pub(super) fn cool_down(&mut self, now: Timestamp) -> bool {
        self.forget(now);
        let others = self
            .other_seen
            .is_some_and(|seen| now.since(seen) <= self.limit.within);
        let many = self.limit.losses > 0
            && u32::try_from(self.losses.len()).is_ok_and(|count| count > self.limit.losses);
        if others && many {
            self.losses.clear();
        }
        others && many
    }

    fn forget(&mut self, now: Timestamp) {
        while self
            .losses
            .front()
            .is_some_and(|lost| now.since(*lost) > self.limit.within)
        {
            self.losses.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    #[test]
    fn the_fourth_loss_in_five_minutes_is_one_too_many_where_somebody_else_is_there() {
        let mut flaps = Flaps::new(FlapLimit::default());
        flaps.see_other(at(1));
        for second in 1..=3 {
            flaps.lose(at(second));
            assert!(!flaps.cool_down(at(second)));
        }
        flaps.lose(at(4));
        assert!(flaps.cool_down(at(4)));
        assert!(!flaps.cool_down(at(5)), "once is enough");
    }

    #[test]
    fn a_lone_candidate_never_cools_down() {
        let mut flaps = Flaps::new(FlapLimit::default());
        (1..100).for_each(|second| flaps.lose(at(second)));
        assert!(!flaps.cool_down(at(100)));
    }

    #[test]
    fn old_losses_are_forgotten_and_so_are_old_rivals() {
        let mut flaps = Flaps::new(FlapLimit::default());
        flaps.see_other(at(1_000));
        for minute in 0..20 {
            flaps.lose(at(minute * 101));
        }
        assert!(!flaps.cool_down(at(1_010)));
        (1_400..1_410).for_each(|second| flaps.lose(at(second)));
        assert!(!flaps.cool_down(at(1_410)));
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        let mut flaps = Flaps::new(FlapLimit {
            losses: 0,
            ..FlapLimit::default()
        });
        flaps.see_other(at(1));
        (1..10).for_each(|second| flaps.lose(at(second)));
        assert!(!flaps.cool_down(at(10)));
    }
}
