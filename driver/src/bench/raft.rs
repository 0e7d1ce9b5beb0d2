//! What a store costs on three nodes that keep the documents among themselves, each with a real
//! file, over real sockets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use stepdown_backends::raft::RaftOptions;
use stepdown_backends::raft::admin::AdminClient;
use stepdown_backends::{Backend, Candidate, LeadershipReport, Provider};
use stepdown_core::cluster::{
    ClusterStatus, DataServerIdentity, HashRange, NamespaceStatus, ShardMetadata, ShardStatus,
};
use stepdown_core::lease::LeaseTiming;
use stepdown_core::store::{LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Epoch, ProcessId, RequestId, ShardId, Term, Version, WriteId};
use stepdown_sandbox::cluster::free_addresses;
use stepdown_sandbox::show::Place;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::error::BenchError;
use super::percentile::percentile;

const NODES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(5);
/// Over so many stores the log's growth is measured: it is not compacted meanwhile.
const GROWTH: u32 = 100;

/// Measure what a store costs on three nodes
#[derive(Clone, Debug, Args)]
pub(super) struct RaftArgs {
    /// Shards of the one namespace
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=65536))]
    shards: u32,
    /// Stores of one election each, one after the other
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    stores: u32,
    /// Where the nodes have their files; a temporary directory by default
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) async fn run(args: RaftArgs) -> Result<(), BenchError> {
    let place = Place::find(args.dir.clone(), false)?;
    let measured = measure(place.path(), &args).await;
    place.settle(false);
    measured
}

async fn measure(dir: &Path, args: &RaftArgs) -> Result<(), BenchError> {
    let mut nodes = Nodes::start(dir).await?;
    let leader = nodes.leader().await?;
    println!("shards:                    {}", args.shards);

    let mut document = Document::new(args.shards);
    let began = Instant::now();
    document.store(&leader).await?;
    println!("the first store:           {:.2?}", began.elapsed());

    let before = nodes.logged().await?;
    let mut times = Vec::new();
    for number in 0..args.stores {
        if number == GROWTH {
            let bytes = nodes.logged().await?.saturating_sub(before);
            println!("logged for an election:    {} B", bytes / u64::from(GROWTH));
        }
        document.elect(number % args.shards);
        let began = Instant::now();
        document.store(&leader).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let [median, high, most] = [50, 99, 100].map(|percent| percentile(&times, percent));
    println!(
        "{} stores:              p50 {median:.2?}, p99 {high:.2?}, at most {most:.2?}",
        args.stores
    );
    println!("the leader's file:         {} B", nodes.file_bytes().await?);
    if let Some(bytes) = resident() {
        println!("memory of all three nodes: {bytes} B");
    }

    let took = nodes.restart_a_follower(document.version.as_ref()).await?;
    println!("a node that starts again:  {took:.2?} until it has all");
    Ok(())
}

/// Three nodes, and the campaign of each.
struct Nodes {
    options: Vec<RaftOptions>,
    backends: Vec<Option<Backend>>,
    campaigns: Vec<JoinHandle<()>>,
    leader: usize,
}

impl Nodes {
    async fn start(dir: &Path) -> Result<Self, BenchError> {
        let addresses = free_addresses(NODES).map_err(BenchError::Ports)?;
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let options = addresses
            .iter()
            .enumerate()
            .map(|(index, address)| RaftOptions {
                address: address.clone(),
                bootstrap_nodes: addresses.clone(),
                data_dir: dir.join(index.to_string()),
                tls: None,
            });
        let mut nodes = Self {
            options: options.collect(),
            backends: Vec::new(),
            campaigns: Vec::new(),
            leader: 0,
        };
        for options in &nodes.options {
            nodes.backends.push(Some(open(options).await?));
        }
        Ok(nodes)
    }

    /// Waits until one leads. It leads on until the end.
    async fn leader(&mut self) -> Result<Backend, BenchError> {
        let (sender, mut won) = mpsc::channel(NODES);
        for (index, backend) in self.backends.iter().flatten().enumerate() {
            let (reports, mut heard) = mpsc::channel(16);
            let (leadership, sender) = (backend.leadership.clone(), sender.clone());
            let campaign = tokio::spawn(async move { leadership.lead(reports).await });
            self.campaigns.push(campaign);
            tokio::spawn(async move {
                while let Some(report) = heard.recv().await {
                    if matches!(report, LeadershipReport::Won { .. }) {
                        // Only the first is waited for.
                        let _ = sender.try_send(index);
                    }
                }
            });
        }
        let first = timeout(PATIENCE, won.recv()).await.ok().flatten();
        self.leader = first.ok_or(BenchError::Stuck(PATIENCE, "a node leads"))?;
        let leader = self.backends.get(self.leader).cloned().flatten();
        leader.ok_or(BenchError::Stuck(PATIENCE, "a node leads"))
    }

    /// What the leader has logged, in bytes.
    async fn logged(&self) -> Result<u64, BenchError> {
        Ok(self.status().await?.log_bytes)
    }

    async fn file_bytes(&self) -> Result<u64, BenchError> {
        Ok(self.status().await?.file_bytes.unwrap_or_default())
    }

    async fn status(&self) -> Result<stepdown_wire::raft::StatusResponse, BenchError> {
        let addresses = self.options.iter().map(|it| it.address.clone());
        let addresses: Vec<_> = addresses.collect();
        let address = addresses.get(self.leader).cloned().unwrap_or_default();
        let client = AdminClient::new(addresses, None)
            .map_err(|error| BenchError::Raft(error.to_string()))?;
        let status = client.status_of(&address).await;
        status.map_err(|error| BenchError::Raft(error.to_string()))
    }

    /// Stops one that does not lead, and starts it again; says how long that takes until it has
    /// read this version.
    async fn restart_a_follower(
        &mut self,
        version: Option<&Version>,
    ) -> Result<Duration, BenchError> {
        let index = (self.leader + 1) % NODES;
        if let (Some(backend), Some(campaign)) =
            (self.backends.get_mut(index), self.campaigns.get(index))
        {
            campaign.abort();
            backend.take();
        }
        let Some(options) = self.options.get(index) else {
            return Ok(Duration::ZERO);
        };
        let deadline = Instant::now() + PATIENCE;
        // It lets go of its directory and its port by and by.
        let (began, backend) = loop {
            let began = Instant::now();
            match open(options).await {
                Ok(backend) => break (began, backend),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => sleep(LOOK).await,
            }
        };
        loop {
            let loaded = backend.store.load().await;
            if let LoadOutcome::Found(found) = loaded
                && Some(&found.version) == version
            {
                return Ok(began.elapsed());
            }
            if Instant::now() >= deadline {
                return Err(BenchError::Stuck(PATIENCE, "the node has all"));
            }
            sleep(LOOK).await;
        }
    }
}

async fn open(options: &RaftOptions) -> Result<Backend, BenchError> {
    let candidate = Candidate {
        name: options.address.as_str().into(),
        process: ProcessId(1),
        pod: None,
        public_address: None,
        seed: 1,
        timing: LeaseTiming::SHORT,
    };
    let opened = Provider::Raft(options.clone()).open(&candidate).await;
    opened.map_err(|error| BenchError::Raft(error.to_string()))
}

/// The status, as a coordinator would store it.
struct Document {
    status: ClusterStatus,
    version: Option<Version>,
    requests: u64,
}

impl Document {
    fn new(shards: u32) -> Self {
        let shards = (0..shards).map(|id| (ShardId(id.into()), Arc::new(shard(id, 0))));
        let namespace = NamespaceStatus {
            replication_factor: 3,
            shards: shards.collect(),
        };
        Self {
            status: ClusterStatus {
                namespaces: BTreeMap::from([("default".into(), namespace)]),
                shard_id_generator: 0,
                server_idx: 0,
                instance_id: "bench".into(),
            },
            version: None,
            requests: 0,
        }
    }

    /// One shard is in its next term.
    fn elect(&mut self, id: u32) {
        for namespace in self.status.namespaces.values_mut() {
            let shard_id = ShardId(id.into());
            let term = namespace.shards.get(&shard_id).map_or(0, |it| it.term.0);
            let next = Arc::new(shard(id, term.saturating_add(1)));
            namespace.shards.insert(shard_id, next);
        }
    }

    async fn store(&mut self, leader: &Backend) -> Result<(), BenchError> {
        self.requests = self.requests.saturating_add(1);
        let document = StatusDocument {
            admits: false,
            epoch: Epoch(1),
            write_id: WriteId {
                epoch: Epoch(1),
                request: RequestId(self.requests),
                process: ProcessId(1),
            },
            status: Arc::new(self.status.clone()),
        };
        let outcome = leader.store.store(self.version.clone(), document).await;
        let StoreOutcome::Stored(version) = outcome else {
            return Err(BenchError::Raft(format!("not stored: {outcome:?}")));
        };
        self.version = Some(version);
        Ok(())
    }
}

fn shard(id: u32, term: i64) -> ShardMetadata {
    ShardMetadata {
        status: ShardStatus::SteadyState,
        term: Term(term),
        leader: Some(server(id % 3)),
        ensemble: (0..3).map(server).collect(),
        int32_hash_range: Some(HashRange { min: 0, max: 9 }),
        ..ShardMetadata::default()
    }
}

fn server(number: u32) -> DataServerIdentity {
    DataServerIdentity {
        name: Some(format!("server-{number}").into()),
        public: format!("server-{number}.example.org:6648").into(),
        internal: format!("server-{number}.example.org:6649").into(),
    }
}

/// The process' resident memory, in bytes, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes * 1024)
}
