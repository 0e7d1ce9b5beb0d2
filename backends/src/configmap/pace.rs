//! How often to look at an object that is followed, and how long to wait after a failure.

use std::time::Duration;

use super::classify::{Ask, FailureClass, classify};
use super::request::Failure;
use crate::clock::boottime;

/// The durations that an object is followed by.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// How long the server is asked to keep a watch, in seconds.
    pub(crate) watch_seconds: u32,
    /// A watch that ended sooner than this, though without an error, may not be begun again at
    /// once.
    pub(crate) least_watch: Duration,
    /// How long a watch may be silent, which is a little longer than the server keeps it: where
    /// nothing of the kind changes in the whole cluster, there are not even bookmarks.
    pub(crate) silence: Duration,
    /// Between two looks without a watch; up to twice as long.
    pub(crate) poll: Duration,
    /// When to ask again for a watch that was forbidden.
    pub(crate) ask_again: Duration,
    /// The first wait after a failure, and the longest; up to half of it is left to chance.
    pub(crate) retry: (Duration, Duration),
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            watch_seconds: 290,
            least_watch: Duration::from_secs(5),
            silence: Duration::from_secs(300),
            poll: Duration::from_secs(5),
            ask_again: Duration::from_secs(300),
            retry: (Duration::from_secs(1), Duration::from_secs(30)),
        }
    }
}

/// Waits that grow, and never are the same for two processes.
pub(crate) struct Delays {
    pace: Pace,
    next: Duration,
    rng: fastrand::Rng,
}

impl Delays {
    pub(crate) fn new(pace: &Pace) -> Self {
        let seed = boottime().0 ^ (u64::from(std::process::id()) << 32);
        Self {
            pace: pace.clone(),
            next: pace.retry.0,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.pace.retry.0;
    }

    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.pace.retry.1);
        let half = wait / 2;
        half + self.part_of(half)
    }

    /// How long to wait after this failure.
    pub(crate) fn after(&mut self, failure: &Failure) -> Duration {
        match classify(Ask::Read, failure) {
            FailureClass::Unavailable { after } => self.next().max(after),
            FailureClass::Absent
            | FailureClass::Ambiguous
            | FailureClass::Expired
            | FailureClass::Forbidden
            | FailureClass::Invalid
            | FailureClass::TooLarge => self.next(),
        }
    }

    /// How long to wait where there is no watch, and no failure.
    pub(crate) fn poll(&mut self) -> Duration {
        let poll = self.pace.poll;
        poll + self.part_of(poll)
    }

    fn part_of(&mut self, duration: Duration) -> Duration {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.rng.u64(0..=nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_their_bound_and_start_anew() {
        let mut delays = Delays::new(&Pace::default());
        for most in [1, 2, 4, 8, 16, 30, 30] {
            let (wait, most) = (delays.next(), Duration::from_secs(most));
            assert!(most / 2 <= wait && wait <= most, "{wait:?}");
        }
        delays.reset();
        assert!(delays.next() <= Duration::from_secs(1));
    }

    #[test]
    fn a_server_that_says_when_to_come_back_is_obeyed() {
        let mut delays = Delays::new(&Pace::default());
        let mut status = kube::core::Status::failure("", "TooManyRequests").with_code(429);
        status.details = serde_json::from_str(r#"{"retryAfterSeconds": 20}"#).unwrap();
        assert!(delays.after(&status.into()) >= Duration::from_secs(20));
    }

    #[test]
    fn polls_are_spread() {
        let mut delays = Delays::new(&Pace::default());
        for _ in 0..50 {
            let wait = delays.poll().as_secs_f64();
            assert!((5.0..=10.0).contains(&wait), "{wait}");
        }
    }
}
