//! What a leader says is looked at before Raft takes it for granted: whether it is of the history that is
//! committed here.
//!
//! That fails only where a node was started on an older copy of its directory. Then there is nothing to go
//! on with, and the node ends.

use std::fmt::Display;
use std::sync::Arc;

use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use openraft::{LogId, RaftState, Snapshot, TokioInstant, Vote};

use super::network::ReplicaError;
use super::node::Node;
use super::overruled::agrees;
use super::types::{Member, NodeId, TypeConfig};

type State = RaftState<NodeId, Member, TokioInstant>;

impl Node {
    /// Takes entries, or a sign of life.
    pub async fn append(
        &self,
        request: AppendEntriesRequest<TypeConfig>,
    ) -> Result<AppendEntriesResponse<NodeId>, ReplicaError> {
        let said = request.entries.iter().map(|entry| entry.log_id);
        let said = said.chain(request.prev_log_id).chain(request.leader_commit);
        self.heed(request.vote, said.collect()).await?;
        let answer = self.raft.append_entries(request).await;
        answer.map_err(ReplicaError::new)
    }

    /// Takes a snapshot in the place of what it has, and answers the highest ballot that it has seen.
    pub async fn install(
        &self,
        vote: Vote<NodeId>,
        snapshot: Snapshot<TypeConfig>,
    ) -> Result<Vote<NodeId>, ReplicaError> {
        let last = snapshot.meta.last_log_id;
        self.heed(vote, last.into_iter().collect()).await?;
        let answer = self.raft.install_full_snapshot(vote, snapshot).await;
        Ok(answer.map_err(ReplicaError::new)?.vote)
    }

    async fn heed(&self, vote: Vote<NodeId>, said: Vec<LogId<NodeId>>) -> Result<(), ReplicaError> {
        let looked = self.raft.with_raft_state(move |state: &State| {
            // Raft does not listen to one that is over.
            let is_heard = vote >= *state.vote_ref();
            let committed = state.committed.as_ref().filter(|_| is_heard);
            let agree = |committed| said.iter().try_for_each(|id| agrees(id, committed));
            committed.map_or(Ok(()), agree)
        });
        let agrees = looked.await.map_err(ReplicaError::new)?;
        agrees.map_err(|overruled| self.fail(overruled))
    }

    /// The node must not go on: it ends, and its process with it.
    fn fail(&self, reason: impl Display) -> ReplicaError {
        let told: Arc<str> = reason.to_string().into();
        self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            failure.get_or_insert(told.clone());
            is_first
        });
        let raft = self.raft.clone();
        // Only a panic there could fail this, and then it has stopped as well.
        tokio::spawn(async move { raft.shutdown().await });
        ReplicaError(told.to_string())
    }
}
