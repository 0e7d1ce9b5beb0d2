//! A data server for the tests: it notes what it hears, and does as it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::HeaderMap;
use rustls::ServerConfig;
use stepdown_core::cluster::DataServerIdentity;
use stepdown_wire::port::{Connections, Listener};
use stepdown_wire::replication::oxia_coordination_server::{
    OxiaCoordination, OxiaCoordinationServer,
};
use stepdown_wire::replication::*;
use stepdown_wire::tls::ServerTls;
use stepdown_wire::v1::ShardAssignments;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tonic_health::ServingStatus as Health;
use tonic_health::server::HealthReporter;
use tower::util::MapRequestLayer;

/// A running data server.
pub struct Peer {
    pub address: SocketAddr,
    pub heard: Arc<Heard>,
    pub health: HealthReporter,
    /// What the push streams brought; `None` when one ended.
    pub pushed: mpsc::UnboundedReceiver<Option<ShardAssignments>>,
    /// Its own, so that everything of it can be ended at once.
    runtime: Option<Runtime>,
}

/// What a data server heard, and how it is to answer.
#[derive(Default)]
pub struct Heard {
    pub connections: AtomicUsize,
    pub headers: Mutex<Vec<(String, HeaderMap)>>,
    pub requests: Mutex<Vec<String>>,
    pub working: AtomicUsize,
    pub most_working: AtomicUsize,
    /// Statuses by method.
    pub fails: Mutex<BTreeMap<&'static str, Status>>,
    /// What `NewTerm` is answered with, in the place of the usual.
    pub head: Mutex<Option<EntryId>>,
    /// What `GetStatus` is answered with, in the place of the usual.
    pub status: Mutex<Option<GetStatusResponse>>,
    /// Features that `Handshake` is answered with.
    pub features: Mutex<Vec<i32>>,
    /// Methods that wait for a permit.
    pub waits: Mutex<BTreeMap<&'static str, Arc<Semaphore>>>,
}

impl Peer {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0", None).await
    }

    pub async fn start_at(address: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let heard = Arc::new(Heard::default());
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_service_status("", Health::Serving).await;
        let (pushes, pushed) = mpsc::unbounded_channel();
        let service = Service {
            heard: Arc::clone(&heard),
            pushes,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let bound = TcpListener::bind(address.to_owned());
        let listener = runtime.spawn(bound).await.unwrap().unwrap();
        let address = listener.local_addr().unwrap();
        let listener = Listener {
            socket: listener,
            tls: tls.map(ServerTls::from),
        };
        let guard = runtime.enter();
        let connections = Connections::accept(listener, CancellationToken::new());
        drop(guard);
        let counting = Arc::clone(&heard);
        let incoming = connections.map(move |connection| {
            counting.connections.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(connection)
        });
        let noting = Arc::clone(&heard);
        let server = Server::builder()
            .max_concurrent_streams(10_000)
            .layer(MapRequestLayer::new(move |request: http::Request<_>| {
                let path = request.uri().path().to_owned();
                let mut headers = noting.headers.lock().unwrap();
                headers.push((path, request.headers().clone()));
                request
            }))
            .add_service(health_service)
            .add_service(OxiaCoordinationServer::new(service))
            .serve_with_incoming(incoming);
        runtime.spawn(server);
        Self {
            address,
            heard,
            health,
            pushed,
            runtime: Some(runtime),
        }
    }

    pub fn identity(&self) -> DataServerIdentity {
        identity(&self.address.to_string())
    }

    /// Stops at once, as a killed process does.
    pub async fn kill(mut self) -> SocketAddr {
        let runtime = self.runtime.take();
        tokio::task::spawn_blocking(|| drop(runtime)).await.unwrap();
        self.address
    }

    pub fn fail(&self, method: &'static str, status: Status) {
        self.heard.fails.lock().unwrap().insert(method, status);
    }

    /// Lets a method wait for permits, of which there are none yet.
    pub fn hold(&self, method: &'static str) -> Arc<Semaphore> {
        let permits = Arc::new(Semaphore::new(0));
        let mut waits = self.heard.waits.lock().unwrap();
        waits.insert(method, Arc::clone(&permits));
        permits
    }

    /// Waits until so many requests arrived.
    pub async fn heard(&self, requests: usize) {
        while self.heard.requests.lock().unwrap().len() < requests {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub fn identity(internal: &str) -> DataServerIdentity {
    DataServerIdentity {
        name: None,
        public: Arc::from("public:1"),
        internal: Arc::from(internal),
    }
}

struct Service {
    heard: Arc<Heard>,
    pushes: mpsc::UnboundedSender<Option<ShardAssignments>>,
}

struct Working<'a>(&'a Heard);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service {
    async fn answer<Q: std::fmt::Debug, A: Default>(
        &self,
        method: &'static str,
        request: Request<Q>,
    ) -> Result<Response<A>, Status> {
        self.answer_with(method, request, A::default()).await
    }

    async fn answer_with<Q: std::fmt::Debug, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
        answer: A,
    ) -> Result<Response<A>, Status> {
        let working = self.heard.working.fetch_add(1, Ordering::SeqCst) + 1;
        let _working = Working(&self.heard);
        self.heard.most_working.fetch_max(working, Ordering::SeqCst);
        let text = format!("{method} {:?}", request.into_inner());
        self.heard.requests.lock().unwrap().push(text);
        let wait = self.heard.waits.lock().unwrap().get(method).cloned();
        if let Some(permits) = wait {
            permits.acquire().await.unwrap().forget();
        }
        match self.heard.fails.lock().unwrap().get(method) {
            Some(status) => Err(status.clone()),
            None => Ok(Response::new(answer)),
        }
    }
}

#[tonic::async_trait]
impl OxiaCoordination for Service {
    async fn push_shard_assignments(
        &self,
        request: Request<Streaming<ShardAssignments>>,
    ) -> Result<Response<CoordinationShardAssignmentsResponse>, Status> {
        if let Some(status) = self.heard.fails.lock().unwrap().get("PushShardAssignments") {
            return Err(status.clone());
        }
        let mut stream = request.into_inner();
        while let Ok(Some(message)) = stream.message().await {
            let _ = self.pushes.send(Some(message));
        }
        let _ = self.pushes.send(None);
        Ok(Response::new(CoordinationShardAssignmentsResponse {}))
    }

    async fn new_term(
        &self,
        request: Request<NewTermRequest>,
    ) -> Result<Response<NewTermResponse>, Status> {
        let usual = EntryId {
            term: 3,
            offset: 14,
        };
        let head = *self.heard.head.lock().unwrap();
        let head = NewTermResponse {
            head_entry_id: Some(head.unwrap_or(usual)),
        };
        self.answer_with("NewTerm", request, head).await
    }

    async fn become_leader(
        &self,
        request: Request<BecomeLeaderRequest>,
    ) -> Result<Response<BecomeLeaderResponse>, Status> {
        self.answer("BecomeLeader", request).await
    }

    async fn add_follower(
        &self,
        request: Request<AddFollowerRequest>,
    ) -> Result<Response<AddFollowerResponse>, Status> {
        self.answer("AddFollower", request).await
    }

    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let usual = GetStatusResponse {
            term: 5,
            status: ServingStatus::Leader.into(),
            head_offset: 7,
            commit_offset: 6,
            shard_stats: None,
        };
        let status = *self.heard.status.lock().unwrap();
        let status = status.unwrap_or(usual);
        self.answer_with("GetStatus", request, status).await
    }

    async fn delete_shard(
        &self,
        request: Request<DeleteShardRequest>,
    ) -> Result<Response<DeleteShardResponse>, Status> {
        self.answer("DeleteShard", request).await
    }

    async fn handshake(
        &self,
        request: Request<HandshakeRequest>,
    ) -> Result<Response<HandshakeResponse>, Status> {
        let shaken = HandshakeResponse {
            status: HandshakeStatus::Bound.into(),
            features_supported: [vec![1], self.heard.features.lock().unwrap().clone()].concat(),
        };
        self.answer_with("Handshake", request, shaken).await
    }

    async fn get_info(
        &self,
        request: Request<GetInfoRequest>,
    ) -> Result<Response<GetInfoResponse>, Status> {
        self.answer("GetInfo", request).await
    }

    async fn remove_observer(
        &self,
        request: Request<RemoveObserverRequest>,
    ) -> Result<Response<RemoveObserverResponse>, Status> {
        self.answer("RemoveObserver", request).await
    }

    async fn freeze_shard(
        &self,
        request: Request<FreezeShardRequest>,
    ) -> Result<Response<FreezeShardResponse>, Status> {
        self.answer("FreezeShard", request).await
    }
}
