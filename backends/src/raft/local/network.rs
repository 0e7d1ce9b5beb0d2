//! A network of function calls. Nodes can be cut off from it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use openraft::error::{
    Fatal, InstallSnapshotError, RPCError, RaftError, RemoteError, ReplicationClosed,
    StreamingError, Unreachable,
};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{LogId, RaftNetwork, RaftNetworkFactory, Snapshot, Vote};
use tokio::sync::watch;

use super::super::network::{Acknowledged, Asked};
use super::super::node::Node;
use super::super::peers::{PeerError, Peers};
use super::super::place::PlaceAnswer;
use super::super::types::{Member, NodeId, TypeConfig};

/// Which nodes there are, and which of them nobody reaches.
#[derive(Default)]
pub(super) struct Wires {
    pub(super) nodes: BTreeMap<NodeId, Arc<Node>>,
    pub(super) cut: BTreeSet<NodeId>,
    /// Entries stay on their way.
    pub(super) stalled: watch::Sender<bool>,
    /// Answers to whoever asks for a place stay on their way.
    pub(super) places_stalled: watch::Sender<bool>,
    /// Pairs that don't reach each other.
    pub(super) severed: BTreeSet<(NodeId, NodeId)>,
}

/// The network, as one node sees it.
#[derive(Clone)]
pub(super) struct LocalNetwork {
    pub(super) from: NodeId,
    pub(super) wires: Arc<Mutex<Wires>>,
    pub(super) acknowledged: Acknowledged,
}

/// A way from one node to another.
pub(super) struct Way {
    network: LocalNetwork,
    to: NodeId,
}

impl LocalNetwork {
    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self, to: NodeId) -> Result<Arc<Node>, Unreachable> {
        let wires = self.wires();
        let pair = (self.from.min(to), self.from.max(to));
        let is_cut = wires.cut.contains(&to)
            || wires.cut.contains(&self.from)
            || wires.severed.contains(&pair);
        match wires.nodes.get(&to) {
            Some(node) if !is_cut => Ok(node.clone()),
            Some(_) | None => Err(Unreachable::new(&io::Error::other("nobody answers"))),
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for LocalNetwork {
    type Network = Way;

    async fn new_client(&mut self, to: NodeId, _: &Member) -> Way {
        Way {
            network: self.clone(),
            to,
        }
    }
}

type Failure<E = openraft::error::Infallible> = RPCError<NodeId, Member, RaftError<NodeId, E>>;

impl RaftNetwork<TypeConfig> for Way {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, Failure> {
        let node = self.network.node(self.to)?;
        if !request.entries.is_empty() {
            let mut stalled = self.network.wires().stalled.subscribe();
            // It fails only where the cluster is gone.
            let _ = stalled.wait_for(|stalled| !stalled).await;
        }
        let (known, asked) = (&self.network.acknowledged, Asked::of(&request));
        let acknowledged = known.of(self.to, &request.vote);
        let answer = node.append(request, acknowledged).await;
        let answer = answer.map_err(|error| Unreachable::new(&error))?;
        let heard = known.heard(self.to, &asked, &answer);
        heard.map_err(|error| Unreachable::new(&error))?;
        Ok(answer)
    }

    /// Never called: [`full_snapshot`](Self::full_snapshot) is.
    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<InstallSnapshotResponse<NodeId>, Failure<InstallSnapshotError>> {
        Err(Unreachable::new(&io::Error::other("snapshots are sent whole")).into())
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote<NodeId>,
        snapshot: Snapshot<TypeConfig>,
        _: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<NodeId>, StreamingError<TypeConfig, Fatal<NodeId>>> {
        let node = self.network.node(self.to)?;
        let last = snapshot.meta.last_log_id;
        let highest = node.install(vote, snapshot).await;
        let highest = highest.map_err(|error| Unreachable::new(&error))?;
        if highest == vote {
            self.network.acknowledged.up_to(self.to, &vote, last);
        }
        Ok(SnapshotResponse::new(highest))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<NodeId>,
        _: RPCOption,
    ) -> Result<VoteResponse<NodeId>, Failure> {
        let node = self.network.node(self.to)?;
        let answer = node.vote(request).await;
        answer.map_err(|error| RemoteError::new(self.to, error).into())
    }
}

#[async_trait]
impl Peers for LocalNetwork {
    async fn read_index(
        &self,
        leader: NodeId,
        at: &Member,
    ) -> Result<Option<LogId<NodeId>>, PeerError> {
        let failed = |reason| PeerError {
            member: at.clone(),
            reason,
        };
        let node = self
            .node(leader)
            .map_err(|error| failed(error.to_string()))?;
        node.read_index().await.map_err(failed)
    }

    async fn may_lead(
        &self,
        leader: NodeId,
        at: &Member,
        candidate: NodeId,
    ) -> Result<PlaceAnswer, PeerError> {
        let node = self.node(leader).map_err(|error| PeerError {
            member: at.clone(),
            reason: error.to_string(),
        })?;
        let answer = node.asked_for_place(candidate);
        let mut stalled = self.wires().places_stalled.subscribe();
        // It fails only where the cluster is gone.
        let _ = stalled.wait_for(|stalled| !stalled).await;
        Ok(answer)
    }

    async fn misses_a_leader(&self, node: NodeId, at: &Member) -> Result<bool, PeerError> {
        let failed = |reason| PeerError {
            member: at.clone(),
            reason,
        };
        let node = self.node(node).map_err(|error| failed(error.to_string()))?;
        let misses = node.misses_a_leader().await;
        misses.map_err(|error| failed(error.to_string()))
    }
}
