//! Leadership: the node leads the others by Raft, a majority has just said so, and the node's
//! machine has all that was acknowledged. It lasts for a lease from when the majority was asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use stepdown_core::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::assemble::Owned;
use super::hush::Hushed;
use super::node::Node;
use super::seat::{Coordinator, Sitter};
use crate::backend::{Leadership, LeadershipReport};
use crate::clock::boottime;
use crate::public_address::PublicAddress;
use crate::under_way::UnderWay;

pub(super) struct RaftLeadership {
    pub(super) node: Arc<Node>,
    pub(super) coordinator: Coordinator,
    /// Where people reach it, if that is known.
    pub(super) public_address: Option<PublicAddress>,
    /// How many stores are under way.
    pub(super) stores: watch::Sender<usize>,
    /// Others that hear nothing, until it has given its place away.
    pub(super) prepared: Mutex<Option<Hushed>>,
    /// Why nobody can lead.
    pub(super) obstacle: watch::Sender<Option<Arc<str>>>,
    pub(super) _owned: Owned,
}

/// Why leadership ended.
struct Loss {
    reason: String,
    /// Whether the seat is kept until it is given back: nobody else may lead yet.
    keeps_seat: bool,
}

/// Leadership, in one term of Raft's.
struct Won {
    term: u64,
    authority: Timestamp,
}

impl RaftLeadership {
    fn lock_prepared(&self) -> MutexGuard<'_, Option<Hushed>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Campaigns until it leads. Between that and the report nothing can be cancelled, so
    /// leadership is never kept without being reported.
    async fn campaign(&self, reports: &mpsc::Sender<LeadershipReport>) -> Option<Won> {
        let _campaign = UnderWay::begin(&self.node.campaigns);
        // Nothing is to be released any more.
        drop(self.lock_prepared().take());
        loop {
            let permit = reports.reserve().await.ok()?;
            let won = tokio::select! {
                () = reports.closed() => return None,
                won = self.win() => won,
            };
            if let Some(won) = won
                && self.node.seat.take(self.coordinator, won.term)
            {
                self.obstacle.send_replace(None);
                let address = self.public_address.as_ref();
                self.node.introduce(self.coordinator, address);
                permit.send(LeadershipReport::Won {
                    authority: Some(won.authority),
                });
                return Some(won);
            }
            self.node.ballot.release(self.coordinator);
            drop(permit);
            self.look_for_obstacle();
            tokio::select! {
                () = reports.closed() => return None,
                () = sleep(self.node.timing.ask_every()) => {}
            }
        }
    }

    /// Without a majority nobody leads; where somebody is known to, all is well.
    fn look_for_obstacle(&self) {
        let lacks_majority = self.node.leader().is_none() || self.node.voice.is_cut_off();
        let obstacle: Option<Arc<str>> = lacks_majority.then(|| {
            "no majority of the nodes of metadata.raft elects a leader: bring back those that do not run, or do \
             not reach this one"
                .into()
        });
        self.obstacle.send_if_modified(|known| {
            let is_new = *known != obstacle;
            *known = obstacle;
            is_new
        });
    }

    /// Leads now, if the node does, or asks whoever leads for its place.
    async fn win(&self) -> Option<Won> {
        let Some(term) = self.node.leads() else {
            self.node.ask_for_place().await;
            return None;
        };
        // Whoever it is kept for needs this node's vote.
        if !self.node.seat.is_free_for(self.coordinator) {
            return None;
        }
        let authority = self.confirm(term).await?;
        Some(Won { term, authority })
    }

    /// Asks a majority; says until when nobody else is elected, if it has answered. This node votes for
    /// nobody else until then.
    async fn confirm(&self, term: u64) -> Option<Timestamp> {
        // To ask is to be heard.
        if self.node.voice.is_cut_off() {
            return None;
        }
        // Before they are asked: whoever answers has heard from us later than this.
        let asked = boottime();
        let answered = self.node.raft.ensure_linearizable();
        let answered = timeout(self.node.timing.patience(), answered).await;
        if !matches!(answered, Ok(Ok(_))) {
            // Whoever is left alone may be the one that it takes.
            self.node.hush.give_up();
            return None;
        }
        let authority = asked.after(self.node.timing.authority());
        let is_bound = self.node.bind(self.coordinator, term, authority).await;
        is_bound.then_some(authority)
    }

    /// Asks again until a majority answers, after a while.
    async fn renew(&self, term: u64) -> Timestamp {
        loop {
            sleep(self.node.timing.ask_every()).await;
            if let Some(authority) = self.confirm(term).await {
                return authority;
            }
        }
    }

    /// Holds on to leadership; says why it ended, unless nobody listens any more.
    async fn hold(&self, mut won: Won, reports: &mpsc::Sender<LeadershipReport>) -> Option<Loss> {
        let gone = |reason| Loss {
            reason,
            keeps_seat: false,
        };
        loop {
            let left = won.authority.since(boottime());
            tokio::select! {
                () = reports.closed() => return None,
                () = self.node.seat.left(self.coordinator) => {
                    return Some(gone("leadership was released".to_owned()));
                }
                () = self.node.seat.reserved() => {
                    return Some(Loss {
                        reason: "another is to lead".to_owned(),
                        keeps_seat: true,
                    });
                }
                reason = self.node.deposed(won.term) => return Some(gone(reason)),
                () = sleep(left) => {
                    let authority = self.node.timing.authority();
                    let reason = format!("no majority has answered for {authority:?}");
                    return Some(gone(reason));
                }
                authority = self.renew(won.term) => {
                    won.authority = authority;
                    // A listener that is behind takes the next one.
                    let _ = reports.try_send(LeadershipReport::Extended { authority });
                }
            }
        }
    }
}

#[async_trait]
impl Leadership for RaftLeadership {
    async fn lead(&self, reports: mpsc::Sender<LeadershipReport>) {
        let Some(won) = self.campaign(&reports).await else {
            return;
        };
        if let Some(Loss { reason, keeps_seat }) = self.hold(won, &reports).await {
            if !keeps_seat {
                self.node.seat.leave(self.coordinator);
            }
            // Nobody listens any more: then it needs no telling.
            let _ = reports.send(LeadershipReport::Lost { reason }).await;
        }
    }

    async fn prepare_release(&self) {
        let sitter = self.node.seat.sitter();
        if !matches!(sitter, Sitter::Coordinator(present, _) if present == self.coordinator) {
            return;
        }
        let hushed = tokio::select! {
            hushed = self.node.loosen(None) => hushed,
            () = self.node.seat.left(self.coordinator) => None,
        };
        *self.lock_prepared() = hushed;
    }

    async fn release(&self) {
        UnderWay::none(&self.stores).await;
        self.node.ballot.release(self.coordinator);
        if self.node.seat.leave(self.coordinator)
            && let Some(term) = self.node.leads()
            && self.node.has_peers()
        {
            // Whoever waits for it asks for it, before this process is gone or campaigns again.
            let within = self.node.timing.ask_every() * 4;
            self.node.seat.promised(within).await;
            if matches!(self.node.seat.sitter(), Sitter::Promised(..)) {
                // It may need this node's vote. Where it is not elected after all, nothing is lost.
                let within = self.node.timing.election_min + self.node.timing.election_max;
                let _ = timeout(within, self.node.deposed(term)).await;
            }
        }
    }

    fn obstacle(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.obstacle.subscribe()
    }

    fn leader(&self) -> Option<Arc<str>> {
        let (_, member) = self.node.leader()?;
        Some(member.name.into())
    }

    fn leader_address(&self, leader: &str) -> Option<PublicAddress> {
        self.node.leader_address(leader)
    }
}
