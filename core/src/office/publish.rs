//! Assignments: recomputed once per accepted document, and sent to every data server.

use std::sync::Arc;

use super::Office;
use crate::assign::ShardAssignments;
use crate::context::Context;
use crate::id::Timestamp;
use crate::server::News;

/// What was published last, and when it is sent again unasked: assignments carry neither term nor
/// version, so an older leader's last ones may have come after ours.
#[derive(Clone, Debug)]
pub(super) struct Publisher {
    latest: Option<Arc<ShardAssignments>>,
    again: Timestamp,
    /// Until then, a configuration that was not read yet is waited for: without it, authorities
    /// that it allows would be locked out.
    patient_until: Timestamp,
}

impl Publisher {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            latest: None,
            again: context.now.after(context.timing.lease),
            patient_until: context.now.after(context.timing.patience),
        }
    }

    pub(super) fn deadline(&self) -> Timestamp {
        match self.latest {
            Some(_) => self.again,
            None => self.patient_until.min(self.again),
        }
    }
}

impl Office {
    /// Publishes what follows from the accepted document, if that is anything new.
    pub(super) fn publish(&mut self, context: &mut Context) {
        let waits = self.publisher.latest.is_none() && context.now < self.publisher.patient_until;
        if self.configuration.is_some() || !waits {
            self.publish_now(context);
        }
    }

    fn publish_now(&mut self, context: &mut Context) {
        let status = self.ledger.accepted();
        // Servers become ready with the first assignments: never tell them of nothing, unless
        // nothing is what the operator wants.
        let awaited = match &self.configuration {
            Some(configuration) => configuration.namespaces.iter().any(|namespace| {
                !status.namespaces.contains_key(&namespace.name)
                    && !self.refused.contains_key(&namespace.name)
            }),
            None => true,
        };
        if status.namespaces.is_empty() && awaited {
            return;
        }
        let assignments = ShardAssignments::of(status, self.configuration.as_deref());
        if self.publisher.latest.as_deref() == Some(&assignments) {
            return;
        }
        self.publisher.latest = Some(Arc::new(assignments));
        self.push(context);
    }

    /// Sends the latest assignments again, now and then; and the first ones, if they had to wait.
    pub(super) fn publish_again(&mut self, context: &mut Context) {
        if self.publisher.latest.is_none() && self.publisher.patient_until <= context.now {
            self.publisher.patient_until = context.now.after(context.timing.reassign_every);
            self.publish_now(context);
        }
        if self.publisher.again <= context.now {
            self.publisher.again = context.now.after(context.timing.reassign_every);
            self.push(context);
        }
    }

    fn push(&mut self, context: &mut Context) {
        let Some(latest) = self.publisher.latest.clone() else {
            return;
        };
        let ids: Vec<_> = self.servers.keys().cloned().collect();
        for id in ids {
            self.with_server(&id, context, |server, context| {
                server.publish(&latest, context);
                News::None
            });
        }
    }

    /// The latest assignments, for a server that joins.
    pub(super) fn latest_assignments(&self) -> Option<Arc<ShardAssignments>> {
        self.publisher.latest.clone()
    }
}
