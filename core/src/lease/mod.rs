//! The election by lease as a pure machine: who may lead, and until when.
//!
//! The lease is one object in a store that compares and sets. Its holder renews it; whoever sees
//! it unchanged for its whole duration, by his own clock, may take it over. No clock is compared
//! with another's: only the *rates* have to agree ([`LeaseTiming::clock_error`]). The algorithm is
//! that of client-go's `leaderelection`, on whose records it works, with these differences:
//!
//! - authority ends R after the last acknowledged renewal was *sent*, not after its answer came;
//! - a holder that reads somebody else's name stops at once, and so does one that reads its own
//!   name written by another process;
//! - a watch makes a candidate look at once, and spares it the polling as long as it talks. What it
//!   shows is never trusted to be new: every write compares versions;
//! - the lease is given back only after the office is empty.

mod answer;
mod candidate;
mod flaps;
mod holder;
mod message;
mod record;
mod release;
mod request;
mod timing;

#[cfg(test)]
mod election_tests;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use self::flaps::FlapLimit;
pub use self::message::{LeaseEffect, LeaseEvent, LeaseReading, LeaseReport, LeaseWriting};
pub use self::record::{Lease, LeaseRecord, WallTime};
pub use self::timing::{LeaseTiming, LeaseTimingError};

use self::candidate::Seen;
use self::flaps::Flaps;
use self::request::Request;
use crate::backoff::Backoff;
use crate::id::{Epoch, ProcessId, RequestId, Timestamp};

/// What a [`LeaseState`] is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseOptions {
    /// The name that the lease gives its holder.
    pub name: Arc<str>,
    /// This process.
    pub process: ProcessId,
    /// The UID of the pod that this process runs in, if it does: after a restart in the same pod
    /// the lease need not be waited for.
    pub pod: Option<Arc<str>>,
    /// The only source of chance: jitter.
    pub seed: u64,
    /// The durations to go by.
    pub timing: LeaseTiming,
    /// How many losses are too many.
    pub flaps: FlapLimit,
}

/// One candidate in an election by lease.
///
/// It is driven as a [`CoordinatorState`](crate::CoordinatorState) is: drain
/// [`poll_effect`](Self::poll_effect) after every [`handle`](Self::handle), feed every answer, and
/// feed [`LeaseEvent::TimePassed`] at [`poll_deadline`](Self::poll_deadline). It has at most one
/// request under way, and each has to be answered exactly once.
#[derive(Debug)]
pub struct LeaseState {
    options: LeaseOptions,
    rng: fastrand::Rng,
    now: Timestamp,
    outbox: VecDeque<LeaseEffect>,
    last_request: RequestId,
    under_way: Option<Request>,
    phase: Phase,
    seen: Option<Seen>,
    /// A write of ours whose fate is unknown.
    doubt: Option<Attempt>,
    /// Whether the lease is to be read before anything else is done with it.
    look: bool,
    /// The earliest next try, after something failed.
    not_before: Timestamp,
    backoff: Backoff,
    /// Whether a lease that we made may still come about, at any time at which there is none.
    unheard_creation: bool,
    /// Writes in a row whose fate was unknown: a store that can be read but not written may answer
    /// at once every time.
    doubts: Backoff,
    epoch: Epoch,
    flaps: Flaps,
    cool_until: Timestamp,
    /// Whom the lease is to be given to at the next release.
    successor: Option<Arc<str>>,
}

/// A write that may have been applied.
#[derive(Clone, Debug)]
struct Attempt {
    sent: Timestamp,
    wall: WallTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody wants to lead. The lease may still be ours.
    Resting,
    /// It bids for the lease as soon as that is free, and looks at it until then.
    Campaigning {
        /// When to look next, if nothing is heard before.
        look_at: Timestamp,
    },
    /// It holds the lease and renews it.
    Holding {
        authority: Timestamp,
        renew_at: Timestamp,
    },
    /// It gives the lease back.
    Releasing {
        /// When to give that up.
        until: Timestamp,
        /// Whether somebody wanted to lead again meanwhile.
        again: bool,
    },
}

/// Why a [`LeaseState`] wants to be woken; for people who debug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaseReason {
    /// Authority ends.
    Authority,
    /// A bid is due.
    Bid,
    /// The lease is to be looked at.
    Look,
    /// The release is tried again, or given up.
    Release,
    /// The lease is to be renewed.
    Renew,
}

impl LeaseState {
    /// A candidate that does nothing yet.
    #[must_use]
    pub fn new(options: LeaseOptions, now: Timestamp) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(options.seed),
            flaps: Flaps::new(options.flaps),
            options,
            now,
            outbox: VecDeque::new(),
            last_request: RequestId(0),
            under_way: None,
            phase: Phase::Resting,
            seen: None,
            doubt: None,
            look: false,
            not_before: Timestamp(0),
            backoff: Backoff::default(),
            unheard_creation: false,
            doubts: Backoff::default(),
            epoch: Epoch(0),
            cool_until: Timestamp(0),
            successor: None,
        }
    }

    /// Takes in what has happened. `now` never goes back.
    pub fn handle(&mut self, now: Timestamp, event: LeaseEvent) {
        self.now = self.now.max(now);
        // Before anything else is believed: authority that has ended is not extended by an answer
        // that comes after its end.
        self.expire();
        match event {
            LeaseEvent::CampaignRequested => self.campaign(),
            LeaseEvent::EpochRaised(epoch) => self.raise_epoch(epoch),
            LeaseEvent::LeaseHinted => self.look |= self.phase != Phase::Resting,
            LeaseEvent::LeaseObserved(lease) => self.observed(lease),
            LeaseEvent::LeaseRead { request, outcome } => {
                if self.ended(request).is_some() {
                    self.read(outcome);
                }
            }
            LeaseEvent::LeaseWritten {
                request,
                sent,
                wall,
                outcome,
            } => {
                if let Some(Some(write)) = self.ended(request) {
                    self.written(write, sent, wall, outcome);
                }
            }
            LeaseEvent::OfficeClosed => self.close(),
            LeaseEvent::ReleaseRequested => self.begin_release(),
            LeaseEvent::TimePassed => {}
        }
        self.work();
    }

    /// The next thing to do, in order; `None` when there is nothing left to do now.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<LeaseEffect> {
        self.outbox.pop_front()
    }

    /// When to feed [`LeaseEvent::TimePassed`] next, if nothing happens before, and why.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<(Timestamp, LeaseReason)> {
        let idle = self.under_way.is_none();
        let due = |at: Timestamp| Some(at.max(self.not_before)).filter(|_| idle);
        match self.phase {
            Phase::Resting if self.look => due(self.now).map(|at| (at, LeaseReason::Look)),
            Phase::Resting => None,
            Phase::Campaigning { look_at } => {
                let bid = self.bid_at().and_then(due);
                let look = due(if self.look { self.now } else { look_at });
                [
                    bid.map(|at| (at, LeaseReason::Bid)),
                    look.map(|at| (at, LeaseReason::Look)),
                ]
                .into_iter()
                .flatten()
                .min()
            }
            Phase::Holding {
                authority,
                renew_at,
            } => {
                let next = if self.look { self.now } else { renew_at };
                let renew = due(next).map(|at| (at, LeaseReason::Renew));
                renew
                    .into_iter()
                    .chain([(authority, LeaseReason::Authority)])
                    .min()
            }
            Phase::Releasing { until, .. } => {
                let retry = due(self.now).map_or(until, |at| at.min(until));
                Some((retry, LeaseReason::Release))
            }
        }
    }

    /// Until when we lead, if we do.
    #[must_use]
    pub fn authority(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Holding { authority, .. } => Some(authority),
            Phase::Resting | Phase::Campaigning { .. } | Phase::Releasing { .. } => None,
        }
    }

    /// Who held the lease when it was seen last, if anybody did.
    #[must_use]
    pub fn holder(&self) -> Option<&Arc<str>> {
        let lease = self.seen.as_ref()?.lease.as_ref()?;
        Some(&lease.record.holder).filter(|holder| !holder.is_empty())
    }

    /// The greatest epoch that the lease has told of.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Begins what is due.
    fn work(&mut self) {
        if let Phase::Releasing { until, .. } = self.phase
            && until <= self.now
        {
            // Even if an answer is still to come: it ends by itself.
            self.finish_release(false);
        }
        if self.under_way.is_some() {
            return;
        }
        match self.phase {
            Phase::Resting => self.work_resting(),
            Phase::Campaigning { look_at } => self.work_campaign(look_at),
            Phase::Holding { renew_at, .. } => self.work_holding(renew_at),
            Phase::Releasing { .. } => self.work_release(),
        }
    }

    fn work_resting(&mut self) {
        if self.look && self.not_before <= self.now {
            self.send_read();
        }
    }

    fn raise_epoch(&mut self, epoch: Epoch) {
        if epoch <= self.epoch {
            return;
        }
        self.epoch = epoch;
        if let Phase::Holding { renew_at, .. } = &mut self.phase {
            *renew_at = self.now;
        }
    }

    /// Whether this record was written by this very process.
    fn is_ours(&self, record: &LeaseRecord) -> bool {
        record.holder == self.options.name && record.process == Some(self.options.process)
    }

    fn report(&mut self, report: LeaseReport) {
        self.outbox.push_back(LeaseEffect::Report(report));
    }
}
