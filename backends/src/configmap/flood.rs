//! A watch that brings more than anybody can make use of.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// So many events are taken in a second; the others wait, until no more can be sent. An object that is
/// followed changes a few times a second at most.
const TAKEN: u32 = 50;
const SECOND: Duration = Duration::from_secs(1);

/// How many events were taken within a second.
pub(super) struct Flood {
    since: Instant,
    count: u32,
}

impl Flood {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            count: 0,
        }
    }

    /// One more was taken: waits until another one may be.
    pub(super) async fn taken(&mut self) {
        if self.since.elapsed() >= SECOND {
            *self = Self::new();
        }
        self.count += 1;
        if self.count >= TAKEN {
            sleep_until(self.since + SECOND).await;
            *self = Self::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn few_events_are_taken_at_once_and_many_at_a_steady_pace() {
        let begun = Instant::now();
        let mut flood = Flood::new();
        for _ in 1..TAKEN {
            flood.taken().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..9 * TAKEN {
            flood.taken().await;
        }
        assert_eq!(begun.elapsed(), 9 * SECOND);
    }
}
