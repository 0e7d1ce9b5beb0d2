//! Whole nodes: each with Raft, a disk and a port.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stepdown_wire::port::Listener;
use stepdown_wire::raft as wire;
use stepdown_wire::tls::{Connector, HTTP2, ServerTls, TlsOptions};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

use super::snapshots::raw_client;
use super::support::{LONG, OURS, introduction};
use super::tls::certificate;
use crate::raft::command::{Applied, Command};
use crate::raft::fixtures::alone;
use crate::raft::network::{Connections, Deadlines, Identity, Server};
use crate::raft::node::Node;
use crate::raft::storage::{Database, Directory, OpenError};
use crate::raft::timing::RaftTiming;
use crate::raft::types::{Member, NodeId};

const TIMING: RaftTiming = RaftTiming {
    heartbeat: Duration::from_millis(200),
    election_min: Duration::from_millis(1_000),
    election_max: Duration::from_millis(2_000),
};

struct Running {
    node: Arc<Node>,
    server: Server,
}

struct Cluster {
    dir: TempDir,
    tls: Option<TlsOptions>,
    members: BTreeMap<NodeId, Member>,
    running: BTreeMap<NodeId, Running>,
}

impl Cluster {
    async fn form(encrypted: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut cluster = Self {
            tls: encrypted.then(|| certificate(dir.path())),
            dir,
            members: BTreeMap::new(),
            running: BTreeMap::new(),
        };
        let mut listeners = Vec::new();
        for id in 1..=3 {
            let listener = cluster.listen("127.0.0.1:0").await;
            let member = Member {
                name: format!("node-{id}"),
                address: listener.socket.local_addr().unwrap().to_string(),
            };
            cluster.members.insert(id, member);
            listeners.push((id, listener));
        }
        for (id, listener) in listeners {
            cluster.start_on(id, listener).await;
        }
        cluster
    }

    async fn listen(&self, address: &str) -> Listener {
        let tls = self.tls.as_ref();
        let tls = tls.map(|options| ServerTls::new(options, HTTP2).unwrap());
        Listener::open(address, tls).await.unwrap()
    }

    async fn start(&mut self, id: NodeId) {
        let listener = self.listen(&self.members[&id].address).await;
        self.start_on(id, listener).await;
    }

    async fn start_on(&mut self, id: NodeId, listener: Listener) {
        let path = self.dir.path().join(id.to_string());
        let unlocked = async {
            loop {
                match Directory::lock(&path) {
                    Err(OpenError::InUse(_)) => sleep(Duration::from_millis(10)).await,
                    locked => return locked.unwrap(),
                }
            }
        };
        let directory = timeout(LONG, unlocked).await.unwrap();
        let database = Arc::new(Database::open(Arc::new(directory)).unwrap());
        let identity = Identity::new(id, Some(OURS));
        let connector = self.tls.as_ref().map(|tls| Connector::new(tls).unwrap());
        let connections = Connections::new(identity.clone(), connector, Deadlines::default());
        let peers = Arc::new(connections.clone());
        let node = Node::start(id, database, connections, peers, TIMING)
            .await
            .unwrap();
        let replica = Arc::new(Arc::clone(&node));
        let server = Server::start(
            listener,
            introduction(identity),
            replica,
            Deadlines::default(),
        )
        .unwrap();
        node.form(self.members.clone()).await.unwrap();
        self.running.insert(id, Running { node, server });
    }

    async fn stop(&mut self, id: NodeId) {
        let Running { node, server } = self.running.remove(&id).unwrap();
        server.close().await;
        node.shut_down().await;
    }

    /// Writes this configuration over the one before, through whoever leads by then.
    async fn write(&self, version: u64) -> NodeId {
        let text: Arc<str> = format!("{version}: {}", "x".repeat(10_000)).into();
        let written = async {
            loop {
                for (id, running) in &self.running {
                    let command = Command::Configure {
                        expected: version - 1,
                        text: Some(text.clone()),
                    };
                    if let Ok(applied) = running.node.write(command).await {
                        assert_eq!(applied, Applied::Configured(version));
                        return *id;
                    }
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LONG, written).await.unwrap()
    }

    /// Any but this one.
    fn another_than(&self, node: NodeId) -> NodeId {
        *self.members.keys().find(|id| **id != node).unwrap()
    }

    fn term(&self, node: NodeId) -> u64 {
        let metrics = self.running[&node].node.raft().metrics();
        metrics.borrow().current_term
    }

    /// Tells a node, as this one, that somebody was elected in a term, and what it has acknowledged.
    async fn tell(
        &self,
        to: NodeId,
        from: NodeId,
        (term, elected): (u64, NodeId),
        acknowledged: Option<wire::LogId>,
    ) -> Result<(), Status> {
        let append = wire::AppendRequest {
            envelope: Some(Identity::new(from, Some(OURS)).envelope(to)),
            ballot: Some(wire::Ballot {
                term,
                node: elected,
                committed: true,
            }),
            acknowledged,
            ..wire::AppendRequest::default()
        };
        let mut client = raw_client(&self.members[&to].address).await;
        client.append(append).await.map(drop)
    }

    async fn all_have(&self, version: u64) {
        let all = async {
            while !self
                .running
                .values()
                .all(|it| it.node.held().machine.configuration.version == version)
            {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LONG, all).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_outlive_their_leader_and_take_it_back() {
    let _alone = alone().await;
    let mut cluster = Cluster::form(false).await;
    let leader = cluster.write(1).await;
    cluster.all_have(1).await;
    cluster.stop(leader).await;
    let next = cluster.write(2).await;
    assert_ne!(next, leader);
    cluster.start(leader).await;
    cluster.all_have(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_puts_a_node_in_office_that_nobody_has_elected() {
    let _alone = alone().await;
    let cluster = Cluster::form(false).await;
    let leader = cluster.write(1).await;
    let follower = cluster.another_than(leader);
    let term = cluster.term(follower);
    let elected = (term + 9, follower);
    let refused = cluster.tell(follower, leader, elected, None).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let voted = cluster.running[&follower]
        .node
        .raft()
        .with_raft_state(|state| state.vote_ref().leader_id);
    assert!(voted.await.unwrap().term < term + 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_was_told_of_an_election_that_never_was_follows_after_the_next_one() {
    let _alone = alone().await;
    let cluster = Cluster::form(false).await;
    let leader = cluster.write(1).await;
    cluster.all_have(1).await;
    let follower = cluster.another_than(leader);
    let elected = (cluster.term(leader) + 9, leader);
    cluster.tell(follower, leader, elected, None).await.unwrap();
    cluster.write(2).await;
    cluster.all_have(2).await;
}

/// What somebody has acknowledged is what a member has led with.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_members_says_what_a_node_has_forgotten() {
    let _alone = alone().await;
    let cluster = Cluster::form(false).await;
    let leader = cluster.write(1).await;
    cluster.all_have(1).await;
    let stranger: NodeId = 9;
    let acknowledged = wire::LogId {
        term: 1,
        node: leader,
        index: 1 << 30,
    };
    for id in cluster.members.keys() {
        let elected = (cluster.term(*id) + 1, stranger);
        let told = cluster.tell(*id, stranger, elected, Some(acknowledged));
        told.await.unwrap();
    }
    cluster.write(2).await;
    cluster.all_have(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_for_long_is_sent_a_snapshot() {
    let _alone = alone().await;
    let mut cluster = Cluster::form(true).await;
    let leader = cluster.write(1).await;
    let away = cluster.another_than(leader);
    cluster.stop(away).await;
    for version in 2..=60 {
        cluster.write(version).await;
    }
    for running in cluster.running.values() {
        let raft = running.node.raft();
        raft.trigger().snapshot().await.unwrap();
        let mut metrics = raft.metrics();
        let purged = metrics.wait_for(|metrics| metrics.purged.is_some_and(|id| id.index > 10));
        timeout(LONG, purged).await.unwrap().unwrap();
    }
    cluster.start(away).await;
    cluster.all_have(60).await;
    let metrics = cluster.running[&away]
        .node
        .raft()
        .metrics()
        .borrow()
        .clone();
    assert!(metrics.snapshot.is_some_and(|id| id.index > 10));
}
