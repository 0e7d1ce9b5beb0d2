//! A coordinator's and a client's ends of the wire.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use stepdown_sandbox::proto::data_client::DataClient;
use stepdown_sandbox::proto::{AppendRequest, Entry, ReadRequest, ReadResponse};
use stepdown_sandbox::server::{DataServer, DataServerOptions};
use stepdown_wire::replication::oxia_coordination_client::OxiaCoordinationClient;
use stepdown_wire::replication::*;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;

pub const SHARD: i64 = 3;

pub struct Server {
    pub server: DataServer,
    pub coordination: OxiaCoordinationClient<Channel>,
    pub data: DataClient<Channel>,
    pub health: HealthClient<Channel>,
}

pub fn options(name: &str, data_dir: Option<PathBuf>) -> DataServerOptions {
    DataServerOptions {
        name: name.to_owned(),
        internal: "127.0.0.1:0".parse().unwrap(),
        public: "127.0.0.1:0".parse().unwrap(),
        data_dir,
    }
}

/// A connection made at the first call.
pub fn channel(address: &str) -> Channel {
    Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy()
}

/// One that is not bound.
pub async fn unbound(options: DataServerOptions) -> Server {
    let server = DataServer::start(options).await.unwrap();
    let internal = channel(&server.identity().internal);
    Server {
        coordination: OxiaCoordinationClient::new(internal.clone()),
        data: DataClient::new(channel(&server.identity().public)),
        health: HealthClient::new(internal),
        server,
    }
}

pub async fn bound(options: DataServerOptions) -> Server {
    let mut server = unbound(options).await;
    server.handshake("id").await.unwrap();
    server
}

pub async fn three() -> [Server; 3] {
    [
        bound(options("a", None)).await,
        bound(options("b", None)).await,
        bound(options("c", None)).await,
    ]
}

/// A request as the coordinator of the cluster "id" sends it.
pub fn from_us<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let id = "id".parse().unwrap();
    request.metadata_mut().insert("instance-id", id);
    request
}

impl Server {
    pub fn address(&self) -> String {
        self.server.identity().internal.to_string()
    }

    pub async fn handshake(&mut self, instance_id: &str) -> Result<HandshakeStatus, Status> {
        let request = HandshakeRequest {
            instance_id: instance_id.to_owned(),
        };
        let response = self.coordination.handshake(request).await?;
        Ok(response.into_inner().status())
    }

    pub async fn new_term(&mut self, term: i64) -> Result<EntryId, Status> {
        let request = NewTermRequest {
            namespace: "default".into(),
            shard: SHARD,
            term,
            options: None,
        };
        let response = self.coordination.new_term(from_us(request)).await?;
        Ok(response.into_inner().head_entry_id.unwrap())
    }

    pub async fn become_leader(
        &mut self,
        term: i64,
        follower_maps: BTreeMap<String, EntryId>,
    ) -> Result<(), Status> {
        let request = BecomeLeaderRequest {
            namespace: "default".into(),
            shard: SHARD,
            term,
            replication_factor: 3,
            follower_maps: follower_maps
                .into_iter()
                .map(|(key, head)| stepdown_wire::replication::FollowerHead {
                    key,
                    value: Some(head),
                })
                .collect(),
            features_supported: Vec::new(),
        };
        self.coordination
            .become_leader(from_us(request))
            .await
            .map(drop)
    }

    pub async fn status(&mut self) -> Result<GetStatusResponse, Status> {
        let request = from_us(GetStatusRequest { shard: SHARD });
        let response = self.coordination.get_status(request).await?;
        Ok(response.into_inner())
    }

    /// Begins a write, and returns once it is in the leader's log.
    pub async fn begin_append(&mut self) -> JoinHandle<Result<Entry, Status>> {
        let head = self.status().await.unwrap().head_offset;
        let mut client = self.data.clone();
        let write = tokio::spawn(async move {
            let request = AppendRequest {
                namespace: "default".into(),
                shard: SHARD,
            };
            client.append(request).await.map(Response::into_inner)
        });
        self.wait_for_head(head + 1).await;
        write
    }

    /// Asks for the status until the log has come so far.
    pub async fn wait_for_head(&mut self, offset: i64) -> GetStatusResponse {
        let status = async {
            loop {
                if let Ok(status) = self.status().await
                    && status.head_offset >= offset
                {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        };
        let status = tokio::time::timeout(Duration::from_secs(60), status).await;
        status.expect("the log never came so far")
    }

    pub async fn append(&mut self) -> Result<Entry, Status> {
        let request = AppendRequest {
            namespace: "default".into(),
            shard: SHARD,
        };
        Ok(self.data.append(request).await?.into_inner())
    }

    pub async fn read(&mut self, offset: Option<i64>) -> Result<ReadResponse, Status> {
        let request = ReadRequest {
            namespace: "default".into(),
            shard: SHARD,
            offset,
        };
        Ok(self.data.read(request).await?.into_inner())
    }
}

/// Fences all, and makes the one with the greatest head lead: its place is returned.
pub async fn elect(term: i64, servers: &mut [Server]) -> usize {
    let mut heads = Vec::new();
    for server in servers.iter_mut() {
        heads.push(server.new_term(term).await.unwrap());
    }
    let place = |head: &EntryId| (head.term, head.offset);
    let winner = (0..servers.len())
        .max_by_key(|at| (place(&heads[*at]), usize::MAX - at))
        .unwrap();
    let followers = (0..servers.len())
        .filter(|at| *at != winner)
        .map(|at| (servers[at].address(), heads[at]))
        .collect();
    servers[winner]
        .become_leader(term, followers)
        .await
        .unwrap();
    winner
}
