//! The way to the lease: look, wait until it is free, bid.

use std::sync::Arc;
use std::time::Duration;

use super::message::LeaseReport;
use super::record::{Lease, LeaseRecord};
use super::request::Purpose;
use super::{LeaseState, Phase};
use crate::id::Timestamp;

/// The lease as it was seen last, on our own clock.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `None` where there is none.
    pub(super) lease: Option<Lease>,
    /// Whether there is a status document, where there is no lease.
    beside_a_document: bool,
    /// When this record was seen for the first time.
    since: Timestamp,
    /// The random wait before a bid on it.
    jitter: Duration,
}

impl LeaseState {
    pub(super) fn campaign(&mut self) {
        match &mut self.phase {
            Phase::Resting => {}
            Phase::Releasing { again, .. } => {
                *again = true;
                return;
            }
            Phase::Campaigning { .. } | Phase::Holding { .. } => return,
        }
        self.phase = Phase::Campaigning { look_at: self.now };
        self.look = true;
        self.successor = None;
        self.not_before = self.now;
        if self.flaps.cool_down(self.now) {
            // Long enough for any other to have bid; should none, it is not to stay vacant.
            let wait = self.options.timing.reserved();
            self.cool_until = self.now.after(wait);
            self.report(LeaseReport::CoolingDown { wait });
        }
    }

    pub(super) fn observed(&mut self, lease: Option<Lease>) {
        match self.phase {
            Phase::Holding { .. } => {
                // It may show what was there before us, so only a read makes sure.
                self.look |= match &lease {
                    None => true,
                    Some(Lease { record, .. }) => {
                        !self.is_ours(record) || record.transfer_requested.is_some()
                    }
                };
            }
            // What is held is not forgotten for a glance at the past: a write tells.
            Phase::Releasing { .. } => {}
            Phase::Resting if self.may_hold() => {}
            Phase::Resting => self.observed_freely(lease),
            Phase::Campaigning { mut look_at } => {
                let before = self.seen.as_ref().and_then(|seen| seen.lease.clone());
                let (known, shown) = (before.as_ref(), lease.as_ref());
                let is_known = known.map(|it| &it.version) == shown.map(|it| &it.version);
                self.observed_freely(lease);
                // It may show the past. A renewal is believed, for it comes all the time; whatever
                // else keeps us from bidding is looked at.
                self.look |= before.is_some_and(|before| self.is_taken_since(&before.record));
                if !is_known {
                    let quiet = self.options.timing.quiet();
                    look_at = self.now.after(self.spread(quiet));
                }
                self.phase = Phase::Campaigning { look_at };
            }
        }
    }

    fn observed_freely(&mut self, lease: Option<Lease>) {
        if lease.is_some() {
            self.see(lease, true);
        } else {
            self.look |= self.phase != Phase::Resting;
        }
    }

    /// Whether somebody holds it who did not then; one that has not renewed it since, by his own
    /// clock, is one of before.
    fn is_taken_since(&self, then: &LeaseRecord) -> bool {
        let now = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        now.is_some_and(|Lease { record: now, .. }| {
            let is_renewed = then.holder == now.holder && then.renewed < now.renewed;
            now.is_held() && !is_renewed && !then.is_as_old_as(now)
        })
    }

    /// Takes note of the lease. A record that is still the same goes on ageing, even where its
    /// version has changed: somebody may touch its annotations.
    pub(super) fn see(&mut self, lease: Option<Lease>, beside_a_document: bool) {
        let record = lease.as_ref().map(|lease| &lease.record);
        if let Some(record) = record {
            self.epoch = self.epoch.max(record.epoch);
        }
        let before = self.seen.as_ref();
        let known = before.and_then(|seen| seen.lease.as_ref());
        let is_same = before.is_some_and(|seen| match (seen.lease.as_ref(), record) {
            (Some(seen), Some(record)) => seen.record.is_as_old_as(record),
            (None, None) => seen.beside_a_document == beside_a_document,
            (Some(_), None) | (None, Some(_)) => false,
        });
        if !is_same {
            let holder = |record: Option<&LeaseRecord>| {
                record.map_or_else(|| Arc::from(""), |record| record.holder.clone())
            };
            let (was, is) = (holder(known.map(|lease| &lease.record)), holder(record));
            if record.is_some_and(|record| record.is_held() && record.holder != self.options.name) {
                self.flaps.see_other(self.now);
            }
            if was != is || before.is_none() {
                self.report(LeaseReport::HolderChanged { holder: is });
            }
        }
        let (since, jitter) = match &self.seen {
            Some(seen) if is_same => (seen.since, seen.jitter),
            Some(_) | None => {
                let jitter = self.options.timing.bid_jitter.mul_f64(self.rng.f64());
                (self.now, jitter)
            }
        };
        self.seen = Some(Seen {
            lease,
            beside_a_document,
            since,
            jitter,
        });
    }

    /// After a look that was no bid: when to look again.
    pub(super) fn looked(&mut self) {
        // A little less often than client-go does, from 1.2 P to 2.4 P.
        let pace = (self.options.timing.retry * 6 / 5).mul_f64(1.0 + self.rng.f64());
        let look_at = self.now.after(pace);
        self.phase = Phase::Campaigning { look_at };
    }

    /// When the lease seen last is, or becomes, free for us.
    pub(super) fn bid_at(&self) -> Option<Timestamp> {
        let Seen {
            lease,
            beside_a_document,
            since,
            jitter,
        } = self.seen.as_ref()?;
        let timing = &self.options.timing;
        let wait = match lease {
            // Its holder may be alive: somebody has deleted the lease, not the cluster.
            None if *beside_a_document => timing.lease + *jitter,
            None => *jitter,
            Some(Lease { record, .. }) if !record.is_held() => match &record.transfer_to {
                Some(to) if *to == self.options.name => Duration::ZERO,
                Some(_) => timing.reserved() + *jitter,
                None => *jitter,
            },
            // It may have come about only now, where another's was deleted, whose holder does not
            // know it yet.
            Some(Lease { record, .. })
                if self.unheard_creation && record.transitions == 0 && self.is_ours(record) =>
            {
                timing.lease + *jitter
            }
            Some(Lease { record, .. }) if self.is_ours(record) || self.was_ours(record) => {
                return Some(*since);
            }
            Some(Lease { record, .. }) if record.duration.is_zero() => timing.lease + *jitter,
            Some(Lease { record, .. }) => record.duration + *jitter,
        };
        Some(since.after(wait).max(self.cool_until))
    }

    pub(super) fn work_campaign(&mut self, look_at: Timestamp) {
        if self.not_before > self.now {
            return;
        }
        if self.look || self.seen.is_none() {
            return self.send_read();
        }
        if self.bid_at().is_some_and(|at| at <= self.now) {
            let record = self.bid();
            return self.send_write(Purpose::Bid, record);
        }
        if look_at <= self.now {
            self.send_read();
        }
    }

    /// The lease is ours. If that took so long that authority has ended already, another bid is
    /// due at once, since the record names us.
    pub(super) fn bid_won(&mut self, sent: Timestamp) {
        let authority = sent.after(self.options.timing.authority);
        match self.phase {
            Phase::Campaigning { .. } if authority > self.now => {
                self.hold(sent, authority);
                self.report(LeaseReport::Won { authority });
            }
            Phase::Campaigning { .. } | Phase::Releasing { .. } | Phase::Holding { .. } => {}
            // Nobody wants to lead any more, and no office was ever opened on it.
            Phase::Resting => self.begin_release(),
        }
    }

    fn bid(&self) -> LeaseRecord {
        let before = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        let before = before.map(|lease| &lease.record);
        let changes = before.is_some_and(|record| record.holder != self.options.name);
        let transitions = before.map_or(0, |record| record.transitions);
        let acquired = before
            .filter(|record| self.is_ours(record))
            .and_then(|record| record.acquired);
        LeaseRecord {
            transitions: transitions.saturating_add(u32::from(changes)),
            acquired,
            ..self.record()
        }
    }

    /// A record that says that we hold it.
    pub(super) fn record(&self) -> LeaseRecord {
        LeaseRecord {
            holder: self.options.name.clone(),
            process: Some(self.options.process),
            pod: self.options.pod.clone(),
            duration: self.options.timing.lease,
            acquired: None,
            renewed: None,
            transitions: 0,
            epoch: self.epoch,
            transfer_to: None,
            transfer_requested: None,
        }
    }

    /// Whether its writer was a process that must have ended, since this one runs in its place.
    fn was_ours(&self, record: &LeaseRecord) -> bool {
        record.holder == self.options.name && record.pod.is_some() && record.pod == self.options.pod
    }

    /// Up to 10 % more or less.
    pub(super) fn spread(&mut self, duration: Duration) -> Duration {
        duration.mul_f64(0.9 + 0.2 * self.rng.f64())
    }
}
