//! A data server on real sockets and, if asked, a real disk.

mod assignments;
mod convert;
mod coordination;
mod engine;
mod faults;
mod health;
mod links;
mod services;
mod store;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use stepdown_core::ShardId;
use stepdown_core::call::Feature;
use stepdown_core::cluster::DataServerIdentity;
use stepdown_wire::replication::oxia_coordination_server::OxiaCoordinationServer;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic_health::pb::health_server::HealthServer;

pub use faults::{CallFault, FaultSet, Faults};
pub use store::StoreError;

use crate::proto::data_server::DataServer as DataServerOf;
use crate::proto::faults_server::FaultsServer;
use crate::proto::replication_server::ReplicationServer;
use crate::replica::{DataServerModel, Durability, Refusal};
use assignments::Assignments;
use coordination::Coordination;
use engine::{Command, Engine};
use health::HealthService;
use links::Links;
use services::{DataService, FaultService, ReplicationService};
use store::Store;

/// The metadata that names the cluster in every call.
const INSTANCE_ID: &str = "instance-id";
/// What a sandbox data server can do: checksums, which are no work without keys.
const FEATURES: [Feature; 1] = [Feature(1)];
/// How long calls in progress may take to end when the server is shut down.
const SHUTDOWN: Duration = Duration::from_secs(1);
/// A coordinator may have a call open for each shard, and give all of them up at once.
const MANY: u32 = 1 << 20;

/// How to start a data server.
#[derive(Clone, Debug)]
pub struct DataServerOptions {
    /// Its name.
    pub name: String,
    /// Where coordinators and other data servers reach it; port 0 picks a free one.
    pub internal: SocketAddr,
    /// Where clients reach it; port 0 picks a free one.
    pub public: SocketAddr,
    /// Where it keeps its state, so that it outlives the process; in memory where absent.
    pub data_dir: Option<PathBuf>,
}

/// Why a data server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data directory can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread can't be started.
    #[error("can't start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// A running data server. Dropping it kills it.
#[derive(Debug)]
pub struct DataServer {
    identity: DataServerIdentity,
    node: Arc<Node>,
    engine_thread: Option<JoinHandle<()>>,
    serving: JoinSet<Result<(), tonic::transport::Error>>,
    runtime: OwnRuntime,
}

impl DataServer {
    /// Starts a data server, on threads of its own.
    pub async fn start(options: DataServerOptions) -> Result<Self, StartError> {
        let runtime = OwnRuntime::new(&options.name)?;
        let handle = runtime.handle();
        let internal = bind(&handle, options.internal).await?;
        let public = bind(&handle, options.public).await?;
        let identity = DataServerIdentity {
            name: Some(options.name.into()),
            public: public.local_addr()?.to_string().into(),
            internal: internal.local_addr()?.to_string().into(),
        };
        let (store, disk) = Store::open(options.data_dir.as_deref())?;
        let model = DataServerModel::recover(
            identity.internal.clone(),
            FEATURES.into(),
            Durability::Deferred,
            disk,
        );
        let links = |engine| Links::new(identity.internal.clone(), engine, handle.clone());
        let (engine, engine_thread) = Engine::start(model, store, links)?;
        let node = Arc::new(Node {
            engine,
            assignments: Assignments::none(),
            faults: Faults::none(),
            stopping: CancellationToken::new(),
        });
        let mut serving = JoinSet::new();
        serving.spawn_on(node.clone().serve_internal(internal), &handle);
        serving.spawn_on(node.clone().serve_public(public), &handle);
        Ok(Self {
            identity,
            node,
            engine_thread: Some(engine_thread),
            serving,
            runtime,
        })
    }

    /// Its name and addresses, with the ports that were picked.
    pub fn identity(&self) -> &DataServerIdentity {
        &self.identity
    }

    /// Its knobs for misbehaviour.
    pub fn faults(&self) -> &Faults {
        &self.node.faults
    }

    /// Runs until `signal` comes, and shuts down in order.
    pub async fn run_until(self, signal: impl Future<Output = ()>) {
        signal.await;
        self.shutdown().await;
    }

    /// Says NOT_SERVING, ends streams, waits a moment for calls in progress, and ends.
    pub async fn shutdown(mut self) {
        self.node.stopping.cancel();
        let ended = async { while self.serving.join_next().await.is_some() {} };
        // Those who have not ended by then are cut off.
        let _ = tokio::time::timeout(SHUTDOWN, ended).await;
        self.kill().await;
    }

    /// Ends at once: no call in progress is answered, connections break.
    pub async fn kill(mut self) {
        self.node.engine.tell(Command::Stop);
        let engine_thread = self.engine_thread.take();
        let runtime = self.runtime.0.take();
        let stop = move || {
            if let Some(runtime) = runtime {
                runtime.shutdown_timeout(SHUTDOWN);
            }
            engine_thread.map(JoinHandle::join)
        };
        // It may fail only by a panic of the engine, and that ended it too.
        let _ = tokio::task::spawn_blocking(stop).await;
    }
}

impl Drop for DataServer {
    fn drop(&mut self) {
        self.node.engine.tell(Command::Stop);
    }
}

/// What the services share.
struct Node {
    engine: Engine,
    assignments: Assignments,
    faults: Faults,
    stopping: CancellationToken,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

impl Node {
    /// Lets a call in, by its instance id.
    fn admit(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let Some(bound) = self.engine.instance_id() else {
            return Err(self.refuse(&Refusal::NotInitialized, None));
        };
        let mut ids = metadata.get_all(INSTANCE_ID).iter();
        let Some(id) = ids.next() else {
            return Err(Status::unauthenticated("oxia: instance id not identified"));
        };
        if ids.next().is_some() {
            return Err(Status::invalid_argument(
                "oxia: instance id must be provided only once",
            ));
        }
        let id = id.to_str().unwrap_or_default();
        if id.is_empty() {
            Err(self.refuse(&Refusal::EmptyInstanceId, None))
        } else if *id == *bound {
            Ok(())
        } else {
            Err(self.refuse(&Refusal::UnexpectedInstanceId(id.into()), None))
        }
    }

    fn refuse(&self, refusal: &Refusal, shard: Option<ShardId>) -> Status {
        let leader = shard
            .filter(|_| *refusal == Refusal::NotLeader)
            .and_then(|shard| Some((shard, self.assignments.leader(shard)?)));
        let leader = leader
            .as_ref()
            .map(|(shard, leader)| (*shard, leader.as_str()));
        convert::refusal_to_status(refusal, leader)
    }

    async fn serve_internal(
        self: Arc<Self>,
        listener: TcpListener,
    ) -> Result<(), tonic::transport::Error> {
        let connections = accept(listener, &self.faults);
        http2()
            .add_service(OxiaCoordinationServer::new(Coordination(self.clone())))
            .add_service(HealthServer::new(HealthService(self.clone())))
            .add_service(ReplicationServer::new(ReplicationService(self.clone())))
            .add_service(FaultsServer::new(FaultService(self.clone())))
            .serve_with_incoming_shutdown(connections, self.stopping.clone().cancelled_owned())
            .await
    }

    async fn serve_public(
        self: Arc<Self>,
        listener: TcpListener,
    ) -> Result<(), tonic::transport::Error> {
        let connections = accept(listener, &self.faults);
        http2()
            .add_service(DataServerOf::new(DataService(self.clone())))
            .add_service(HealthServer::new(HealthService(self.clone())))
            .serve_with_incoming_shutdown(connections, self.stopping.clone().cancelled_owned())
            .await
    }
}

fn http2() -> Server {
    Server::builder()
        .max_concurrent_streams(MANY)
        .http2_max_pending_accept_reset_streams(usize::try_from(MANY).ok())
}

/// Takes connections; while a fault forbids it, they are not served.
fn accept(listener: TcpListener, faults: &Faults) -> ReceiverStream<io::Result<TcpStream>> {
    let mut faults = faults.watch();
    let (accepted, connections) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let connection = tokio::select! {
                connection = listener.accept() => connection,
                () = accepted.closed() => return,
            };
            let connection = connection.and_then(|(connection, _)| {
                connection.set_nodelay(true)?;
                Ok(connection)
            });
            let served = faults.wait_for(|set| !set.stop_accepting).await.is_ok();
            if !served || accepted.send(connection).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(connections)
}

async fn bind(runtime: &Handle, address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = runtime.spawn(TcpListener::bind(address)).await;
    bound
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|source| StartError::Bind { address, source })
}

/// The server's own runtime, so that ending it ends every connection, as a killed process would.
#[derive(Debug)]
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name(format!("sandbox-{name}"))
            .build()?;
        Ok(Self(Some(runtime)))
    }

    fn handle(&self) -> Handle {
        match &self.0 {
            Some(runtime) => runtime.handle().clone(),
            None => Handle::current(),
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
