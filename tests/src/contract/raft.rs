//! The Raft backend under the suite: nodes in one process, on directories of their own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use stepdown_backends::raft::local::LocalCluster;
use stepdown_backends::raft::{Applied, Command, Machine, Node, NodeId, RaftTiming};
use stepdown_backends::{Backend, StatusStore};
use stepdown_core::cluster::ClusterStatus;
use tempfile::TempDir;
use tokio::time::sleep;

use super::support::candidate;
use super::{Cluster, NotApplicable, Outcome};

/// The coordinators of these names have nodes of the same names.
const NAMES: [&str; 3] = ["a", "b", "c"];
const SOON: Duration = Duration::from_millis(20);

/// A cluster of nodes. Where there are fewer nodes than coordinators, some share one.
pub struct Rafts {
    _directory: TempDir,
    cluster: LocalCluster,
    nodes: u64,
    next: AtomicU64,
    coordinators: Mutex<Vec<(Arc<dyn StatusStore>, NodeId)>>,
}

impl Rafts {
    /// A new cluster of so many nodes, at most three.
    pub async fn new(nodes: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let path = PathBuf::from(directory.path());
        let names: Vec<_> = (0..nodes).zip(NAMES).map(|(_, name)| name).collect();
        let cluster = LocalCluster::form(&path, &names, RaftTiming::default()).await;
        Self {
            _directory: directory,
            cluster: cluster.expect("the nodes start"),
            nodes,
            next: AtomicU64::new(0),
            coordinators: Mutex::default(),
        }
    }

    fn coordinators(&self) -> MutexGuard<'_, Vec<(Arc<dyn StatusStore>, NodeId)>> {
        self.coordinators
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The node of a coordinator's own name, or another one that runs.
    fn node(&self, name: &str) -> Arc<Node> {
        let own = (1..=self.nodes).zip(NAMES).find(|(_, own)| *own == name);
        if let Some(node) = own.and_then(|(id, _)| self.cluster.node(id)) {
            return node;
        }
        loop {
            let next = self.next.fetch_add(1, Ordering::SeqCst);
            if let Some(node) = self.cluster.node(next % self.nodes + 1) {
                return node;
            }
        }
    }

    /// Writes what is made of the leader's machine, until it is applied.
    async fn write(&self, command: impl Fn(&Machine) -> Command) {
        loop {
            if let Some(leader) = self.cluster.leader() {
                match leader.write(command(&leader.held().machine)).await {
                    Ok(Applied::Configured(_) | Applied::Stored(_)) => return,
                    Ok(Applied::Formed(_) | Applied::Nothing | Applied::Refused(_)) | Err(_) => {}
                }
            }
            sleep(SOON).await;
        }
    }
}

#[async_trait]
impl Cluster for Rafts {
    async fn coordinator(&self, name: &str) -> Backend {
        let node = self.node(name);
        let backend = node.backend(&candidate(name));
        let known = (backend.store.clone(), node.id());
        self.coordinators().push(known);
        backend
    }

    async fn overwrite(&self, status: ClusterStatus) {
        let status = Arc::new(status);
        let adopt = |machine: &Machine| Command::Adopt {
            expected: machine.version(),
            status: status.clone(),
        };
        self.write(adopt).await;
    }

    async fn configure(&self, text: Option<&str>) {
        let configure = |machine: &Machine| Command::Configure {
            expected: machine.configuration.version,
            text: text.map(Arc::from),
        };
        self.write(configure).await;
    }

    fn many(&self) -> usize {
        128
    }

    async fn take_away(&self) -> Outcome {
        if self.nodes == 1 {
            return Err(NotApplicable("one node alone can't be cut off"));
        }
        match self.cluster.leader() {
            Some(leader) => self.cluster.cut(leader.id(), true),
            None => return Err(NotApplicable("nobody leads")),
        }
        Ok(())
    }

    async fn kill(&self, coordinator: Backend) {
        if self.nodes == 1 {
            // The others are on the same node, which can't be killed under them.
            coordinator.leadership.release().await;
            return;
        }
        let found = self
            .coordinators()
            .iter()
            .find_map(|(store, node)| Arc::ptr_eq(store, &coordinator.store).then_some(*node));
        self.cluster.kill(found.expect("one of its own")).await;
    }

    fn leader_has_an_address(&self) -> Outcome {
        match self.nodes {
            1 => Err(NotApplicable("one node alone tells nobody")),
            _ => Ok(()),
        }
    }

    fn stores_need_leadership(&self) -> Outcome {
        Ok(())
    }
}
