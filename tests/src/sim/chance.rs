//! One seed, split into streams, so that a draw more in one does not shift the others.

use std::time::Duration;

/// The streams of chance.
#[derive(Debug)]
pub struct Chance {
    pub network: Stream,
    pub store: Stream,
    pub lease: Stream,
    pub clocks: Stream,
    pub faults: Stream,
    pub workload: Stream,
    pub syncs: Stream,
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        let stream = |number: u64| {
            Stream(fastrand::Rng::with_seed(
                seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            ))
        };
        Self {
            network: stream(1),
            store: stream(2),
            lease: stream(3),
            clocks: stream(4),
            faults: stream(5),
            workload: stream(6),
            syncs: stream(7),
        }
    }
}

/// One stream of chance.
#[derive(Debug)]
pub struct Stream(fastrand::Rng);

impl Stream {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.u64(0..end.max(1))
    }

    pub fn index(&mut self, len: usize) -> usize {
        self.0.usize(0..len.max(1))
    }

    pub fn percent(&mut self, percent: u32) -> bool {
        self.0.u32(0..100) < percent
    }

    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let spread = u64::try_from(most.saturating_sub(least).as_nanos()).unwrap_or(u64::MAX);
        least + Duration::from_nanos(self.below(spread.saturating_add(1)))
    }

    pub fn micros(&mut self, least: u64, most: u64) -> Duration {
        self.between(Duration::from_micros(least), Duration::from_micros(most))
    }

    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        self.between(Duration::from_millis(least), Duration::from_millis(most))
    }

    pub fn wide(&mut self) -> u128 {
        self.0.u128(..)
    }
}
