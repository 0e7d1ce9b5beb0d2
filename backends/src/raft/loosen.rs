//! What a leader does so that whoever follows it is elected at once.
//!
//! Whoever has heard from a leader votes for nobody else for a lease. Of up to three nodes, a leader and
//! whoever follows it are a majority. Of more, they need others: so many are left alone until they would
//! vote for another, while their leader leads on with the rest, and then it gives its place to one of the
//! rest.

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::handover::{CLOSE, KEPT_FREE};
use super::hush::Hushed;
use super::node::Node;
use super::standing::is_majority;
use super::types::{Member, NodeId};

/// A node that votes, and where it is.
type Voter = (NodeId, Member);

impl Node {
    /// Waits, while it leads, until whoever follows it is elected at once: this successor, or anybody that
    /// is not left alone, where none is named. It leads on meanwhile, and others are left alone for as long
    /// as what is returned is kept. Returns at once where waiting is of no use.
    pub(super) async fn loosen(&self, successor: Option<NodeId>) -> Option<Hushed> {
        let term = self.leads()?;
        let lease = self.timing.election_max;
        let its_own = lease.saturating_sub(self.terms.borrow().elapsed());
        let (voters, there) = self.reachable().await;
        if there.is_empty() {
            return None;
        }
        let spared = spared(&there, voters, successor);
        let hushed = if spared.is_empty() {
            None
        } else {
            let nodes = spared.iter().map(|(id, _)| *id).collect();
            let hushed = self.hush.begin(nodes, lease * 2 + KEPT_FREE)?;
            let names: Vec<_> = spared.iter().map(|(_, at)| at.to_string()).collect();
            tracing::info!(alone = names.join(", "), "Prepares to be followed at once");
            Some(hushed)
        };
        let free = async {
            sleep(its_own).await;
            if let Some(hushed) = &hushed {
                while hushed.lasts() && !self.miss_a_leader(&spared).await {
                    sleep(self.timing.ask_every() / 2).await;
                }
                hushed.are_free();
            }
        };
        // What was on its way to them counts, too.
        let free = timeout(lease + lease / 2, free);
        tokio::select! {
            free = free => free.ok().and(hushed),
            _ = self.deposed(term) => None,
        }
    }

    async fn miss_a_leader(&self, nodes: &[Voter]) -> bool {
        let asked = nodes.iter();
        let asked = asked.map(|(id, at)| self.asked_whether_it_misses(*id, at));
        let answers = join_all(asked).await;
        answers.iter().all(|answer| *answer == Some(true))
    }

    /// How many vote, and those of the others that answer and have nearly everything; whoever has most is
    /// first.
    async fn reachable(&self) -> (usize, Vec<Voter>) {
        let metrics = self.raft.server_metrics();
        let membership = metrics.borrow().membership_config.membership().clone();
        // While members change there are two majorities.
        if membership.get_joint_config().len() > 1 {
            return (0, Vec::new());
        }
        let others = membership.voter_ids().filter(|id| *id != self.id());
        let near = others.filter_map(|id| {
            let behind = self.behind(id).filter(|entries| *entries <= CLOSE)?;
            Some((behind, id, membership.get_node(&id)?.clone()))
        });
        let asked = near.map(|(behind, id, at)| async move {
            let answer = self.asked_whether_it_misses(id, &at).await;
            answer.map(|_| (behind, id, at))
        });
        let mut there: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        there.sort_unstable_by_key(|(behind, id, _)| (*behind, *id));
        let there = there.into_iter().map(|(_, id, at)| (id, at)).collect();
        (membership.voter_ids().count(), there)
    }

    /// Whether this one, a candidate and those who are left alone and would vote are a majority.
    pub(super) fn is_followed_at_once(&self, candidate: NodeId) -> bool {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow();
        let mut free = self.hush.free_for(self.timing.election_max);
        free.extend([self.id(), candidate]);
        is_majority(metrics.membership_config.membership(), &free)
    }
}

/// Whom of those that are there a leader leaves alone: as many as its successor needs beside the two, and
/// nobody where it would have no majority without them.
fn spared(there: &[Voter], voters: usize, successor: Option<NodeId>) -> Vec<Voter> {
    let majority = voters / 2 + 1;
    let needed = majority.saturating_sub(2);
    if there.len() + 1 < majority + needed {
        return Vec::new();
    }
    let others = there.iter().rev().filter(|(id, _)| Some(*id) != successor);
    others.take(needed).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn set(nodes: &[NodeId]) -> BTreeSet<NodeId> {
        nodes.iter().copied().collect()
    }

    #[test]
    fn a_leader_spares_as_many_as_its_successor_needs_and_no_more_than_it_can_do_without() {
        let all: Vec<Voter> = (2..=7).map(|id| (id, Member::default())).collect();
        let spared = |there: usize, voters, successor| -> BTreeSet<NodeId> {
            let spared = spared(&all[..there], voters, successor);
            spared.into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(spared(2, 3, None), set(&[]));
        assert_eq!(spared(4, 5, None), set(&[5]));
        assert_eq!(spared(4, 5, Some(5)), set(&[4]));
        assert_eq!(spared(3, 5, None), set(&[4]));
        assert_eq!(spared(2, 5, None), set(&[]));
        assert_eq!(spared(3, 4, Some(2)), set(&[4]));
        assert_eq!(spared(2, 4, None), set(&[]));
        assert_eq!(spared(6, 7, None), set(&[6, 7]));
        assert_eq!(spared(6, 7, Some(6)), set(&[5, 7]));
        assert_eq!(spared(4, 7, None), set(&[]));
    }
}
