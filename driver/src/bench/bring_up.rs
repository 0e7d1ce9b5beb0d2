//! How long a new cluster takes, and how often its document is written meanwhile.

use super::cluster::Cluster;
use super::error::BenchError;

pub(super) async fn run(shards: u32) -> Result<(), BenchError> {
    let mut cluster = Cluster::start(shards).await?;
    cluster.steady().await?;
    let took = cluster.started.elapsed();
    let stores = cluster.memory.accepted_stores();
    cluster.stop().await;
    println!("shards:              {shards}");
    println!("until all are led:   {took:?}");
    println!("status stores:       {stores}");
    Ok(())
}
