//! What a leader says is looked at before Raft takes it for granted: whether it is of the history that is
//! committed here, and whether this node still has what it has acknowledged.
//!
//! Both fail only where a node was started on an older copy of its directory, or on another's. Then there
//! is nothing to go on with, and the node ends.

use std::fmt::Display;
use std::sync::Arc;

use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use openraft::{LogId, RaftState, Snapshot, TokioInstant, Vote};

use super::network::{Asked, ReplicaError};
use super::node::Node;
use super::overruled::agrees;
use super::types::{Member, NodeId, TypeConfig};

type State = RaftState<NodeId, Member, TokioInstant>;

/// A node does not have any more what it has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "node {node} has acknowledged entry {acknowledged} to its leader, and does not have it any more: it was \
     started on an older copy of its directory; empty that, and add the node again, but where others say \
     the same, export the documents first, and empty nothing before"
)]
pub struct Forgotten {
    /// The node.
    pub node: NodeId,
    /// The last entry that it has acknowledged.
    pub acknowledged: u64,
}

impl Node {
    /// Takes entries, or a sign of life. The leader knows this node to have `acknowledged`.
    pub async fn append(
        &self,
        request: AppendEntriesRequest<TypeConfig>,
        acknowledged: Option<LogId<NodeId>>,
    ) -> Result<AppendEntriesResponse<NodeId>, ReplicaError> {
        let last = Asked::of(&request).last();
        let said = request.entries.iter().map(|entry| entry.log_id);
        let said = said.chain(request.prev_log_id).chain(request.leader_commit);
        self.heed(request.vote, said.collect(), acknowledged)
            .await?;
        let answer = self.raft.append_entries(request).await;
        let answer = answer.map_err(ReplicaError::new)?;
        if answer.is_success() {
            self.had.include(last);
        }
        Ok(answer)
    }

    /// Takes a snapshot in the place of what it has, and answers the highest ballot that it has seen.
    pub async fn install(
        &self,
        vote: Vote<NodeId>,
        snapshot: Snapshot<TypeConfig>,
    ) -> Result<Vote<NodeId>, ReplicaError> {
        let last = snapshot.meta.last_log_id;
        self.heed(vote, last.into_iter().collect(), None).await?;
        let answer = self.raft.install_full_snapshot(vote, snapshot).await;
        let highest = answer.map_err(ReplicaError::new)?.vote;
        if highest == vote {
            self.had.include(last);
        }
        Ok(highest)
    }

    async fn heed(
        &self,
        vote: Vote<NodeId>,
        said: Vec<LogId<NodeId>>,
        acknowledged: Option<LogId<NodeId>>,
    ) -> Result<(), ReplicaError> {
        let looked = self.raft.with_raft_state(move |state: &State| {
            // Raft does not listen to one that is over, and members alone have led this node.
            let is_heard = vote >= *state.vote_ref() && may_lead(state, vote);
            if !is_heard {
                return Ok(false);
            }
            let committed = state.committed.as_ref();
            let agree = |committed| said.iter().try_for_each(|id| agrees(id, committed));
            committed.map_or(Ok(()), agree).map(|()| true)
        });
        let is_heard = match looked.await.map_err(ReplicaError::new)? {
            Ok(is_heard) => is_heard,
            Err(overruled) => return Err(self.fail(overruled)),
        };
        match acknowledged {
            Some(last) if is_heard && !self.had.includes(&last) => Err(self.fail(Forgotten {
                node: self.id(),
                acknowledged: last.index,
            })),
            Some(_) | None => Ok(()),
        }
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

/// Whether the node that this ballot names is a member, as far as members are known.
fn may_lead(state: &State, vote: Vote<NodeId>) -> bool {
    let membership = state.membership_state.effective().membership();
    let is_known = membership.nodes().next().is_some();
    !is_known || membership.get_node(&vote.leader_id.node_id).is_some()
}
