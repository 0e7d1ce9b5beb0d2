//! Nodes, and what they are told.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use openraft::error::{RPCError, RaftError};
use openraft::network::{RPCOption, RaftNetwork};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use openraft::{
    CommittedLeaderId, Entry, EntryPayload, LogId, Membership, Snapshot, SnapshotMeta,
    StoredMembership, Vote,
};
use stepdown_wire::port::Listener;
use stepdown_wire::tls::{Connector, HTTP2, ServerTls, TlsOptions};
use tokio::sync::Semaphore;

use crate::public_address::PublicAddress;
use crate::raft::command::ClusterId;
use crate::raft::network::{
    Connections, Deadlines, Identity, Introduction, Peer, Replica, ReplicaError, Server,
};
use crate::raft::place::PlaceAnswer;
use crate::raft::types::{Member, NodeId, TypeConfig};

pub const OURS: ClusterId = ClusterId(0xa);
pub const THEIRS: ClusterId = ClusterId(0xb);
/// Far longer than anything here takes: a test that meets it has failed.
pub const LONG: Duration = Duration::from_secs(30);
/// For what is to be given up.
pub const SHORT: Duration = Duration::from_millis(200);

pub type CallResult<T> = Result<T, RPCError<NodeId, Member, RaftError<NodeId>>>;

/// What a snapshot says that it is, and its bytes.
pub type Installed = (SnapshotMeta<NodeId, Member>, Vec<u8>);

/// A stand-in for Raft that remembers what it was told.
pub struct Heard {
    pub appends: AtomicU64,
    pub votes: AtomicU64,
    pub questions: AtomicU64,
    pub is_formed: AtomicBool,
    pub snapshots: Mutex<Vec<Installed>>,
    /// Its own ballot.
    pub ballot: Mutex<Vote<NodeId>>,
    /// What it answers candidates, in place of their own.
    pub voted: Mutex<Option<Vote<NodeId>>>,
    /// What it has acknowledged, as it was told last.
    pub acknowledged: Mutex<Option<LogId<NodeId>>>,
    /// Its log differs from whatever it is sent.
    pub differs: AtomicBool,
    /// A vote needs one of these.
    pub vote_permits: Semaphore,
    /// Entries need one of these.
    pub entry_permits: Semaphore,
}

impl Heard {
    pub fn counts(&self) -> [u64; 4] {
        [
            self.appends.load(Ordering::SeqCst),
            self.votes.load(Ordering::SeqCst),
            self.questions.load(Ordering::SeqCst),
            self.snapshots.lock().unwrap().len() as u64,
        ]
    }
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            appends: AtomicU64::default(),
            votes: AtomicU64::default(),
            questions: AtomicU64::default(),
            is_formed: AtomicBool::new(true),
            snapshots: Mutex::default(),
            ballot: Mutex::default(),
            voted: Mutex::default(),
            acknowledged: Mutex::default(),
            differs: AtomicBool::default(),
            vote_permits: Semaphore::new(1000),
            entry_permits: Semaphore::new(1000),
        }
    }
}

#[async_trait]
impl Replica for Heard {
    async fn append(
        &self,
        request: AppendEntriesRequest<TypeConfig>,
        acknowledged: Option<LogId<NodeId>>,
    ) -> Result<AppendEntriesResponse<NodeId>, ReplicaError> {
        if !request.entries.is_empty() {
            self.entry_permits.acquire().await.unwrap().forget();
        }
        self.appends.fetch_add(1, Ordering::SeqCst);
        *self.acknowledged.lock().unwrap() = acknowledged;
        if self.differs.load(Ordering::SeqCst) {
            return Ok(AppendEntriesResponse::Conflict);
        }
        Ok(AppendEntriesResponse::Success)
    }

    fn ballot(&self) -> Vote<NodeId> {
        *self.ballot.lock().unwrap()
    }

    async fn vote(
        &self,
        request: VoteRequest<NodeId>,
    ) -> Result<VoteResponse<NodeId>, ReplicaError> {
        self.vote_permits.acquire().await.unwrap().forget();
        self.votes.fetch_add(1, Ordering::SeqCst);
        let voted = *self.voted.lock().unwrap();
        let granted = voted.is_none();
        let vote = voted.unwrap_or(request.vote);
        Ok(VoteResponse::new(vote, None, granted))
    }

    async fn install(
        &self,
        vote: Vote<NodeId>,
        snapshot: Snapshot<TypeConfig>,
    ) -> Result<Vote<NodeId>, ReplicaError> {
        let heard = (snapshot.meta, snapshot.snapshot.into_inner());
        self.snapshots.lock().unwrap().push(heard);
        Ok(vote)
    }

    async fn read_index(&self) -> Result<Option<LogId<NodeId>>, ReplicaError> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        Ok(meta().last_log_id)
    }

    async fn is_formed(&self) -> Result<bool, ReplicaError> {
        Ok(self.is_formed.load(Ordering::SeqCst))
    }

    async fn misses_a_leader(&self) -> Result<bool, ReplicaError> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        Ok(true)
    }

    fn has_member(&self, node: NodeId) -> bool {
        node == 1
    }

    fn asked_for_place(&self, candidate: NodeId) -> PlaceAnswer {
        self.questions.fetch_add(1, Ordering::SeqCst);
        PlaceAnswer {
            delay: (candidate == 1).then_some(Duration::from_micros(1_001)),
            public_address: PublicAddress::parse("a.example:6651"),
        }
    }
}

pub struct Node {
    pub heard: Arc<Heard>,
    pub server: Server,
}

impl Node {
    pub async fn start(node: NodeId, cluster: ClusterId) -> Self {
        Self::start_at("127.0.0.1:0", node, cluster, None).await
    }

    pub async fn start_at(
        address: &str,
        node: NodeId,
        cluster: ClusterId,
        tls: Option<&TlsOptions>,
    ) -> Self {
        let tls = tls.map(|options| ServerTls::new(options, HTTP2).unwrap());
        let listener = Listener::open(address, tls).await.unwrap();
        let heard = Arc::new(Heard::default());
        let identity = Identity::new(node, Some(cluster));
        let replica = Arc::clone(&heard) as Arc<dyn Replica>;
        let server = Server::start(
            listener,
            introduction(identity),
            replica,
            Deadlines::default(),
        )
        .unwrap();
        Self { heard, server }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

pub fn introduction(identity: Identity) -> Introduction {
    let member = Member {
        name: format!("node-{}", identity.node()),
        address: format!("{}:1", identity.node()),
    };
    Introduction::new(
        identity,
        member,
        ["1:1".to_owned(), "2:1".to_owned()].into(),
    )
}

pub fn connections(node: NodeId, cluster: ClusterId) -> Connections {
    connections_with(node, cluster, None, Deadlines::default())
}

pub fn connections_with(
    node: NodeId,
    cluster: ClusterId,
    tls: Option<Connector>,
    deadlines: Deadlines,
) -> Connections {
    Connections::new(Identity::new(node, Some(cluster)), tls, deadlines)
}

pub async fn append(
    peer: &mut Peer,
    within: Duration,
) -> CallResult<AppendEntriesResponse<NodeId>> {
    let request = AppendEntriesRequest {
        vote: Vote::new_committed(1, 1),
        prev_log_id: None,
        entries: vec![],
        leader_commit: None,
    };
    peer.append_entries(request, RPCOption::new(within)).await
}

/// Sends entries up to an index, from the first on.
pub async fn append_entries(
    peer: &mut Peer,
    up_to: u64,
    within: Duration,
) -> Option<AppendEntriesResponse<NodeId>> {
    let request = AppendEntriesRequest {
        vote: Vote::new_committed(1, 1),
        prev_log_id: None,
        entries: (0..=up_to).map(blank).collect(),
        leader_commit: None,
    };
    // As Raft does, whatever the entries' size.
    let sent = peer.append_entries(request, RPCOption::new(within));
    let sent = tokio::time::timeout(within, sent).await.ok()?;
    Some(sent.unwrap())
}

fn blank(index: u64) -> Entry<TypeConfig> {
    Entry {
        log_id: log_id(index),
        payload: EntryPayload::Blank,
    }
}

pub fn log_id(index: u64) -> LogId<NodeId> {
    LogId::new(CommittedLeaderId::new(1, 1), index)
}

pub async fn vote(peer: &mut Peer, within: Duration) -> CallResult<VoteResponse<NodeId>> {
    let request = VoteRequest::new(Vote::new(1, 1), None);
    peer.vote(request, RPCOption::new(within)).await
}

pub async fn send_snapshot(peer: &mut Peer, data: Vec<u8>) -> Result<Vote<NodeId>, String> {
    let never = std::future::pending();
    let sent = peer.full_snapshot(
        Vote::new_committed(1, 1),
        snapshot(data),
        never,
        RPCOption::new(LONG),
    );
    match sent.await {
        Ok(answer) => Ok(answer.vote),
        Err(error) => Err(error.to_string()),
    }
}

pub fn snapshot(data: Vec<u8>) -> Snapshot<TypeConfig> {
    Snapshot {
        meta: meta(),
        snapshot: Box::new(Cursor::new(data)),
    }
}

pub fn meta() -> SnapshotMeta<NodeId, Member> {
    let at = Some(LogId::new(CommittedLeaderId::new(1, 1), 9));
    let members = BTreeMap::from([(1, Member::default()), (2, Member::default())]);
    SnapshotMeta {
        last_log_id: at,
        last_membership: StoredMembership::new(at, Membership::new(vec![[1].into()], members)),
        snapshot_id: "9".to_owned(),
    }
}
