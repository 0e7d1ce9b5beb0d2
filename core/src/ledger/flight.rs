//! The one store in flight: sent, sent again, or looked for where its fate is unknown.

use super::changes::Batch;
use crate::context::Context;
use crate::effect::Effect;
use crate::id::{RequestId, Timestamp, Version};
use crate::store::{Head, StatusDocument};

/// A document on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight<W> {
    pub(super) batch: Batch<W>,
    pub(super) document: StatusDocument,
    pub(super) expected: Option<Version>,
    step: Step,
    /// Whether any try of it may have been applied unseen. From then on even a definite "no" may
    /// only mean that an earlier try came first.
    pub(super) doubtful: bool,
    /// Whether it was sent again already because the head had not moved.
    sent_again: bool,
    pub(super) first_sent: Timestamp,
    /// Why it is not stored yet, in the store's words.
    pub(super) problem: Option<String>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The store has it.
    Storing(RequestId),
    /// The store definitely did not take it: the same again at this time.
    Resending(Timestamp),
    /// It is unknown whether the store took it: the head is being read.
    Reading(RequestId),
    /// The head could not be read: again at this time.
    Rereading(Timestamp),
}

impl<W> Flight<W> {
    /// Sends a document for the first time.
    pub(super) fn take_off(
        request: RequestId,
        batch: Batch<W>,
        document: StatusDocument,
        expected: Option<Version>,
        context: &mut Context,
    ) -> Self {
        let mut flight = Self {
            batch,
            document,
            expected,
            step: Step::Storing(request),
            doubtful: false,
            sent_again: false,
            first_sent: context.now,
            problem: None,
        };
        flight.store(request, context);
        flight
    }

    pub(super) fn work(&mut self, context: &mut Context) {
        match self.step {
            Step::Resending(at) if at <= context.now => self.send(context),
            Step::Rereading(at) if at <= context.now => self.read(context),
            Step::Storing(_) | Step::Resending(_) | Step::Reading(_) | Step::Rereading(_) => {}
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self.step {
            Step::Resending(at) | Step::Rereading(at) => Some(at),
            Step::Storing(_) | Step::Reading(_) => None,
        }
    }

    /// Whether this is the store that is under way.
    pub(super) fn is_storing(&self, request: RequestId) -> bool {
        self.step == Step::Storing(request)
    }

    /// Whether this is the read of the head that is under way.
    pub(super) fn is_reading(&self, request: RequestId) -> bool {
        self.step == Step::Reading(request)
    }

    /// Whether the head is that of this very document.
    pub(super) fn is_ours(&self, head: &Head) -> bool {
        head.intact && head.write_id == Some(self.document.write_id)
    }

    /// From now on it may have been applied unseen: reads the head.
    pub(super) fn doubt(&mut self, context: &mut Context) {
        self.doubtful = true;
        self.read(context);
    }

    /// Sends the very same write again: same version, same write id, same bytes.
    fn send(&mut self, context: &mut Context) {
        let request = context.request();
        self.store(request, context);
    }

    /// The head has not moved. Sends the same again the first time; after that it is to be waited,
    /// as a store that keeps failing may answer at once every time. Returns whether it was sent.
    pub(super) fn send_again_once(&mut self, context: &mut Context) -> bool {
        let first = !std::mem::replace(&mut self.sent_again, true);
        if first {
            self.send(context);
        }
        first
    }

    pub(super) fn send_at(&mut self, at: Timestamp) {
        self.step = Step::Resending(at);
    }

    pub(super) fn read_at(&mut self, at: Timestamp) {
        self.step = Step::Rereading(at);
    }

    fn store(&mut self, request: RequestId, context: &mut Context) {
        self.step = Step::Storing(request);
        context.emit(Effect::Store {
            tenure: context.tenure,
            request,
            expected: self.expected.clone(),
            document: self.document.clone(),
        });
    }

    fn read(&mut self, context: &mut Context) {
        let request = context.request();
        self.step = Step::Reading(request);
        context.emit(Effect::ReadHead {
            tenure: context.tenure,
            request,
        });
    }
}
