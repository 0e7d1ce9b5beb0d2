//! How quickly a conflict is over.

use std::time::Duration;

use stepdown_backends::memory::Fault;
use stepdown_core::Role;

use super::BenchError;
use super::cluster::Cluster;

pub(super) async fn run(shards: u32, rounds: u32) -> Result<(), BenchError> {
    let mut cluster = Cluster::start(shards).await?;
    cluster.steady().await?;
    let mut times = Vec::new();
    for round in 0..rounds {
        cluster.memory.inject(Fault::Conflict);
        cluster.add_namespace(shards, &format!("round-{round}"));
        let candidate = cluster.role(Role::Candidate).await?;
        if let Some(refused) = cluster.refused_at() {
            times.push(candidate.saturating_duration_since(refused));
        }
        cluster.role(Role::Leader).await?;
        cluster.steady().await?;
    }
    cluster.stop().await;
    times.sort_unstable();
    println!("shards:              {shards}");
    println!("conflicts:           {}", times.len());
    for (name, percent) in [("least", 0), ("median", 50), ("p99", 99), ("most", 100)] {
        println!(
            "conflict to candidate, {name:>6}: {:?}",
            percentile(&times, percent)
        );
    }
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
