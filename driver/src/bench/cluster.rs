//! One coordinator, three sandbox data servers, and a store that says when it answered.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use stepdown_backends::memory::MemoryCluster;
use stepdown_backends::{Backend, StatusStore};
use stepdown_core::cluster::{ClusterStatus, ShardStatus};
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Options, ProcessId, Report, Role, Timing, Version};
use stepdown_sandbox::server::{DataServer, DataServerOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::BenchError;
use crate::configuration::Judged;
use crate::data_servers::CallOptions;
use crate::event_loop::{Asked, Coordinator, View};
use crate::observe::Metrics;

const SERVERS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(300);

/// A running coordinator and all that it needs.
pub(super) struct Cluster {
    pub(super) memory: MemoryCluster,
    pub(super) view: watch::Receiver<View>,
    /// Changes of the role, with the moment at which they were reported.
    pub(super) roles: mpsc::UnboundedReceiver<(Role, Instant)>,
    /// Shards elected or verified since the role changed last.
    settled: watch::Receiver<usize>,
    /// When the store last answered "conflict".
    pub(super) refused: Arc<Mutex<Option<Instant>>>,
    pub(super) started: Instant,
    servers: Vec<DataServer>,
    stop: CancellationToken,
    run: JoinHandle<()>,
    _judged: Judged,
}

impl Cluster {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only these reports are counted"
    )]
    pub(super) async fn start(shards: u32) -> Result<Self, BenchError> {
        let mut servers = Vec::new();
        for index in 0..SERVERS {
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let name = format!("s{index}");
            let options = DataServerOptions {
                name,
                internal: any,
                public: any,
                data_dir: None,
            };
            servers.push(DataServer::start(options).await?);
        }
        let memory = MemoryCluster::new();
        memory.set_configuration(Some(configuration(&servers, &[("default", shards)])));
        let refused = Arc::new(Mutex::new(None));
        let (roles, heard) = mpsc::unbounded_channel();
        let (settling, settled) = watch::channel(0);
        let backend = memory.backend("bench");
        let store = Arc::new(Observed {
            store: backend.store.clone(),
            refused: refused.clone(),
        });
        let stop = CancellationToken::new();
        let judged = Judged::new(&*backend.configuration, Metrics::new()?.documents);
        let coordinator = Coordinator {
            options: Options {
                process: ProcessId(1),
                seed: 1,
                timing: Timing::default(),
            },
            backend: Backend { store, ..backend },
            configuration: judged.readings(),
            servers: CallOptions::default(),
            drain: Duration::from_secs(3),
            reports: Arc::new(move |report: &Report| match report {
                Report::RoleChanged { to, .. } => {
                    settling.send_replace(0);
                    // Nobody listens only at the end.
                    let _ = roles.send((*to, Instant::now()));
                }
                Report::Elected { .. } | Report::ShardVerified { .. } => {
                    settling.send_modify(|settled| *settled += 1);
                }
                _ => {}
            }),
            stop: stop.clone(),
        };
        let started = Instant::now();
        let (Asked { view, .. }, run) = coordinator.run();
        let run = tokio::spawn(run);
        Ok(Self {
            memory,
            view,
            roles: heard,
            settled,
            refused,
            started,
            servers,
            stop,
            run,
            _judged: judged,
        })
    }

    /// Waits until the coordinator leads and every shard is stored as led.
    pub(super) async fn steady(&mut self) -> Result<(), BenchError> {
        let is_steady =
            |view: &View| view.role == Role::Leader && view.status.as_deref().is_some_and(all_led);
        let waited = tokio::time::timeout(PATIENCE, self.view.wait_for(is_steady)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(BenchError::Stuck(PATIENCE, "every shard is led")),
        }
    }

    /// Waits until every shard was elected or verified in this tenure: nothing is under way then
    /// but health checks.
    pub(super) async fn idle(&mut self) -> Result<(), BenchError> {
        self.steady().await?;
        let status = self.view.borrow().status.clone();
        let shards = status.map_or(0, |status| status.shards().count());
        let waited = self.settled.wait_for(|settled| *settled >= shards);
        match tokio::time::timeout(PATIENCE, waited).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(BenchError::Stuck(PATIENCE, "every shard is verified")),
        }
    }

    /// Waits for a role, and says when it was taken.
    pub(super) async fn role(&mut self, wanted: Role) -> Result<Instant, BenchError> {
        let wait = async {
            while let Some((role, at)) = self.roles.recv().await {
                if role == wanted {
                    return Some(at);
                }
            }
            None
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Some(at)) => Ok(at),
            Ok(None) | Err(_) => Err(BenchError::Stuck(PATIENCE, "the role changes")),
        }
    }

    /// Adds a namespace of one shard, which makes the leader store.
    pub(super) fn add_namespace(&self, shards: u32, name: &str) {
        let namespaces = [("default", shards), (name, 1)];
        self.memory
            .set_configuration(Some(configuration(&self.servers, &namespaces)));
    }

    pub(super) fn refused_at(&self) -> Option<Instant> {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        // It ends by itself; a panic in it has been printed.
        let _ = self.run.await;
        for server in self.servers {
            server.shutdown().await;
        }
    }
}

pub(super) fn all_led(status: &ClusterStatus) -> bool {
    let mut shards = status.shards().peekable();
    shards.peek().is_some() && shards.all(|(_, _, shard)| shard.status == ShardStatus::SteadyState)
}

fn configuration(servers: &[DataServer], namespaces: &[(&str, u32)]) -> String {
    let mut text = String::from("namespaces:\n");
    for (name, shards) in namespaces {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "  - {{name: {name}, initialShardCount: {shards}, replicationFactor: {SERVERS}}}"
        );
    }
    text.push_str("servers:\n");
    for server in servers {
        let identity = server.identity();
        let _ = writeln!(
            text,
            "  - {{name: {}, public: '{}', internal: '{}'}}",
            identity.id(),
            identity.public,
            identity.internal
        );
    }
    text
}

/// A store that notes when it answers "conflict".
struct Observed {
    store: Arc<dyn StatusStore>,
    refused: Arc<Mutex<Option<Instant>>>,
}

#[async_trait]
impl StatusStore for Observed {
    async fn load(&self) -> LoadOutcome {
        self.store.load().await
    }

    async fn head(&self) -> HeadOutcome {
        self.store.head().await
    }

    async fn store(&self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome {
        let outcome = self.store.store(expected, document).await;
        if matches!(outcome, StoreOutcome::Conflict(_)) {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            *refused = Some(Instant::now());
        }
        outcome
    }
}
