//! The world's time, and the clocks of its coordinators.

use std::time::Duration;

use stepdown_core::Timestamp;
use stepdown_core::lease::WallTime;

use super::chance::Stream;

/// A moment of the world's own time, in nanoseconds since its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(pub u64);

impl At {
    pub fn plus(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(nanos(delay)))
    }

    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.6}", self.0 as f64 / 1e9)
    }
}

/// A coordinator's clock: it starts anywhere, and runs a little too fast or too slow.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub offset: u64,
    pub parts_per_million: u64,
}

impl Clock {
    /// All clocks agree within what a lease allows for, unless they are wild.
    pub fn drawn(is_wild: bool, chance: &mut Stream) -> Self {
        let (least, spread) = if is_wild {
            (600_000, 900_000)
        } else {
            (955_000, 90_000)
        };
        Self {
            offset: chance.below(1 << 50),
            parts_per_million: least + chance.below(spread),
        }
    }

    pub fn read(self, at: At) -> Timestamp {
        let elapsed = u128::from(at.0) * u128::from(self.parts_per_million) / 1_000_000;
        Timestamp(self.offset + u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// The first moment at which the clock shows `time` or more.
    pub fn when(self, time: Timestamp) -> At {
        let elapsed = u128::from(time.0.saturating_sub(self.offset)) * 1_000_000;
        let at = elapsed.div_ceil(u128::from(self.parts_per_million));
        At(u64::try_from(at).unwrap_or(u64::MAX))
    }

    /// What a wall clock beside it shows, in microseconds: it may be days off.
    pub fn wall(self, at: At) -> WallTime {
        let micros = i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX);
        let off = i64::try_from(self.offset / 1_000).unwrap_or(0);
        WallTime(micros.saturating_add(off))
    }

    /// Whether two clocks differ in rate by at most so many percent.
    pub fn agree(one: Self, other: Self, percent: u32) -> bool {
        let (slow, fast) = (
            one.parts_per_million.min(other.parts_per_million),
            one.parts_per_million.max(other.parts_per_million),
        );
        fast * 100 <= slow * (100 + u64::from(percent))
    }

    /// How long the world takes while this clock counts `duration`.
    pub fn stretch(self, duration: Duration) -> Duration {
        let scaled = duration.as_nanos() * 1_000_000 / u128::from(self.parts_per_million);
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_a_time_no_earlier_than_when_it_says() {
        for parts_per_million in [953_001, 1_000_000, 1_048_000] {
            let clock = Clock {
                offset: 77,
                parts_per_million,
            };
            for time in [77, 78, 1_000_003, 123_456_789_012] {
                let at = clock.when(Timestamp(time));
                assert!(clock.read(at) >= Timestamp(time));
                assert!(at.0 == 0 || clock.read(At(at.0 - 1)) < Timestamp(time));
            }
        }
    }
}
