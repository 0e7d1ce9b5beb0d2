//! The one request under way.

use super::message::LeaseEffect;
use super::record::LeaseRecord;
use super::{LeaseState, Phase};
use crate::id::{RequestId, Timestamp};

/// The request under way.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    /// What is being written; `None` for a read.
    pub(super) write: Option<Write>,
}

#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) purpose: Purpose,
    /// Whether there was none before.
    pub(super) is_creation: bool,
    pub(super) record: LeaseRecord,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Bid,
    Release,
    Renew,
}

impl LeaseState {
    /// The request that has ended, if it is the one under way.
    pub(super) fn ended(&mut self, id: RequestId) -> Option<Option<Write>> {
        let request = self.under_way.take_if(|request| request.id == id)?;
        Some(request.write)
    }

    pub(super) fn send_read(&mut self) {
        let request = self.begin(None);
        let deadline = self.request_deadline();
        self.outbox
            .push_back(LeaseEffect::Read { request, deadline });
    }

    pub(super) fn send_write(&mut self, purpose: Purpose, record: LeaseRecord) {
        let lease = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        let expected = lease.map(|lease| lease.version.clone());
        let request = self.begin(Some(Write {
            purpose,
            is_creation: expected.is_none(),
            record: record.clone(),
        }));
        let deadline = self.request_deadline();
        self.outbox.push_back(LeaseEffect::Write {
            request,
            expected,
            record,
            deadline,
        });
    }

    fn begin(&mut self, write: Option<Write>) -> RequestId {
        self.last_request = self.last_request.next();
        let id = self.last_request;
        self.under_way = Some(Request { id, write });
        id
    }

    fn request_deadline(&self) -> Timestamp {
        let deadline = self.now.after(self.options.timing.request());
        match self.phase {
            Phase::Holding { authority, .. } => deadline.min(authority),
            Phase::Releasing { until, .. } => deadline.min(until),
            Phase::Resting | Phase::Campaigning { .. } => deadline,
        }
    }
}
