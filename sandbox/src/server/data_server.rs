//! One data server, from its start to its end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use stepdown_core::cluster::DataServerIdentity;
use stepdown_wire::replication::oxia_coordination_server::OxiaCoordinationServer;
use stepdown_wire::replication::oxia_log_replication_server::OxiaLogReplicationServer;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_health::pb::health_server::HealthServer;

use super::assignments::Assignments;
use super::command::Command;
use super::coordination::Coordination;
use super::faults::Faults;
use super::health::HealthService;
use super::links::Links;
use super::listen::{accept, bind};
use super::node::{FEATURES, Node};
use super::runtime::OwnRuntime;
use super::services::{DataService, FaultService, ReplicationService};
use super::store::{Store, StoreError};
use super::worker;
use crate::proto;
use crate::proto::faults_server::FaultsServer;
use crate::proto::replication_server::ReplicationServer;
use crate::replica::{DataServerModel, Durability};

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
        let internal_listener = listen(&handle, options.internal).await?;
        let public_listener = listen(&handle, options.public).await?;
        let identity = DataServerIdentity {
            name: Some(options.name.into()),
            public: public_listener.local_addr()?.to_string().into(),
            internal: internal_listener.local_addr()?.to_string().into(),
        };
        let (store, disk) = Store::open(options.data_dir.as_deref())?;
        let model = DataServerModel::recover(
            identity.internal.clone(),
            FEATURES.into(),
            Durability::Deferred,
            disk,
        );
        let links = |engine| Links::new(identity.internal.clone(), engine, handle.clone());
        let (engine, engine_thread) = worker::start(model, store, links)?;
        let node = Arc::new(Node {
            engine,
            assignments: Assignments::none(),
            faults: Faults::none(),
            stopping: CancellationToken::new(),
        });
        let mut serving = JoinSet::new();
        serving.spawn_on(internal(node.clone(), internal_listener), &handle);
        serving.spawn_on(public(node.clone(), public_listener), &handle);
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
        let runtime = self.runtime.take();
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

async fn listen(runtime: &Handle, address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = bind(runtime, address).await;
    bound.map_err(|source| StartError::Bind { address, source })
}

/// On the internal port.
async fn internal(node: Arc<Node>, listener: TcpListener) -> Result<(), tonic::transport::Error> {
    let connections = accept(listener, &node.faults);
    let coordination = Coordination(node.clone());
    http2()
        .add_service(OxiaCoordinationServer::new(coordination.clone()))
        .add_service(OxiaLogReplicationServer::new(coordination))
        .add_service(HealthServer::new(HealthService(node.clone())))
        .add_service(ReplicationServer::new(ReplicationService(node.clone())))
        .add_service(FaultsServer::new(FaultService(node.clone())))
        .serve_with_incoming_shutdown(connections, node.stopping.clone().cancelled_owned())
        .await
}

/// On the public port.
async fn public(node: Arc<Node>, listener: TcpListener) -> Result<(), tonic::transport::Error> {
    let connections = accept(listener, &node.faults);
    http2()
        .add_service(proto::data_server::DataServer::new(DataService(
            node.clone(),
        )))
        .add_service(HealthServer::new(HealthService(node.clone())))
        .serve_with_incoming_shutdown(connections, node.stopping.clone().cancelled_owned())
        .await
}

fn http2() -> Server {
    Server::builder()
        .max_concurrent_streams(MANY)
        .http2_max_pending_accept_reset_streams(usize::try_from(MANY).ok())
}
