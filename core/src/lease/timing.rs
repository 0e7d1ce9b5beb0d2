//! The durations of an election by lease, and what they have to satisfy.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Between the end of the drain and the earliest take-over there is at least this.
const SLACK: Duration = Duration::from_millis(500);

/// How an election by lease is timed. What is on the wire is client-go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseTiming {
    /// L: a lease that was not seen to change for so long is free. In whole seconds.
    pub lease: Duration,
    /// R: authority lasts this long after the last acknowledged renewal was *sent*.
    pub authority: Duration,
    /// P: the pace of a candidate that has to poll, and of tries after a failure.
    pub retry: Duration,
    /// D: a leader's office is empty this long after it was closed.
    pub drain: Duration,
    /// By how many percent clocks may differ in rate.
    pub clock_error: u32,
    /// The bound of the random wait before a bid for a lease that has become free.
    pub bid_jitter: Duration,
}

impl LeaseTiming {
    /// The times of production: those of client-go on the wire.
    pub const DEFAULT: Self = Self {
        lease: Duration::from_secs(15),
        authority: Duration::from_secs(10),
        retry: Duration::from_secs(2),
        drain: Duration::from_secs(3),
        clock_error: 10,
        bid_jitter: Duration::from_millis(50),
    };

    /// A fifth of them, so that tests need not wait.
    pub const SHORT: Self = Self {
        lease: Duration::from_secs(3),
        authority: Duration::from_millis(1_600),
        retry: Duration::from_millis(400),
        drain: Duration::from_millis(600),
        clock_error: 10,
        bid_jitter: Duration::from_millis(50),
    };

    /// Whether an old leader's office is certainly empty before anybody can take over:
    /// R + D + 0.5 s <= L / (1 + rho). Otherwise the error says which durations are too long.
    pub fn check(&self) -> Result<(), LeaseTimingError> {
        if self.lease.is_zero() || self.lease.subsec_nanos() != 0 {
            return Err(LeaseTimingError::NotWholeSeconds(self.lease));
        }
        if self.retry.is_zero() || self.retry * 3 > self.authority {
            return Err(LeaseTimingError::RetryTooLong {
                retry: self.retry,
                authority: self.authority,
            });
        }
        let needed = self.authority + self.drain + SLACK;
        let had = self.lease * 100 / self.clock_error.saturating_add(100);
        if needed > had {
            return Err(LeaseTimingError::LeaseTooShort { needed, had });
        }
        Ok(())
    }

    /// Between two renewals: R/3.
    pub(super) fn renew_every(&self) -> Duration {
        self.authority / 3
    }

    /// How long one request may take: R/2.
    pub(super) fn request(&self) -> Duration {
        self.authority / 2
    }

    /// How quiet a watch may be before a candidate looks by itself: a little more than two
    /// renewals.
    pub(super) fn quiet(&self) -> Duration {
        self.authority * 7 / 10
    }

    /// How long a lease that was given to one candidate is left alone by the others: longer than
    /// the longest wait between two polls of it.
    pub(super) fn reserved(&self) -> Duration {
        self.retry * 5 / 2
    }
}

/// Why an election can't be timed like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseTimingError {
    /// The wire knows only whole seconds.
    #[error(
        "a lease of {0:?} can't be written: its duration must be whole seconds, and at least 1"
    )]
    NotWholeSeconds(Duration),
    /// There has to be room for more than one try.
    #[error(
        "a retry period of {retry:?} is too long: it must be above zero and at most a third of the authority of {authority:?}"
    )]
    RetryTooLong {
        /// P.
        retry: Duration,
        /// R.
        authority: Duration,
    },
    /// Two could lead at once.
    #[error(
        "authority, drain and slack take {needed:?}, but the lease may seem over after {had:?}: make the lease longer, or the others shorter"
    )]
    LeaseTooShort {
        /// R + D + slack.
        needed: Duration,
        /// L by the fastest clock.
        had: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_profiles_leave_room_for_the_drain() {
        assert_eq!(LeaseTiming::DEFAULT.check(), Ok(()));
        assert_eq!(LeaseTiming::SHORT.check(), Ok(()));
    }

    #[test]
    fn a_lease_that_may_end_before_the_drain_is_refused() {
        let timing = LeaseTiming {
            drain: Duration::from_secs(4),
            ..LeaseTiming::DEFAULT
        };
        assert!(matches!(
            timing.check(),
            Err(LeaseTimingError::LeaseTooShort { .. })
        ));
    }

    #[test]
    fn a_lease_of_half_a_second_can_not_be_written() {
        let timing = LeaseTiming {
            lease: Duration::from_millis(500),
            ..LeaseTiming::SHORT
        };
        assert!(timing.check().is_err());
    }

    #[test]
    fn there_is_room_for_three_tries() {
        let timing = LeaseTiming {
            retry: Duration::from_secs(4),
            ..LeaseTiming::DEFAULT
        };
        assert!(matches!(
            timing.check(),
            Err(LeaseTimingError::RetryTooLong { .. })
        ));
    }
}
