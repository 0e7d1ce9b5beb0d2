//! How quickly a conflict is over.

use std::time::Duration;

use stepdown_backends::memory::Fault;
use stepdown_core::Role;

use super::cluster::Cluster;
use super::error::BenchError;

pub(super) async fn run(shards: u32, rounds: u32) -> Result<(), BenchError> {
    println!("shards: {shards}, conflicts of each kind: {rounds}");
    println!("from the store's \"conflict\" to a candidate with nothing in flight:");
    let mut idle = Vec::new();
    for _ in 0..rounds {
        // After a take-over, followers are being made sure of for a while: only a new cluster is
        // known to be idle.
        let mut cluster = Cluster::start(shards).await?;
        cluster.idle().await?;
        idle.extend(conflict(&mut cluster, shards, "round").await?);
        cluster.stop().await;
    }
    tell("idle", idle);

    let mut cluster = Cluster::start(shards).await?;
    cluster.idle().await?;
    // The first conflict is met idle, and not counted; the others amid its take-over.
    conflict(&mut cluster, shards, "first").await?;
    let mut busy = Vec::new();
    for round in 0..rounds {
        cluster.role(Role::Leader).await?;
        cluster.steady().await?;
        busy.extend(conflict(&mut cluster, shards, &format!("round-{round}")).await?);
    }
    tell("amid a take-over", busy);
    cluster.stop().await;
    Ok(())
}

/// Has the leader's next store refused, and says how long it took to be a candidate.
async fn conflict(
    cluster: &mut Cluster,
    shards: u32,
    name: &str,
) -> Result<Option<Duration>, BenchError> {
    cluster.memory.inject(Fault::Conflict);
    cluster.add_namespace(shards, name);
    let candidate = cluster.role(Role::Candidate).await?;
    let refused = cluster.refused_at();
    Ok(refused.map(|refused| candidate.saturating_duration_since(refused)))
}

fn tell(kind: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let [least, median, most] = [0, 50, 100].map(|percent| percentile(&times, percent));
    println!("  {kind:<16}  least {least:>9.2?}  median {median:>9.2?}  most {most:>9.2?}");
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
