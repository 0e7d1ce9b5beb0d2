//! Nodes over sockets, and a client that asks them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::ProcessId;
use stepdown_core::lease::LeaseTiming;
use stepdown_wire::port::Listener;
use stepdown_wire::tls::{Connector, HTTP2, ServerTls, TlsOptions};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::backend::{Backend, LeadershipReport};
use crate::candidate::Candidate;
use crate::raft::admin::{AdminClient, Administration};
use crate::raft::network::{Connections, Deadlines, Identity, Introduction, Server};
use crate::raft::storage::{Database, Directory};
use crate::raft::{ClusterId, Member, Node, NodeId, RaftTiming};

/// Nothing is waited for longer.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Long enough that a busy machine takes leadership from nobody.
const TIMING: RaftTiming = RaftTiming {
    heartbeat: Duration::from_millis(200),
    election_min: Duration::from_millis(1_500),
    election_max: Duration::from_millis(3_000),
};

/// One node, and its port.
pub struct Served {
    pub id: NodeId,
    pub member: Member,
    pub node: Arc<Node>,
    server: Option<Server>,
    directory: TempDir,
}

impl Served {
    /// A new node of this name. It belongs to no cluster.
    pub async fn start(name: &str, id: NodeId) -> Self {
        Self::start_at("127.0.0.1:0", name, id).await
    }

    pub async fn start_at(address: &str, name: &str, id: NodeId) -> Self {
        Self::start_over(address, name, id, None).await
    }

    pub async fn start_over(
        address: &str,
        name: &str,
        id: NodeId,
        tls: Option<&TlsOptions>,
    ) -> Self {
        let config = tls.map(|options| ServerTls::new(options, HTTP2).unwrap());
        let listener = Listener::open(address, config).await.unwrap();
        let tls = tls.map(|options| Connector::new(options).unwrap());
        let member = Member {
            name: name.to_owned(),
            address: listener.socket.local_addr().unwrap().to_string(),
        };
        let directory = TempDir::new().unwrap();
        let lock = Directory::lock(directory.path()).unwrap();
        let database = Arc::new(Database::open(Arc::new(lock)).unwrap());
        let identity = Identity::new(id, None);
        let connections = Connections::new(identity.clone(), tls.clone(), Deadlines::default());
        let peers = Arc::new(connections.clone());
        let node = Node::start(id, database.clone(), connections, peers, TIMING);
        let node = node.await.unwrap();
        let administration = Administration::new(node.clone(), member.clone(), &database, tls);
        let server = Server::start_with(
            listener,
            Introduction::new(identity, member.clone(), BTreeSet::new()),
            Arc::new(node.clone()),
            Deadlines::default(),
            Some(administration),
        );
        Self {
            id,
            member,
            node,
            server: Some(server.unwrap()),
            directory,
        }
    }

    pub async fn stop(&mut self) {
        self.node.shut_down().await;
        if let Some(server) = self.server.take() {
            server.close().await;
        }
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn backend(&self) -> Backend {
        self.node.backend(&Candidate {
            name: self.member.name.as_str().into(),
            process: ProcessId(self.id.into()),
            pod: None,
            public_address: None,
            seed: 0,
            timing: LeaseTiming::SHORT,
        })
    }

    pub fn client(&self) -> AdminClient {
        AdminClient::new(vec![self.member.address.clone()], None).unwrap()
    }
}

/// Nodes of these names, numbered from 1, that form a cluster.
pub async fn cluster(names: &[&str]) -> Vec<Served> {
    let mut nodes = Vec::new();
    for (id, name) in (1..).zip(names) {
        nodes.push(Served::start(name, id).await);
    }
    let members: BTreeMap<_, _> = nodes.iter().map(|it| (it.id, it.member.clone())).collect();
    nodes[0].node.form(members).await.unwrap();
    let leader = leader(&nodes).await;
    let named = leader.node.name_cluster(ClusterId(0xa)).await;
    named.unwrap();
    nodes
}

/// The one of them that leads by Raft.
pub async fn leader(nodes: &[Served]) -> &Served {
    let found = timeout(LIMIT, async {
        loop {
            if let Some(leader) = nodes.iter().find(|it| it.node.leads().is_some()) {
                return leader;
            }
            sleep(TIMING.heartbeat).await;
        }
    });
    found.await.unwrap()
}

/// One of them that does not lead by Raft.
pub async fn follower(nodes: &[Served]) -> &Served {
    let leader = leader(nodes).await.id;
    nodes.iter().find(|it| it.id != leader).unwrap()
}

/// A coordinator that campaigns whenever it does not lead, as one does; says each time that it
/// leads.
pub fn campaign(backend: Backend) -> mpsc::Receiver<()> {
    let (won, wins) = mpsc::channel(8);
    tokio::spawn(async move {
        while !won.is_closed() {
            let (sender, mut reports) = mpsc::channel(8);
            let lead = backend.leadership.lead(sender);
            let listen = async {
                while let Some(report) = reports.recv().await {
                    if matches!(report, LeadershipReport::Won { .. }) {
                        let _ = won.send(()).await;
                    }
                }
            };
            tokio::join!(lead, listen);
            backend.leadership.release().await;
        }
    });
    wins
}
