//! How one node follows another at once, and not only when a lease is over that nobody needs.
//!
//! Whoever has heard from a leader votes for nobody else for a lease. The leader itself hears from
//! nobody: its own vote is as old as its election. Where it and the candidate are a majority, or are one
//! with those that the leader has left alone until they would vote for another, the candidate is elected as
//! soon as the leader has led for a lease; elsewhere the leader keeps silent for one first. A candidate that
//! stood any earlier would be refused, and would only depose the leader.

use std::sync::Arc;
use std::time::Duration;

use openraft::metrics::RaftServerMetrics;
use openraft::{RaftMetrics, Vote};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::node::Node;
use super::seat::Promise;
use super::types::{Member, NodeId};
use crate::clock::boottime;

/// How long a place is kept for one that is to lead: its leader has to finish what it does, and it
/// has to be elected.
pub(super) const KEPT_FREE: Duration = Duration::from_secs(10);

/// Whoever is no further behind than this many entries has caught up.
pub(super) const CLOSE: u64 = 64;

/// When the last vote was cast for another term or leader.
pub(super) type Terms = watch::Receiver<Instant>;

/// What has come of asking for a leader's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It was given too long ago.
    NoLongerKept,
    /// It was not given, or nobody has said so for long.
    NotGiven,
    /// It was given, and this node stood for election.
    StoodFor,
    /// It was given, and somebody else has it by now.
    Taken,
}

/// Follows the votes of a node.
pub(super) fn follow(mut metrics: watch::Receiver<RaftServerMetrics<NodeId, Member>>) -> Terms {
    let (sender, receiver) = watch::channel(Instant::now());
    tokio::spawn(async move {
        let mut known = metrics.borrow_and_update().vote;
        while metrics.changed().await.is_ok() {
            let vote = metrics.borrow_and_update().vote;
            if vote != known {
                known = vote;
                sender.send_replace(Instant::now());
            }
        }
    });
    receiver
}

impl Node {
    /// Gives its place to this candidate, if its own coordinator neither leads nor campaigns: it is not
    /// heard of for a while, so that the others may vote. Says when the candidate may stand, if it does.
    #[must_use]
    pub fn make_way(self: &Arc<Self>, candidate: NodeId) -> Option<Duration> {
        self.leads()?;
        if !self.can_take_over(candidate) {
            return None;
        }
        // Else two that campaign pass it to and fro.
        if *self.campaigns.borrow() > 0 && self.seat.successor() != Some(candidate) {
            return None;
        }
        let promise = self.seat.promise(candidate)?;
        let refused_for = self.refused_for(candidate);
        self.keep_silent(promise, refused_for);
        Some(refused_for)
    }

    /// Once this node can be elected at once, has its own coordinator leave, and gives its place to that one
    /// alone, for a while. Returns once another leads, and says whether one does: not if the successor has
    /// gone meanwhile, and then nothing was done. It goes on even if nobody waits for it any more.
    pub(super) async fn hand_over(self: &Arc<Self>, successor: NodeId) -> bool {
        let Some(term) = self.leads() else {
            return true;
        };
        let node = self.clone();
        let handing = tokio::spawn(async move {
            let _hushed = node.loosen(Some(successor)).await;
            if node.leads() != Some(term) {
                return true;
            }
            if !node.can_take_over(successor) || !node.answers(successor).await {
                return false;
            }
            node.seat.reserve(successor);
            let deposed = timeout(KEPT_FREE, node.deposed(term)).await;
            node.seat.open(successor);
            // Whoever it is promised to was told when to stand.
            let within = node.timing.election_min + node.timing.election_max;
            let _ = timeout(within, node.seat.unpromised()).await;
            deposed.is_ok()
        });
        // It ends early only with the process.
        handing.await.unwrap_or(false)
    }

    async fn answers(&self, voter: NodeId) -> bool {
        let metrics = self.raft.server_metrics();
        let membership = metrics.borrow().membership_config.membership().clone();
        let Some(at) = membership.get_node(&voter) else {
            return false;
        };
        self.asked_whether_it_misses(voter, at).await.is_some()
    }

    /// Whether it votes, and has nearly all that this one has, and hears of the rest: it would stand in vain.
    fn can_take_over(&self, candidate: NodeId) -> bool {
        let metrics = self.raft.server_metrics();
        let votes = metrics
            .borrow()
            .membership_config
            .voter_ids()
            .any(|it| it == candidate);
        votes
            && !self.hush.includes(candidate)
            && self
                .behind(candidate)
                .is_some_and(|entries| entries <= CLOSE)
    }

    /// How many entries another node is behind this one, which leads; `None` where it has none yet.
    pub(super) fn behind(&self, node: NodeId) -> Option<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let matched = metrics
            .replication
            .as_ref()?
            .get(&node)
            .copied()
            .flatten()?;
        let last = metrics.last_log_index.unwrap_or_default();
        Some(last.saturating_sub(matched.index))
    }

    fn keep_silent(self: &Arc<Self>, promise: Promise, refused_for: Duration) {
        self.make_way_in_silence(true);
        let silence = refused_for + self.timing.election_max;
        let node = self.clone();
        tokio::spawn(async move {
            sleep(silence).await;
            if node.seat.take_back(promise) {
                node.make_way_in_silence(false);
            }
        });
    }

    /// For how long this candidate would be refused yet.
    fn refused_for(&self, candidate: NodeId) -> Duration {
        let lease = self.timing.election_max;
        if !self.is_followed_at_once(candidate) {
            return lease;
        }
        lease.saturating_sub(self.terms.borrow().elapsed())
    }

    /// Asks whoever leads for its place, and stands for election if it is given.
    pub(super) async fn ask_for_place(&self) -> Place {
        // Once for all coordinators of this node.
        let Ok(_asking) = self.asking.try_lock() else {
            return Place::NotGiven;
        };
        let led = self.voted_for();
        let Some((leader, member)) = self.leader().filter(|(leader, _)| *leader != self.id())
        else {
            return Place::NotGiven;
        };
        // Before it is asked: the leader keeps its place free from later than this.
        let since = boottime();
        let asked = self.peers.may_lead(leader, &member, self.id());
        let Ok(Ok(answer)) = timeout(self.timing.patience(), asked).await else {
            return Place::NotGiven;
        };
        self.was_told(leader, answer.public_address);
        let Some(delay) = answer.delay else {
            return Place::NotGiven;
        };
        // A little more, and less, for what the clocks differ in.
        sleep(delay + delay / 20).await;
        let kept = (delay + self.timing.election_max) * 19 / 20;
        // A place that somebody else has by now was not given, nor one that is kept no longer: the answer
        // may have been on its way for long, or this process have stood still.
        if boottime().since(since) >= kept {
            return Place::NoLongerKept;
        }
        if self.voted_for() != led {
            return Place::Taken;
        }
        // It fails only where the node has stopped.
        let _ = self.raft.trigger().elect().await;
        let is_elected =
            |metrics: &RaftMetrics<NodeId, Member>| metrics.current_leader == Some(self.id());
        let elected = self.raft.wait(Some(self.timing.election_min));
        // Not elected in time: then the place is asked for again.
        let _ = elected.metrics(is_elected, "elected").await;
        Place::StoodFor
    }

    /// Whom it has voted for last, or follows.
    fn voted_for(&self) -> Vote<NodeId> {
        self.raft.server_metrics().borrow().vote
    }

    /// Whether others vote beside it.
    pub(super) fn has_peers(&self) -> bool {
        self.voters() > 1
    }

    pub(super) fn voters(&self) -> usize {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow();
        metrics.membership_config.voter_ids().count()
    }
}
