//! Giving the lease back, once the office is empty.

use std::time::Duration;

use super::message::LeaseReport;
use super::record::LeaseRecord;
use super::request::Purpose;
use super::{LeaseState, Phase};

impl LeaseState {
    pub(super) fn begin_release(&mut self) {
        if let Phase::Releasing { .. } = self.phase {
            return;
        }
        self.close();
        if !self.may_hold() {
            self.look = false;
            self.successor = None;
            return self.report(LeaseReport::Released { given_back: false });
        }
        self.not_before = self.now;
        self.look = self.doubt.is_some();
        self.phase = Phase::Releasing {
            until: self.now.after(self.options.timing.drain),
            again: false,
        };
    }

    pub(super) fn work_release(&mut self) {
        if self.not_before > self.now {
            return;
        }
        if self.look {
            return self.send_read();
        }
        if !self.may_hold() {
            let seen = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
            let is_vacant = seen.is_some_and(|lease| !lease.record.is_held());
            return self.finish_release(is_vacant);
        }
        let record = self.vacancy();
        self.send_write(Purpose::Release, record);
    }

    pub(super) fn finish_release(&mut self, given_back: bool) {
        let Phase::Releasing { again, .. } = self.phase else {
            return;
        };
        self.rest();
        self.successor = None;
        self.doubt = None;
        self.report(LeaseReport::Released { given_back });
        if again {
            self.campaign();
        }
    }

    /// Whether the lease is ours, or may be.
    pub(super) fn may_hold(&self) -> bool {
        let seen = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        let flies = self.under_way.as_ref().is_some_and(|it| it.write.is_some());
        seen.is_some_and(|lease| self.is_ours(&lease.record)) || self.doubt.is_some() || flies
    }

    /// What client-go writes, too, when it releases.
    fn vacancy(&self) -> LeaseRecord {
        let before = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        let transitions = before.map_or(0, |lease| lease.record.transitions);
        // It may have been asked for only while the office was being emptied.
        let requested = before.and_then(|lease| lease.record.transfer_requested.clone());
        let successor = self.successor.clone().or(requested);
        LeaseRecord {
            holder: "".into(),
            process: None,
            pod: None,
            duration: Duration::from_secs(1),
            transitions,
            transfer_to: successor.filter(|to| *to != self.options.name),
            ..self.record()
        }
    }
}
