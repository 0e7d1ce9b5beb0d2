//! Whether this node votes for another: not while its own coordinator may act.
//!
//! Raft does not ask that of a leader. Its lease is what followers have heard from it; its own vote is
//! as old as its election, so it would help anybody who stands, and the next coordinator would be in
//! office before this one has heard that it is not. The same goes for one that was deposed by a greater
//! term, in which nobody is elected yet. Authority is a lease that only a majority's answers prolong,
//! so nobody is refused for longer than that.

use std::sync::{Mutex, PoisonError};

use openraft::error::RaftError;
use openraft::raft::{VoteRequest, VoteResponse};
use openraft::{RaftState, TokioInstant};
use stepdown_core::Timestamp;

use super::node::Node;
use super::seat::Coordinator;
use super::types::{Member, NodeId};
use crate::clock::boottime;

type State = RaftState<NodeId, Member, TokioInstant>;

/// Until when a coordinator of this node may act.
#[derive(Debug, Default)]
pub(super) struct Ballot {
    authority: Mutex<Option<(Coordinator, Timestamp)>>,
    /// Locked while a vote is cast, or authority is given: one of them sees the other.
    casting: tokio::sync::Mutex<()>,
}

impl Ballot {
    fn is_bound(&self) -> bool {
        let authority = self.authority.lock();
        let authority = authority.unwrap_or_else(PoisonError::into_inner);
        authority.is_some_and(|(_, until)| boottime() <= until)
    }

    fn bind(&self, coordinator: Coordinator, until: Timestamp) {
        let authority = self.authority.lock();
        *authority.unwrap_or_else(PoisonError::into_inner) = Some((coordinator, until));
    }

    /// Binds it for longer, if it is bound to the same one: then no vote was cast since. Says whether it
    /// is.
    fn extend(&self, coordinator: Coordinator, until: Timestamp) -> bool {
        let authority = self.authority.lock();
        let mut authority = authority.unwrap_or_else(PoisonError::into_inner);
        match &mut *authority {
            Some((bound, present)) if *bound == coordinator && boottime() <= *present => {
                *present = until;
                true
            }
            Some(_) | None => false,
        }
    }

    /// This coordinator does nothing more on what it was given.
    pub(super) fn release(&self, coordinator: Coordinator) {
        let authority = self.authority.lock();
        let mut authority = authority.unwrap_or_else(PoisonError::into_inner);
        authority.take_if(|(bound, _)| *bound == coordinator);
    }
}

impl Node {
    /// Answers a candidate that asks for this node's vote.
    pub async fn vote(
        &self,
        request: VoteRequest<NodeId>,
    ) -> Result<VoteResponse<NodeId>, RaftError<NodeId>> {
        let _casting = self.ballot.casting.lock().await;
        if !self.ballot.is_bound() {
            return self.raft.vote(request).await;
        }
        // Its log is no reason, so the candidate need not wait for longer than otherwise.
        let refused = |state: &State| VoteResponse::new(state.vote_ref(), None, false);
        let refused = self.raft.with_raft_state(refused).await;
        refused.map_err(RaftError::Fatal)
    }

    /// Votes for nobody else until then, if this node has voted for nobody else yet and leads in this
    /// term; says whether that is so.
    pub(super) async fn bind(&self, to: Coordinator, term: u64, until: Timestamp) -> bool {
        if self.leads() == Some(term) && self.ballot.extend(to, until) {
            return true;
        }
        let _casting = self.ballot.casting.lock().await;
        let id = self.id();
        // Not by the metrics: they lag behind a vote.
        let leads = self.raft.with_raft_state(move |state: &State| {
            let vote = state.vote_ref();
            vote.is_committed() && vote.leader_id.node_id == id && vote.leader_id.term == term
        });
        let leads = leads.await.unwrap_or(false);
        if leads {
            self.ballot.bind(to, until);
        }
        leads
    }
}
