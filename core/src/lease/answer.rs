//! What the answers to requests mean.

use std::time::Duration;

use super::message::{LeaseReading, LeaseReport, LeaseWriting};
use super::record::{Lease, LeaseRecord, WallTime};
use super::request::{Purpose, Write};
use super::{Attempt, LeaseState, Phase};
use crate::id::Timestamp;

impl LeaseState {
    pub(super) fn read(&mut self, outcome: LeaseReading) {
        self.look = false;
        let (lease, beside_a_document) = match outcome {
            LeaseReading::Found(lease) => (Some(lease), true),
            LeaseReading::Absent { beside_a_document } => (None, beside_a_document),
            LeaseReading::Forbidden(reason) => return self.failed(Duration::ZERO, reason, true),
            LeaseReading::Unavailable { after, reason } => {
                return self.failed(after, reason, false);
            }
        };
        self.backoff.reset();
        match self.phase {
            Phase::Holding { .. } => self.read_holding(lease, beside_a_document),
            Phase::Campaigning { .. } => {
                self.see(lease, beside_a_document);
                self.doubt = None;
                self.looked();
            }
            Phase::Resting | Phase::Releasing { .. } => {
                self.see(lease, beside_a_document);
                self.doubt = None;
            }
        }
    }

    pub(super) fn written(
        &mut self,
        write: Write,
        sent: Timestamp,
        wall: WallTime,
        outcome: LeaseWriting,
    ) {
        let Write {
            purpose,
            is_creation,
            record,
        } = write;
        match outcome {
            LeaseWriting::Written(version) => {
                self.backoff.reset();
                self.doubts.reset();
                self.unheard_creation = false;
                self.doubt = None;
                let record = LeaseRecord {
                    acquired: record.acquired.or(Some(wall)),
                    renewed: record.renewed.or(Some(wall)),
                    ..record
                };
                self.see(Some(Lease { version, record }), true);
                match purpose {
                    Purpose::Bid => self.bid_won(sent),
                    Purpose::Renew => self.renewed(sent),
                    Purpose::Release => self.finish_release(true),
                }
            }
            LeaseWriting::Ambiguous(reason) => {
                self.unheard_creation |= is_creation;
                self.doubt = Some(Attempt { sent, wall });
                self.look = true;
                // The first may be a version that was old; only what goes on has to wait.
                let is_first = self.doubts.is_fresh();
                let retry = self.options.timing.retry;
                let wait = self.doubts.wait(retry / 20, retry / 2, &mut self.rng);
                if !is_first {
                    self.not_before = self.now.after(wait);
                    self.report(LeaseReport::Refused { reason });
                }
            }
            LeaseWriting::Refused(reason) => self.failed(Duration::ZERO, reason, true),
            LeaseWriting::Unavailable { after, reason } => self.failed(after, reason, false),
        }
    }

    /// A request has failed: the next one waits, though not for as long as a busy server may ask
    /// for, since leadership hangs on it.
    pub(super) fn failed(&mut self, after: Duration, reason: String, for_good: bool) {
        let retry = self.options.timing.retry;
        let wait = if for_good {
            retry
        } else {
            self.backoff.wait(retry / 20, retry / 2, &mut self.rng)
        };
        self.not_before = self.now.after(wait.max(after.min(retry)));
        self.look = true;
        self.report(LeaseReport::Refused { reason });
    }
}
