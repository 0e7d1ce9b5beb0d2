//! Waits that grow, with jitter.

use std::time::Duration;

/// How often something has failed in a row, and so how long to wait before it is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait: `first` x 1.5^n up to `most`, spread evenly over ±50 %.
    pub(crate) fn wait(
        &mut self,
        first: Duration,
        most: Duration,
        rng: &mut fastrand::Rng,
    ) -> Duration {
        let interval = first.as_secs_f64() * 1.5_f64.powi(self.count());
        Duration::from_secs_f64(interval.min(most.as_secs_f64()) * (0.5 + rng.f64()))
    }

    /// The next wait, anywhere from nothing to `first` x 2^n up to `most` ("full jitter").
    pub(crate) fn full_jitter(
        &mut self,
        first: Duration,
        most: Duration,
        rng: &mut fastrand::Rng,
    ) -> Duration {
        let bound = first.as_secs_f64() * 2_f64.powi(self.count());
        Duration::from_secs_f64(bound.min(most.as_secs_f64()) * rng.f64())
    }

    /// Whether nothing has failed since it worked last.
    pub(crate) fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    /// It worked: the next failure counts as the first.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure; the exponent is bounded so that powers stay finite.
    fn count(&mut self) -> i32 {
        let exponent = self.failures.min(64);
        self.failures = self.failures.saturating_add(1);
        i32::try_from(exponent).unwrap_or(64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(10);

    #[test]
    fn waits_grow_up_to_the_cap_and_begin_again_after_a_reset() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::default();
        let first = backoff.wait(FIRST, MOST, &mut rng);
        assert!((Duration::from_millis(50)..=Duration::from_millis(150)).contains(&first));
        let last = (0..100)
            .map(|_| backoff.wait(FIRST, MOST, &mut rng))
            .last()
            .unwrap();
        assert!((MOST / 2..=MOST * 3 / 2).contains(&last));
        backoff.reset();
        assert!(backoff.wait(FIRST, MOST, &mut rng) <= Duration::from_millis(150));
    }

    #[test]
    fn full_jitter_stays_below_its_bound() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::default();
        assert!(backoff.full_jitter(FIRST, MOST, &mut rng) <= FIRST);
        assert!((0..100).all(|_| backoff.full_jitter(FIRST, MOST, &mut rng) <= MOST));
    }
}
