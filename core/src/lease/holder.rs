//! While the lease is held: renew it, doubt it, lose it.

use std::sync::Arc;

use super::message::LeaseReport;
use super::record::{Lease, LeaseRecord};
use super::request::Purpose;
use super::{LeaseState, Phase};
use crate::id::Timestamp;

impl LeaseState {
    pub(super) fn work_holding(&mut self, renew_at: Timestamp) {
        if self.not_before > self.now {
            return;
        }
        if self.look {
            return self.send_read();
        }
        if renew_at <= self.now {
            let record = self.renewal();
            self.send_write(Purpose::Renew, record);
        }
    }

    /// The lease is ours since a write that was sent then.
    pub(super) fn hold(&mut self, sent: Timestamp, authority: Timestamp) {
        let every = self.options.timing.renew_every();
        let seen = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        // An epoch that was raised while this was under way is not written yet.
        let is_told = seen.is_none_or(|lease| lease.record.epoch >= self.epoch);
        let next = sent.after(self.spread(every));
        let renew_at = if is_told { next } else { self.now };
        self.phase = Phase::Holding {
            authority,
            renew_at,
        };
    }

    /// A renewal was acknowledged: it was in time, or authority would have ended before.
    pub(super) fn renewed(&mut self, sent: Timestamp) {
        let Phase::Holding { authority, .. } = self.phase else {
            return;
        };
        let authority = sent.after(self.options.timing.authority).max(authority);
        self.hold(sent, authority);
        self.report(LeaseReport::Extended { authority });
    }

    /// What a read tells a holder.
    pub(super) fn read_holding(&mut self, lease: Option<Lease>, beside_a_document: bool) {
        let doubt = self.doubt.take();
        let before = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        let renewed_before = before.and_then(|lease| lease.record.renewed);
        let Some(found) = &lease else {
            self.see(lease, beside_a_document);
            return self.lose("the lease was deleted".to_owned());
        };
        if !self.is_ours(&found.record) {
            let reason = foreign(&found.record, &self.options.name);
            self.see(lease, beside_a_document);
            return self.lose(reason);
        }
        let record = found.record.clone();
        self.see(lease, beside_a_document);
        match record.transfer_requested {
            Some(to) if to != self.options.name => return self.hand_over(to),
            Some(_) | None => {}
        }
        // Read while a renewal was in doubt: it may be the very one. Otherwise that one is still
        // due. A clock that stands still, or was set back, may have said the same before.
        if let Some(attempt) = doubt
            && record.renewed == Some(attempt.wall)
            && record.renewed != renewed_before
        {
            self.renewed(attempt.sent);
        }
    }

    /// The office is to be given to somebody else: to whoever leads here, that is a loss.
    fn hand_over(&mut self, to: Arc<str>) {
        let reason = format!("leadership is asked to be handed over to {to}");
        self.phase = Phase::Resting;
        self.successor = Some(to);
        self.report(LeaseReport::Lost { reason });
    }

    pub(super) fn lose(&mut self, reason: String) {
        self.flaps.lose(self.now);
        self.phase = Phase::Resting;
        self.report(LeaseReport::Lost { reason });
    }

    /// Ends an authority whose time has come.
    pub(super) fn expire(&mut self) {
        if let Phase::Holding { authority, .. } = self.phase
            && authority <= self.now
        {
            self.lose("the lease was not renewed in time".to_owned());
            // Another may hold it long since: then there is nothing to be given back.
            self.look = true;
        }
    }

    /// Nothing more is renewed or bid for.
    pub(super) fn close(&mut self) {
        match &mut self.phase {
            Phase::Holding { .. } => {
                self.flaps.lose(self.now);
                self.rest();
            }
            Phase::Campaigning { .. } => self.rest(),
            // Whoever wanted to lead after it does so no more.
            Phase::Releasing { again, .. } => *again = false,
            Phase::Resting => {}
        }
    }

    /// Nothing is wanted of the lease, nor is there anything to be known of it.
    pub(super) fn rest(&mut self) {
        self.phase = Phase::Resting;
        self.look = false;
    }

    fn renewal(&self) -> LeaseRecord {
        let before = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        let (acquired, transitions) = before.map_or((None, 0), |lease| {
            (lease.record.acquired, lease.record.transitions)
        });
        LeaseRecord {
            acquired,
            transitions,
            ..self.record()
        }
    }
}

fn foreign(record: &LeaseRecord, name: &str) -> String {
    if !record.is_held() {
        return "the lease was released by somebody else".to_owned();
    }
    let holder = &record.holder;
    match record.process {
        Some(process) if &**holder == name => format!(
            "the lease is held by another process of the same name, {process}: give each coordinator a name of its own"
        ),
        None if &**holder == name => format!(
            "the lease was written by another coordinator of the same name, {name}: give each one a name of its own"
        ),
        Some(_) | None => format!("the lease is held by {holder}"),
    }
}
