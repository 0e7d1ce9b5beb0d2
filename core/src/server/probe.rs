//! One thing that is asked of a server again and again: a check, a watch, a handshake, a stream.

use crate::backoff::Backoff;
use crate::context::Context;
use crate::id::{RequestId, Timestamp};

/// A request that is either in flight, or due at some time, or neither.
#[derive(Clone, Debug, Default)]
pub(super) struct Probe {
    pub(super) request: Option<RequestId>,
    pub(super) due: Option<Timestamp>,
    /// When the request in flight was sent.
    pub(super) since: Timestamp,
    pub(super) backoff: Backoff,
}

impl Probe {
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.request.is_none() && self.due.is_some_and(|due| due <= now)
    }

    pub(super) fn sent(&mut self, request: RequestId, now: Timestamp) {
        // What is sent on a stream that is open already does not open it again.
        if self.request.replace(request) != Some(request) {
            self.since = now;
        }
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

    /// It has broken. If it had lasted, what failed before does not count any more.
    pub(super) fn broke(&mut self, context: &mut Context) {
        if context.now.since(self.since) >= context.timing.lasting {
            self.backoff.reset();
        }
        self.retry(context);
    }

    pub(super) fn retry(&mut self, context: &mut Context) {
        let (first, most) = (
            context.timing.reconnect_first,
            context.timing.reconnect_most,
        );
        self.due = Some(context.wait(&mut self.backoff, first, most));
    }
}
