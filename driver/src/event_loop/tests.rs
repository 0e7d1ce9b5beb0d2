//! The event loop over the memory backend and sandbox data servers, on real sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stepdown_backends::memory::{Fault, MemoryCluster};
use stepdown_backends::{Backend, Leadership, LeadershipReport};
use stepdown_core::cluster::{ClusterStatus, ShardStatus};
use stepdown_core::{Options, ProcessId, Report, Role, ServerState, Tenure, Timing};
use stepdown_sandbox::server::{DataServer, DataServerOptions};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Asked, Coordinator, ServerView, View};
use crate::configuration::Judged;
use crate::data_servers::CallOptions;
use crate::observe::Metrics;

const LIMIT: Duration = Duration::from_secs(60);

struct World {
    memory: MemoryCluster,
    servers: Vec<DataServer>,
}

struct Running {
    view: watch::Receiver<View>,
    reports: watch::Receiver<Vec<Report>>,
    metrics: Metrics,
    stop: CancellationToken,
    run: JoinHandle<()>,
    _judged: Judged,
}

impl World {
    async fn new(shards: u32) -> Self {
        let mut servers = Vec::new();
        for name in ["s1", "s2", "s3"] {
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let options = DataServerOptions {
                name: name.to_owned(),
                internal: any,
                public: any,
                data_dir: None,
            };
            servers.push(DataServer::start(options).await.unwrap());
        }
        let world = Self {
            memory: MemoryCluster::new(),
            servers,
        };
        world.configure(&[("default", shards)]);
        world
    }

    fn configure(&self, namespaces: &[(&str, u32)]) {
        let namespaces: Vec<String> = namespaces
            .iter()
            .map(|(name, shards)| {
                format!("  - {{name: {name}, initialShardCount: {shards}, replicationFactor: 3}}\n")
            })
            .collect();
        let servers: Vec<String> = self
            .servers
            .iter()
            .map(|server| {
                let server = server.identity();
                let id = server.id();
                format!(
                    "  - {{name: {id}, public: '{}', internal: '{}'}}\n",
                    server.public, server.internal
                )
            })
            .collect();
        let text = format!(
            "namespaces:\n{}servers:\n{}",
            namespaces.concat(),
            servers.concat()
        );
        self.memory.set_configuration(Some(text));
    }

    fn start(&self, name: &str, process: u128) -> Running {
        Self::start_on(self.memory.backend(name), process)
    }

    fn start_on(backend: Backend, process: u128) -> Running {
        let (log, reports) = watch::channel(Vec::new());
        let stop = CancellationToken::new();
        let metrics = Metrics::new().unwrap();
        let counted = metrics.clone();
        let judged = Judged::new(&*backend.configuration, metrics.documents.clone());
        let coordinator = Coordinator {
            options: Options {
                process: ProcessId(process),
                seed: 1,
                timing: Timing::default(),
            },
            backend,
            configuration: judged.readings(),
            servers: CallOptions::default(),
            drain: Duration::from_secs(3),
            reports: Arc::new(move |report: &Report| {
                counted.report(report);
                log.send_modify(|log| log.push(report.clone()));
            }),
            stop: stop.clone(),
        };
        let (Asked { view, .. }, run) = coordinator.run();
        Running {
            view,
            reports,
            metrics,
            stop,
            run: tokio::spawn(run),
            _judged: judged,
        }
    }
}

/// Leadership that takes a while to be ready to be given back.
struct Preparing {
    leadership: Arc<dyn Leadership>,
    begun: Notify,
    ready: Notify,
}

#[async_trait]
impl Leadership for Preparing {
    async fn lead(&self, reports: mpsc::Sender<LeadershipReport>) {
        self.leadership.lead(reports).await;
    }

    async fn prepare_release(&self) {
        self.begun.notify_one();
        self.ready.notified().await;
    }

    async fn release(&self) {
        self.leadership.release().await;
    }

    fn leader(&self) -> Option<Arc<str>> {
        self.leadership.leader()
    }
}

impl Running {
    async fn until(&mut self, what: &str, mut is_so: impl FnMut(&View) -> bool) -> View {
        let waited = tokio::time::timeout(LIMIT, self.view.wait_for(|view| is_so(view))).await;
        match waited {
            Ok(Ok(view)) => view.clone(),
            Ok(Err(_)) | Err(_) => panic!("never {what}: {:?}", self.reports.borrow()),
        }
    }

    async fn steady(&mut self, shards: usize) -> View {
        self.until("steady", |view| {
            view.status.as_ref().is_some_and(|status| {
                status.shards().count() == shards
                    && status
                        .shards()
                        .all(|(_, _, shard)| shard.status == ShardStatus::SteadyState)
            })
        })
        .await
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(LIMIT, self.run)
            .await
            .expect("it ends")
            .unwrap();
    }

    /// The stores of the status document that succeeded, as the metrics tell it.
    fn stores(&self) -> usize {
        let text = self.metrics.text().unwrap();
        let stored = text
            .lines()
            .find(|line| line.starts_with("stepdown_stores_total") && line.contains("\"stored\""));
        let count = stored.and_then(|line| line.rsplit(' ').next()).unwrap();
        count.parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_elects_every_shard_and_ends_when_it_is_told_to() {
    let world = World::new(4).await;
    let mut one = world.start("one", 1);
    one.steady(4).await;
    one.stop().await;
    assert_eq!(world.memory.leader(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_leads_shows_its_data_servers_and_one_that_ends_shows_none() {
    let world = World::new(4).await;
    let mut one = world.start("one", 1);
    let is_running = |server: &ServerView| server.state == ServerState::Running;
    let view = one
        .until("every server runs", |view| {
            !view.servers.is_empty() && view.servers.values().all(is_running)
        })
        .await;
    assert_eq!(view.role, Role::Leader);
    let seen = one.view.clone();
    one.stop().await;
    assert!(seen.borrow().servers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_ends_no_process_and_the_shards_keep_their_leaders() {
    let world = World::new(4).await;
    let mut one = world.start("one", 1);
    let before = one.steady(4).await;
    world.memory.inject(Fault::Conflict);
    world.configure(&[("default", 4), ("another", 1)]);
    one.until("a new tenure", |view| view.tenure > before.tenure)
        .await;
    let after = one.steady(5).await;
    assert_eq!(after.role, Role::Leader);
    let terms = |view: &View| -> Vec<_> {
        let status = view.status.as_ref().unwrap();
        status.namespaces["default"]
            .shards
            .values()
            .map(|shard| shard.term)
            .collect()
    };
    assert_eq!(terms(&before), terms(&after));
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_coordinator_leads_as_soon_as_the_first_one_stops() {
    let world = World::new(2).await;
    let mut one = world.start("one", 1);
    one.steady(2).await;
    let mut two = world.start("two", 2);
    assert_eq!(two.view.borrow().role, Role::Candidate);
    one.stop().await;
    two.steady(2).await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_that_is_taken_away_is_campaigned_for_again() {
    let world = World::new(2).await;
    let mut one = world.start("one", 1);
    one.steady(2).await;
    assert!(world.memory.take_away("somebody else leads"));
    one.until("a new tenure", |view| view.tenure > Tenure(1))
        .await;
    one.steady(2).await;
    one.stop().await;
}

/// One that is told to end, and prepares for it.
async fn preparing(world: &World) -> (Running, Arc<Preparing>) {
    let mut backend = world.memory.backend("one");
    let preparing = Arc::new(Preparing {
        leadership: backend.leadership.clone(),
        begun: Notify::new(),
        ready: Notify::new(),
    });
    backend.leadership = preparing.clone();
    let mut one = World::start_on(backend, 1);
    one.steady(2).await;
    one.stop.cancel();
    let begun = tokio::time::timeout(LIMIT, preparing.begun.notified());
    begun.await.unwrap();
    (one, preparing)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_is_told_to_end_leads_on_until_its_leadership_can_be_given_back() {
    let world = World::new(2).await;
    let (mut one, preparing) = preparing(&world).await;
    world.configure(&[("default", 2), ("another", 1)]);
    one.steady(3).await;
    preparing.ready.notify_one();
    one.stop().await;
    assert_eq!(world.memory.leader(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_loses_its_leadership_while_it_prepares_to_end_ends() {
    let world = World::new(2).await;
    let (mut one, preparing) = preparing(&world).await;
    let tenure = one.view.borrow().tenure;
    assert!(world.memory.take_away("somebody else leads"));
    one.until("a new tenure", |view| view.tenure > tenure).await;
    preparing.ready.notify_one();
    one.stop().await;
    assert_eq!(world.memory.leader(), None);
}

/// Between two campaigns nothing of the tenure exists that could be closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_two_campaigns_ends_it_too() {
    for _ in 0..20 {
        let world = World::new(1).await;
        let mut one = world.start("one", 1);
        one.steady(1).await;
        let tenure = one.view.borrow().tenure;
        assert!(world.memory.take_away("somebody else leads"));
        one.until("a candidate again", |view| view.tenure > tenure)
            .await;
        one.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_shards_are_brought_up_with_few_stores() {
    let world = World::new(1000).await;
    let mut one = world.start("one", 1);
    one.steady(1000).await;
    // Each has two changes at least. A slow machine needs more stores, since less comes while one is made.
    assert!((2..=100).contains(&one.stores()), "{} stores", one.stores());
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_server_that_is_killed_loses_its_shards_to_the_others() {
    let mut world = World::new(6).await;
    let mut one = world.start("one", 1);
    one.steady(6).await;
    let killed = world.servers.remove(0);
    let id = killed.identity().id();
    killed.kill().await;
    one.until("led by others", |view| {
        view.status.as_ref().is_some_and(|status| {
            status.shards().all(|(_, _, shard)| {
                shard
                    .leader
                    .as_ref()
                    .is_some_and(|leader| leader.id() != id)
            })
        })
    })
    .await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_an_instance_id_can_not_be_sent_nobody_leads_and_the_reason_is_told() {
    let world = World::new(1).await;
    world.memory.overwrite(Arc::new(ClusterStatus {
        instance_id: Arc::from("two\nlines"),
        ..ClusterStatus::default()
    }));
    let mut one = world.start("one", 1);
    let refused = |reports: &Vec<Report>| {
        reports.iter().any(|report| match report {
            Report::StatusUnreadable { reason } => reason.contains("instanceId"),
            _ => false,
        })
    };
    let waited = tokio::time::timeout(LIMIT, one.reports.wait_for(refused)).await;
    assert!(waited.is_ok_and(|heard| heard.is_ok()), "never told");
    one.stop().await;
}
