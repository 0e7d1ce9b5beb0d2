//! One thing that is asked of a server again and again: a check, a watch, a handshake, a stream.

use crate::backoff::Backoff;
use crate::context::Context;
use crate::id::{RequestId, Timestamp};

/// A request that is either in flight, or due at some time, or neither.
#[derive(Clone, Debug, Default)]
pub(super) struct Probe {
    pub(super) request: Option<RequestId>,
    pub(super) due: Option<Timestamp>,
    pub(super) backoff: Backoff,
}

impl Probe {
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.request.is_none() && self.due.is_some_and(|due| due <= now)
    }

    pub(super) fn sent(&mut self, request: RequestId) {
        self.request = Some(request);
        self.due = None;
    }

    /// Whether `request` is the one in flight; it no longer is.
    pub(super) fn ended(&mut self, request: RequestId) -> bool {
        let ours = self.request == Some(request);
        if ours {
            self.request = None;
        }
        ours
    }

    pub(super) fn stop(&mut self, context: &mut Context) {
        self.due = None;
        if let Some(request) = self.request.take() {
            context.cancel(request);
        }
    }

    pub(super) fn retry(&mut self, context: &mut Context) {
        let (first, most) = (
            context.timing.reconnect_first,
            context.timing.reconnect_most,
        );
        self.due = Some(context.wait(&mut self.backoff, first, most));
    }
}
