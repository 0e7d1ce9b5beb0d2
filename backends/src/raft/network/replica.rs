//! Whom the messages of other nodes are handed to.

use async_trait::async_trait;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use openraft::{Raft, Snapshot, Vote};

use crate::raft::types::{NodeId, TypeConfig};

/// One node's Raft, as the others see it.
#[async_trait]
pub trait Replica: Send + Sync + 'static {
    /// Entries, or a sign of life.
    async fn append(
        &self,
        request: AppendEntriesRequest<TypeConfig>,
    ) -> Result<AppendEntriesResponse<NodeId>, ReplicaError>;

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

    /// Stands for election now.
    async fn elect(&self) -> Result<(), ReplicaError>;
}

/// A Raft that has ended, or can't write any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node's Raft does not work any more: {0}")]
pub struct ReplicaError(pub String);

impl ReplicaError {
    fn new(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

#[async_trait]
impl Replica for Raft<TypeConfig> {
    async fn append(
        &self,
        request: AppendEntriesRequest<TypeConfig>,
    ) -> Result<AppendEntriesResponse<NodeId>, ReplicaError> {
        self.append_entries(request)
            .await
            .map_err(ReplicaError::new)
    }

    async fn vote(
        &self,
        request: VoteRequest<NodeId>,
    ) -> Result<VoteResponse<NodeId>, ReplicaError> {
        Self::vote(self, request).await.map_err(ReplicaError::new)
    }

    async fn install(
        &self,
        ballot: Vote<NodeId>,
        snapshot: Snapshot<TypeConfig>,
    ) -> Result<Vote<NodeId>, ReplicaError> {
        let installed = self.install_full_snapshot(ballot, snapshot).await;
        Ok(installed.map_err(ReplicaError::new)?.vote)
    }

    async fn elect(&self) -> Result<(), ReplicaError> {
        self.trigger().elect().await.map_err(ReplicaError::new)
    }
}
