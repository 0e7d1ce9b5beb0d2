//! `stepdown bench`: measures the whole coordinator against data servers on loopback.

mod bring_up;
mod cluster;
mod conflict;
mod error;
mod outage;
mod percentile;
mod raft;

use clap::{Args, Subcommand};

pub use error::BenchError;

use outage::OutageArgs;
use raft::RaftArgs;

/// Measure the coordinator against data servers on loopback
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// What to measure
    #[command(subcommand)]
    what: Bench,
}

/// What can be measured.
#[derive(Clone, Debug, Subcommand)]
enum Bench {
    /// From a new cluster until every shard is led and stored so
    BringUp {
        /// Shards of the one namespace
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=65536))]
        shards: u32,
    },
    /// From the store's "conflict" until the coordinator is a candidate with nothing in flight
    Conflict {
        /// Shards of the one namespace
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=65536))]
        shards: u32,
        /// How often
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rounds: u32,
    },
    /// From the loss of one data server of three, and then of a second, until both are back
    Outage(OutageArgs),
    /// What a store costs on three nodes with `--metadata raft`, with real files and sockets
    Raft(RaftArgs),
}

/// Measures, and prints the figures.
pub async fn run(args: BenchArgs) -> Result<(), BenchError> {
    match args.what {
        Bench::BringUp { shards } => bring_up::run(shards).await,
        Bench::Conflict { shards, rounds } => conflict::run(shards, rounds).await,
        Bench::Outage(args) => outage::run(args).await,
        Bench::Raft(args) => raft::run(args).await,
    }
}
