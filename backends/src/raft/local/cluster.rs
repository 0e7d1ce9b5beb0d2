//! A cluster of nodes in one process, each on a directory of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::super::error::StartError;
use super::super::network::Acknowledged;
use super::super::node::Node;
use super::super::storage::{Database, Directory, OpenError};
use super::super::timing::RaftTiming;
use super::super::types::{Member, NodeId};
use super::network::{LocalNetwork, Wires};

/// Nodes that reach each other by function calls.
pub struct LocalCluster {
    path: PathBuf,
    timing: RaftTiming,
    wires: Arc<Mutex<Wires>>,
}

impl LocalCluster {
    /// Starts new nodes of these names below this directory, numbered from 1, and forms a cluster
    /// of them.
    pub async fn form(path: &Path, names: &[&str], timing: RaftTiming) -> Result<Self, StartError> {
        let cluster = Self {
            path: path.to_path_buf(),
            timing,
            wires: Arc::default(),
        };
        let members: BTreeMap<_, _> = (1..).zip(names.iter().map(|name| member(name))).collect();
        for id in members.keys() {
            cluster.start(*id).await?;
        }
        // One does it: whoever does it later stands for election, whoever leads by then.
        if let Some(first) = cluster.node(1) {
            first.form(members).await?;
        }
        Ok(cluster)
    }

    /// Starts a node on what is in its directory.
    pub async fn start(&self, id: NodeId) -> Result<Arc<Node>, StartError> {
        let directory = self.lock(id).await?;
        let database = Arc::new(Database::open(Arc::new(directory))?);
        let network = LocalNetwork {
            from: id,
            wires: self.wires.clone(),
            acknowledged: Acknowledged::default(),
        };
        let peers = Arc::new(network.clone());
        let node = Node::start(id, database, network, peers, self.timing).await?;
        self.wires().nodes.insert(id, node.clone());
        Ok(node)
    }

    /// Locks a node's directory, once the tasks of a node that was killed have let go of it.
    pub(super) async fn lock(&self, id: NodeId) -> Result<Directory, OpenError> {
        let path = self.path.join(id.to_string());
        for _ in 0..1_000 {
            match Directory::lock(&path) {
                Err(OpenError::InUse(_)) => sleep(Duration::from_millis(10)).await,
                locked => return locked,
            }
        }
        Directory::lock(&path)
    }

    /// Ends a node without notice to anybody.
    pub async fn kill(&self, id: NodeId) {
        let node = self.wires().nodes.remove(&id);
        if let Some(node) = node {
            node.shut_down().await;
        }
    }

    /// Cuts a node off from the others, or joins it again.
    pub fn cut(&self, id: NodeId, is_cut: bool) {
        let mut wires = self.wires();
        if is_cut {
            wires.cut.insert(id);
        } else {
            wires.cut.remove(&id);
        }
    }

    /// Has answers to whoever asks for a place stay on their way, or arrive.
    pub fn stall_places(&self, stalled: bool) {
        self.wires().places_stalled.send_replace(stalled);
    }

    /// Has two nodes not reach each other any more.
    pub fn sever(&self, one: NodeId, other: NodeId) {
        let pair = (one.min(other), one.max(other));
        self.wires().severed.insert(pair);
    }

    /// Has all entries stay on their way, or arrive again. Everything else goes through.
    pub fn stall(&self, stalled: bool) {
        self.wires().stalled.send_replace(stalled);
    }

    /// The node of this number, if it runs.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<Arc<Node>> {
        self.wires().nodes.get(&id).cloned()
    }

    /// The nodes that run.
    #[must_use]
    pub fn nodes(&self) -> Vec<Arc<Node>> {
        self.wires().nodes.values().cloned().collect()
    }

    /// The node that leads the others, where one does.
    #[must_use]
    pub fn leader(&self) -> Option<Arc<Node>> {
        self.nodes().into_iter().find(|node| node.leads().is_some())
    }

    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn member(name: &str) -> Member {
    Member {
        name: name.to_owned(),
        address: format!("{name}:7000"),
    }
}
