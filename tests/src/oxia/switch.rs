//! What a change of leaders, or another trouble, costs the clients.

use std::fmt;
use std::time::Duration;

use stepdown_core::cluster::ClusterStatus;
use tokio::time::Instant;

use super::{Longest, Mixed};

/// What one trouble has cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From the trouble until every replica was in its place again.
    pub took: Duration,
    /// From the trouble until the next coordinator led, if one was awaited.
    pub led_after: Option<Duration>,
    /// The longest that any shard went without.
    pub longest: Longest,
    /// Terms that were begun, summed over the shards that were led before.
    pub elections: i64,
    /// Operations of `oxia perf` that have failed.
    pub failed: usize,
}

impl Mixed {
    /// Makes trouble, and tells what it has cost once the coordinator of this name leads, if one is
    /// awaited, and every replica is in its place.
    pub async fn cost(&mut self, to: Option<&str>, trouble: impl AsyncFnOnce(&mut Self)) -> Cost {
        let before = self.in_place().await;
        let failed = self.perf().failures();
        self.probe().begin();
        let since = Instant::now();
        trouble(self).await;
        let mut led_after = None;
        if let Some(name) = to {
            self.leads(name).await;
            led_after = Some(since.elapsed());
        }
        let after = self.in_place().await;
        assert_eq!(before.instance_id, after.instance_id);
        Cost {
            took: since.elapsed(),
            led_after,
            longest: self.probe().longest(),
            elections: elections(&before, &after),
            failed: self.perf().failures() - failed,
        }
    }

    /// Elections since Stepdown has taken office, of shards that it has found led.
    pub async fn needless_elections(&mut self) -> i64 {
        let found = self.onlooker.fenced().expect("Stepdown has led");
        let now = self.in_place().await;
        elections(&found, &now)
    }
}

/// The terms that were begun in between, of the shards that were led before.
fn elections(before: &ClusterStatus, after: &ClusterStatus) -> i64 {
    let after = |id| after.shards().find(|it| it.1 == id).map(|it| it.2.term.0);
    let led = before.shards().filter(|it| it.2.leader.is_some());
    led.map(|(_, id, shard)| after(id).unwrap_or(shard.term.0) - shard.term.0)
        .sum()
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Longest { unled, uncommitted } = self.longest;
        if let Some(after) = self.led_after {
            write!(f, "led after {after:.2?}, ")?;
        }
        write!(
            f,
            "all in place after {:.2?}; without a leader for {unled:.0?} at most, \
             without a commit for {uncommitted:.0?} at most; {} new terms, {} operations failed",
            self.took, self.elections, self.failed
        )
    }
}
