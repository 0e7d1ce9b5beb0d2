//! Who may stand for election: whoever is told by a majority that it misses a leader, too.
//!
//! A node that was paused, or cut off, has heard from nobody for a while, and would stand; its
//! greater term would depose a leader that everybody else is content with. So it asks first: the
//! pre-vote of Ongaro's dissertation (9.6).

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openraft::error::Fatal;
use openraft::{Membership, RaftState, TokioInstant};
use tokio::time::{sleep, timeout};

use super::node::Node;
use super::types::{Member, NodeId};

/// How long the others' answers are waited for.
const ANSWERS_WITHIN: Duration = Duration::from_millis(300);

type State = RaftState<NodeId, Member, TokioInstant>;

impl Node {
    /// Whether this node has not heard from a leader for a lease, or is one that a majority has not
    /// answered for as long: then it would vote for another.
    pub async fn misses_a_leader(&self) -> Result<bool, Fatal<NodeId>> {
        self.raft.metrics().borrow().running_state.clone()?;
        let lease = self.timing.election_max;
        if self.leads().is_some() {
            let answered = self.raft.data_metrics().borrow().millis_since_quorum_ack;
            return Ok(answered.is_none_or(|since| Duration::from_millis(since) >= lease));
        }
        let misses = move |state: &State| {
            let heard = state.vote_last_modified();
            !state.vote_ref().is_committed() || heard.is_none_or(|at| at.elapsed() >= lease)
        };
        self.raft.with_raft_state(misses).await
    }

    /// Whether another node misses a leader, if it answers in time.
    pub(super) async fn asked_whether_it_misses(&self, node: NodeId, at: &Member) -> Option<bool> {
        let answer = timeout(ANSWERS_WITHIN, self.peers.misses_a_leader(node, at));
        answer.await.ok()?.ok()
    }

    /// Whether a majority of those that vote, this one among them, answer, and whether they miss a
    /// leader is what counts.
    pub(super) async fn majority_answers(&self, counts: impl Fn(bool) -> bool) -> bool {
        let metrics = self.raft.server_metrics();
        let membership = metrics.borrow().membership_config.membership().clone();
        let others = membership.voter_ids().filter(|id| *id != self.id());
        let asked = others.filter_map(|id| Some((id, membership.get_node(&id)?.clone())));
        let mut answers: FuturesUnordered<_> = asked
            .map(|(id, at)| async move { (id, self.peers.misses_a_leader(id, &at).await) })
            .collect();
        let mut counted = BTreeSet::from([self.id()]);
        let heard = async {
            while !is_majority(&membership, &counted) {
                match answers.next().await {
                    Some((id, Ok(misses))) if counts(misses) => drop(counted.insert(id)),
                    Some((_, Ok(_) | Err(_))) => {}
                    None => return false,
                }
            }
            true
        };
        timeout(ANSWERS_WITHIN, heard).await.unwrap_or(false)
    }
}

/// Whether these are a majority, or two of them while members change.
pub(super) fn is_majority(membership: &Membership<NodeId, Member>, of: &BTreeSet<NodeId>) -> bool {
    let mut configs = membership.get_joint_config().iter();
    configs.all(|voters| voters.intersection(of).count() * 2 > voters.len())
}

/// Lets the node stand for election while a leader is missed, and not otherwise. Ends with it.
pub(super) async fn stand_when_missed(node: Weak<Node>, every: Duration) {
    let mut may_stand = false;
    while let Some(node) = node.upgrade() {
        let elections = node.raft.runtime_config();
        // Not on what was known before the node stood still.
        elections.elect(false);
        let Ok(misses) = node.misses_a_leader().await else {
            return;
        };
        node.keep_silent_if_cut_off(misses).await;
        node.leave_nobody_alone_in_vain(misses);
        elections.elect(misses && may_stand);
        may_stand = misses && node.majority_answers(|misses| misses).await;
        elections.elect(may_stand);
        drop::<Arc<Node>>(node);
        sleep(every).await;
    }
}
