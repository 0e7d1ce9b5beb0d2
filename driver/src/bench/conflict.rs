//! How quickly a conflict is over.

use std::time::Duration;

use stepdown_backends::memory::Fault;
use stepdown_core::Role;

use super::BenchError;
use super::cluster::Cluster;

pub(super) async fn run(shards: u32, rounds: u32) -> Result<(), BenchError> {
    let mut cluster = Cluster::start(shards).await?;
    cluster.idle().await?;
    println!("shards: {shards}, conflicts of each kind: {rounds}");
    println!("from the store's \"conflict\" to a candidate with nothing in flight:");
    let mut names = (0..).map(|number| format!("round-{number}"));
    for (kind, idle) in [("idle", true), ("verifying every shard", false)] {
        let mut times = Vec::new();
        for name in names
            .by_ref()
            .take(usize::try_from(rounds).unwrap_or(usize::MAX))
        {
            cluster.memory.inject(Fault::Conflict);
            cluster.add_namespace(shards, &name);
            let candidate = cluster.role(Role::Candidate).await?;
            if let Some(refused) = cluster.refused_at() {
                times.push(candidate.saturating_duration_since(refused));
            }
            cluster.role(Role::Leader).await?;
            if idle {
                cluster.idle().await?;
            } else {
                cluster.steady().await?;
            }
        }
        times.sort_unstable();
        let [least, median, most] = [0, 50, 100].map(|percent| percentile(&times, percent));
        println!("  {kind:<22} least {least:>10.2?}  median {median:>10.2?}  most {most:>10.2?}");
    }
    cluster.stop().await;
    Ok(())
}

/// The time that so many percent of the sorted ones do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let index = (last * percent).div_ceil(100);
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_taken_from_the_sorted_times() {
        let times: Vec<Duration> = (1..=10).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 0), Duration::from_millis(1));
        assert_eq!(percentile(&times, 50), Duration::from_millis(6));
        assert_eq!(percentile(&times, 100), Duration::from_millis(10));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
