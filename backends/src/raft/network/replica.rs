//! Whom the messages of other nodes are handed to.

use std::sync::Arc;

use async_trait::async_trait;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use openraft::{LogId, Snapshot, Vote};

use crate::raft::node::Node;
use crate::raft::place::PlaceAnswer;
use crate::raft::types::{NodeId, TypeConfig};

/// One node, as the others see it.
#[async_trait]
pub trait Replica: Send + Sync + 'static {
    /// Entries, or a sign of life, of a leader to whom this node has acknowledged so much.
    async fn append(
        &self,
        request: AppendEntriesRequest<TypeConfig>,
        acknowledged: Option<LogId<NodeId>>,
    ) -> Result<AppendEntriesResponse<NodeId>, ReplicaError>;

    /// Its own ballot. It may lag behind: then Raft itself says so.
    fn ballot(&self) -> Vote<NodeId>;

    /// A candidate asks for a vote.
    async fn vote(
        &self,
        request: VoteRequest<NodeId>,
    ) -> Result<VoteResponse<NodeId>, ReplicaError>;

    /// A whole snapshot. Answers the highest ballot that was seen.
    async fn install(
        &self,
        ballot: Vote<NodeId>,
        snapshot: Snapshot<TypeConfig>,
    ) -> Result<Vote<NodeId>, ReplicaError>;

    /// How far a reader has to be, now, to have seen all that was acknowledged.
    async fn read_index(&self) -> Result<Option<LogId<NodeId>>, ReplicaError>;

    /// Whether it has taken part in a cluster.
    async fn is_formed(&self) -> Result<bool, ReplicaError>;

    /// Whether its cluster has this node for a member, as far as it has heard.
    fn has_member(&self, node: NodeId) -> bool;

    /// Whether it has not heard from a leader for a lease.
    async fn misses_a_leader(&self) -> Result<bool, ReplicaError>;

    /// What it answers to a candidate that asks for its place.
    fn asked_for_place(&self, candidate: NodeId) -> PlaceAnswer;
}

/// Why a node has no answer: it does not lead, has ended, or can't write any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReplicaError(pub String);

impl ReplicaError {
    pub(in crate::raft) fn new(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

#[async_trait]
impl Replica for Arc<Node> {
    async fn append(
        &self,
        request: AppendEntriesRequest<TypeConfig>,
        acknowledged: Option<LogId<NodeId>>,
    ) -> Result<AppendEntriesResponse<NodeId>, ReplicaError> {
        Node::append(self, request, acknowledged).await
    }

    fn ballot(&self) -> Vote<NodeId> {
        self.raft().server_metrics().borrow().vote
    }

    async fn vote(
        &self,
        request: VoteRequest<NodeId>,
    ) -> Result<VoteResponse<NodeId>, ReplicaError> {
        Node::vote(self, request).await.map_err(ReplicaError::new)
    }

    async fn install(
        &self,
        ballot: Vote<NodeId>,
        snapshot: Snapshot<TypeConfig>,
    ) -> Result<Vote<NodeId>, ReplicaError> {
        Node::install(self, ballot, snapshot).await
    }

    async fn read_index(&self) -> Result<Option<LogId<NodeId>>, ReplicaError> {
        Node::read_index(self).await.map_err(ReplicaError)
    }

    async fn is_formed(&self) -> Result<bool, ReplicaError> {
        Node::is_formed(self).await.map_err(ReplicaError::new)
    }

    async fn misses_a_leader(&self) -> Result<bool, ReplicaError> {
        Node::misses_a_leader(self).await.map_err(ReplicaError::new)
    }

    fn has_member(&self, node: NodeId) -> bool {
        Node::has_member(self, node)
    }

    fn asked_for_place(&self, candidate: NodeId) -> PlaceAnswer {
        Node::asked_for_place(self, candidate)
    }
}
