//! An idle leader looks at the document's version now and then, to notice a foreign write.

use crate::context::Context;
use crate::effect::Effect;
use crate::id::{RequestId, Timestamp};

#[derive(Clone, Debug, Default)]
pub(super) struct HeadCheck {
    due: Timestamp,
    last_sent: Option<Timestamp>,
    in_flight: Option<RequestId>,
}

impl HeadCheck {
    pub(super) fn new(due: Timestamp) -> Self {
        Self {
            due,
            last_sent: None,
            in_flight: None,
        }
    }

    pub(super) fn work(&mut self, context: &mut Context) {
        if self.in_flight.is_some() || self.due > context.now {
            return;
        }
        let request = context.request();
        context.emit(Effect::ReadHead {
            tenure: context.tenure,
            request,
        });
        self.in_flight = Some(request);
        self.last_sent = Some(context.now);
        self.due = context.now.after(context.timing.head_check_every);
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.in_flight.is_none().then_some(self.due)
    }

    pub(super) fn hint(&mut self, context: &Context) {
        let soonest = self.last_sent.map_or(context.now, |sent| {
            sent.after(context.timing.hint_spacing).max(context.now)
        });
        self.due = self.due.min(soonest);
    }

    /// Whether this answers the look in flight.
    pub(super) fn answered(&mut self, request: RequestId) -> bool {
        let ours = self.in_flight == Some(request);
        if ours {
            self.in_flight = None;
        }
        ours
    }

    /// A store of ours is about to move the document: a look that is under way tells nothing.
    pub(super) fn document_moves(&mut self) {
        self.in_flight = None;
    }
}
