//! Peers that send more than anybody can make use of.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const SECOND: Duration = Duration::from_secs(1);

/// How many of what a peer sends were taken within a second. The others wait, until it may send no more.
#[derive(Debug)]
pub struct Flood {
    most: u32,
    since: Option<Instant>,
    count: u32,
}

impl Flood {
    /// Of which so many are taken in a second.
    #[must_use]
    pub const fn of(most: u32) -> Self {
        Self {
            most,
            since: None,
            count: 0,
        }
    }

    /// Waits until one more may be taken. Whoever gives up waiting has taken nothing.
    pub async fn free(&self) {
        if self.count >= self.most
            && let Some(since) = self.since
        {
            sleep_until(since + SECOND).await;
        }
    }

    /// One more was taken.
    pub fn taken(&mut self) {
        let now = Instant::now();
        if self.since.is_none_or(|since| now >= since + SECOND) {
            self.since = Some(now);
            self.count = 0;
        }
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: u32 = 50;

    #[tokio::test(start_paused = true)]
    async fn few_events_are_taken_at_once_and_many_at_a_steady_pace() {
        let begun = Instant::now();
        let mut flood = Flood::of(TAKEN);
        for _ in 1..TAKEN {
            flood.free().await;
            flood.taken();
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..9 * TAKEN {
            flood.free().await;
            flood.taken();
        }
        assert_eq!(begun.elapsed(), 9 * SECOND);
    }
}
