//! How quickly a conflict is over.

use std::time::Duration;

use stepdown_backends::memory::Fault;
use stepdown_core::Role;

use super::cluster::Cluster;
use super::error::BenchError;
use super::percentile::percentile;

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
