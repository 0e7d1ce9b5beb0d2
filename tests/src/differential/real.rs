//! Three real data servers as child processes.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stepdown_core::Term;
use stepdown_core::call::{Binding, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus};
use stepdown_wire::error::{Reason, reason_of};
use stepdown_wire::replication as wire;
use stepdown_wire::replication::oxia_coordination_client::OxiaCoordinationClient;
use stepdown_wire::v1;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::links::Links;
use super::public;
use super::step::{Ask, SERVERS, Said, Seen};
use crate::oxia::OxiaServer;

const INSTANCE: &str = "differential";
/// For what takes no time, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const NAMESPACE: &str = "default";

/// Three real data servers.
#[derive(Debug)]
pub struct Real {
    servers: Vec<OxiaServer>,
    up: [bool; SERVERS],
    dir: TempDir,
    /// Bound to the servers' ports for good; they connect again by themselves.
    calls: Calls,
}

/// Calls to them. Clones share connections.
#[derive(Clone, Debug)]
pub struct Calls {
    connections: Arc<Vec<Connection>>,
    links: Arc<Links>,
    factor: u32,
}

#[derive(Debug)]
struct Connection {
    address: Arc<str>,
    public_address: Arc<str>,
    internal: Channel,
    public: Channel,
}

impl Real {
    /// Starts them, and binds them to a cluster.
    pub async fn start(oxia: &Path) -> Self {
        // Nobody else may take a port that is free until its server runs.
        static STARTING: Mutex<()> = Mutex::const_new(());
        let _alone = STARTING.lock().await;
        let dir = tempfile::tempdir().expect("a directory can be made");
        let names = (0..SERVERS).map(|at| format!("s{at}"));
        let servers: Vec<OxiaServer> = names
            .map(|name| OxiaServer::start(oxia, &name, dir.path()))
            .collect();
        let connections = servers.iter().map(|server| Connection {
            address: Arc::clone(&server.identity().internal),
            public_address: Arc::clone(&server.identity().public),
            internal: channel(&server.identity().internal),
            public: channel(&server.identity().public),
        });
        let connections: Vec<Connection> = connections.collect();
        let addresses: Vec<Arc<str>> = connections
            .iter()
            .map(|it| Arc::clone(&it.address))
            .collect();
        let calls = Calls {
            links: Arc::new(Links::start(&addresses).await),
            connections: Arc::new(connections),
            factor: 3,
        };
        let real = Self {
            servers,
            up: [true; SERVERS],
            dir,
            calls,
        };
        for at in 0..SERVERS {
            real.ready(at).await;
            real.bind(at).await;
        }
        real
    }

    /// Binds one that is new or was emptied to the cluster.
    pub async fn bind(&self, at: usize) {
        let said = self.calls.ask(at, 0, &Ask::Handshake, "", PATIENCE).await;
        assert_eq!(said, Said::Bound(Binding::Bound));
        self.calls.open(at).await;
    }

    /// How to call them about shards of so many replicas.
    pub fn calls(&self, factor: u32) -> Calls {
        Calls {
            factor,
            ..self.calls.clone()
        }
    }

    /// Which of them run.
    pub fn up(&self) -> [bool; SERVERS] {
        self.up
    }

    /// Kills one.
    pub fn kill(&mut self, at: usize) {
        let process = self.servers[at].process_mut();
        process.kill().expect("the process can be killed");
        self.ended(at);
    }

    /// Lets one end by itself.
    pub async fn stop(&mut self, at: usize) {
        let process = self.servers[at].process_mut();
        process.terminate().expect("the process can be signalled");
        let until = Instant::now() + PATIENCE;
        while process.ended().expect("it can be asked").is_none() {
            assert!(Instant::now() < until, "s{at} does not end");
            sleep(Duration::from_millis(20)).await;
        }
        self.ended(at);
    }

    fn ended(&mut self, at: usize) {
        self.up[at] = false;
        self.calls.links.forget(at);
    }

    /// Breaks the connection from one to another.
    pub fn cut(&self, from: usize, to: usize) {
        self.calls.links.cut(from, to);
    }

    /// Lets connections from one to another through, or none.
    pub fn open(&self, from: usize, to: usize, is_open: bool) {
        self.calls.links.open(from, to, is_open);
    }

    /// Waits until those that run have found one another again.
    pub async fn connected(&self) {
        for from in (0..SERVERS).filter(|from| self.up[*from]) {
            for to in (0..SERVERS).filter(|to| self.up[*to]) {
                self.calls.links.settled(from, to).await;
            }
        }
    }

    /// Starts one that is down, and waits until it answers.
    pub async fn restart(&mut self, at: usize) {
        let process = self.servers[at].process_mut();
        process.restart().expect("the process can be started");
        self.up[at] = true;
        self.ready(at).await;
        if self.calls.status(at, 0).await != Err(CallErrorKind::NotInitialized) {
            self.calls.open(at).await;
        }
    }

    /// Waits until one answers.
    async fn ready(&self, at: usize) {
        let until = Instant::now() + PATIENCE;
        while let Some(Err(CallErrorKind::Unreachable)) = Some(self.calls.status(at, 0).await) {
            assert!(Instant::now() < until, "s{at} does not come up");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Empties the disk of one that is down.
    pub fn empty(&self, at: usize) {
        remove(&self.dir.path().join(format!("s{at}")));
    }

    /// Deletes the logs of one that is down, and leaves its databases.
    pub fn drop_logs(&self, at: usize) {
        let logs = self.dir.path().join(format!("s{at}/wal/{NAMESPACE}"));
        remove(&logs);
    }
}

fn remove(dir: &Path) {
    if dir.exists() {
        fs::remove_dir_all(dir).expect("the directory can be removed");
    }
}

fn channel(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    endpoint.expect("an address is a URI").connect_lazy()
}

impl Calls {
    /// A server's internal address.
    pub fn address(&self, at: usize) -> &Arc<str> {
        &self.connections[at].address
    }

    /// Asks a server about a shard, or to write this key, and waits no longer than `limit` for the answer.
    pub async fn ask(&self, at: usize, shard: i64, ask: &Ask, key: &str, limit: Duration) -> Said {
        match timeout(limit, self.send(at, shard, ask, key)).await {
            Ok(Ok(said)) => said,
            Ok(Err(status)) if is_late(&status) => Said::Nothing,
            Ok(Err(status)) => Said::Refused(kind(&status)),
            Err(_) => Said::Nothing,
        }
    }

    /// What a server says of its replica of a shard.
    pub async fn status(&self, at: usize, shard: i64) -> Result<ReplicaStatus, CallErrorKind> {
        let request = ours(wire::GetStatusRequest { shard });
        let answer = timeout(PATIENCE, self.client(at).get_status(request)).await;
        let answer = answer.map_err(|_| CallErrorKind::TimedOut)?;
        let status = answer.map_err(|status| kind(&status))?.into_inner();
        Ok(ReplicaStatus {
            term: Term(status.term),
            role: match status.status() {
                wire::ServingStatus::NotMember => ReplicaRole::NotMember,
                wire::ServingStatus::Fenced => ReplicaRole::Fenced,
                wire::ServingStatus::Follower => ReplicaRole::Follower,
                wire::ServingStatus::Leader => ReplicaRole::Leader,
            },
            head_offset: status.head_offset,
            commit_offset: status.commit_offset,
        })
    }

    /// What every server that is up says.
    pub async fn seen(&self, up: [bool; SERVERS], shard: i64) -> [Seen; SERVERS] {
        let ask = async |at: usize| match up[at] {
            true => Some(self.status(at, shard).await),
            false => None,
        };
        let (first, second, third) = tokio::join!(ask(0), ask(1), ask(2));
        [first, second, third]
    }

    /// Every key that a leader has of a shard.
    pub async fn keys(&self, at: usize, shard: i64) -> Result<Vec<String>, CallErrorKind> {
        let keys = public::list(self.connections[at].public.clone(), shard).await;
        keys.map_err(|status| kind(&status))
    }

    /// Lets clients in: they are refused until a coordinator has pushed assignments.
    pub(super) async fn open(&self, at: usize) {
        let assignments = v1::ShardAssignments {
            allowed_authorities: vec![self.connections[at].public_address.to_string()],
            ..Default::default()
        };
        let stream = tokio_stream::iter([assignments]).chain(tokio_stream::pending());
        let mut request = Request::new(stream);
        request.metadata_mut().insert("instance-id", instance());
        let mut client = self.client(at);
        // It lasts as long as the server's process.
        tokio::spawn(async move { client.push_shard_assignments(request).await });
        let until = Instant::now() + PATIENCE;
        let refused = Said::Refused(CallErrorKind::NotInitialized);
        while self.ask(at, -1, &Ask::Write, "", PATIENCE).await == refused {
            assert!(Instant::now() < until, "s{at} lets no clients in");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn send(&self, at: usize, shard: i64, ask: &Ask, key: &str) -> Result<Said, Status> {
        let mut client = self.client(at);
        let namespace = NAMESPACE.to_owned();
        Ok(match ask {
            Ask::AddFollower(term, follower, head) => {
                let request = wire::AddFollowerRequest {
                    namespace,
                    shard,
                    term: *term,
                    follower_name: self.links.address(at, *follower).to_string(),
                    follower_head_entry_id: Some(entry(*head)),
                    ..Default::default()
                };
                client.add_follower(ours(request)).await?;
                Said::Added
            }
            Ask::BecomeLeader(term, followers) => {
                let follower_maps = followers.iter().map(|(to, head)| wire::FollowerHead {
                    key: self.links.address(at, *to).to_string(),
                    value: Some(entry(*head)),
                });
                let request = wire::BecomeLeaderRequest {
                    namespace,
                    shard,
                    term: *term,
                    replication_factor: self.factor,
                    follower_maps: follower_maps.collect(),
                    features_supported: Vec::new(),
                };
                client.become_leader(ours(request)).await?;
                Said::Led
            }
            Ask::DeleteShard(term) => {
                let term = *term;
                let request = wire::DeleteShardRequest {
                    namespace,
                    shard,
                    term,
                };
                client.delete_shard(ours(request)).await?;
                Said::Deleted
            }
            Ask::Freeze(term, frozen) => {
                let request = wire::FreezeShardRequest {
                    namespace,
                    shard,
                    term: *term,
                    frozen: *frozen,
                };
                let answer = client.freeze_shard(ours(request)).await?;
                Said::Frozen(answer.into_inner().head_offset)
            }
            Ask::Handshake => {
                let instance_id = INSTANCE.to_owned();
                let request = wire::HandshakeRequest { instance_id };
                let answer = client.handshake(ours(request)).await?;
                Said::Bound(match answer.get_ref().status() {
                    wire::HandshakeStatus::Bound => Binding::Bound,
                    wire::HandshakeStatus::AlreadyBound => Binding::AlreadyBound,
                    wire::HandshakeStatus::Mismatch => Binding::Mismatch,
                    wire::HandshakeStatus::Unknown => return Err(Status::unknown("no binding")),
                })
            }
            Ask::NewTerm(term) => {
                let request = wire::NewTermRequest {
                    namespace,
                    shard,
                    term: *term,
                    options: None,
                };
                let answer = client.new_term(ours(request)).await?.into_inner();
                let head = answer.head_entry_id.unwrap_or_default();
                Said::Fenced(EntryId {
                    term: Term(head.term),
                    offset: head.offset,
                })
            }
            Ask::Stranger(term) => {
                let request = wire::NewTermRequest {
                    namespace,
                    shard,
                    term: *term,
                    options: None,
                };
                let mut request = Request::new(request);
                let stranger = AsciiMetadataValue::from_static("stranger");
                request.metadata_mut().insert("instance-id", stranger);
                client.new_term(request).await?;
                Said::Nothing
            }
            Ask::Write => {
                let channel = self.connections[at].public.clone();
                public::write(channel, shard, key).await?;
                Said::Written
            }
        })
    }

    fn client(&self, at: usize) -> OxiaCoordinationClient<Channel> {
        OxiaCoordinationClient::new(self.connections[at].internal.clone())
    }
}

/// Nobody tells the server how long it has: it hears that the caller has gone.
fn ours<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("instance-id", instance());
    request
}

fn instance() -> AsciiMetadataValue {
    AsciiMetadataValue::from_static(INSTANCE)
}

fn entry(head: EntryId) -> wire::EntryId {
    wire::EntryId {
        term: head.term.0,
        offset: head.offset,
    }
}

fn is_late(status: &Status) -> bool {
    let late = [tonic::Code::DeadlineExceeded, tonic::Code::Cancelled];
    late.contains(&status.code())
}

fn kind(status: &Status) -> CallErrorKind {
    match reason_of(status) {
        Some(Reason::InvalidStatus) => CallErrorKind::InvalidStatus,
        Some(Reason::InvalidTerm) => CallErrorKind::InvalidTerm,
        Some(Reason::NodeIsNotLeader) => CallErrorKind::NotLeader,
        Some(Reason::NodeIsNotMember) => CallErrorKind::NotMember,
        Some(Reason::NotInitialized) => CallErrorKind::NotInitialized,
        Some(
            Reason::Aborted
            | Reason::InvalidSessionTimeout
            | Reason::NamespaceNotFound
            | Reason::NotificationsNotEnabled
            | Reason::ResourceConflict
            | Reason::ResourceUnavailable
            | Reason::SessionNotFound
            | Reason::ShardNotFound,
        ) => CallErrorKind::Other,
        None if status.code() == tonic::Code::PermissionDenied => CallErrorKind::Refused,
        // A refused connection.
        None if status.code() == tonic::Code::Unavailable => CallErrorKind::Unreachable,
        None => CallErrorKind::Other,
    }
}
