//! A server's binding to the cluster: the handshake, and what to do about a server that has
//! forgotten it.

use super::{News, Reach, ServerController};
use crate::backoff::Backoff;
use crate::call::{Answer, Binding, CallError, CallErrorKind};
use crate::context::Context;
use crate::id::{RequestId, Timestamp};

/// What is known of the last handshake that succeeded.
#[derive(Clone, Debug, Default)]
pub(super) struct Bound {
    /// The request of it. Whoever was asked before then may have answered before then, too.
    by: Option<RequestId>,
    /// When it was last heard that the server is not bound.
    undone: Option<Timestamp>,
    /// The server was shaken hands with for the same reason not long ago.
    again: bool,
    /// Between handshakes with a server that says again and again that it is not bound.
    backoff: Backoff,
}

impl ServerController {
    /// It says that it is not bound to any cluster, though it has shaken hands: it has been
    /// restarted without its data, and too soon for its health to show it. It is shaken hands with
    /// at once, and then less and less often if it goes on saying so. `call` is the request
    /// that was answered so, unless it was a stream that broke.
    pub(crate) fn uninitialized(&mut self, call: Option<RequestId>, context: &mut Context) {
        let is_old = call.is_some_and(|call| self.binding.by.is_some_and(|by| call < by));
        let is_idle = self.handshake.request.is_none() && self.handshake.due.is_none();
        if is_old || self.reach != Reach::Running || !is_idle {
            return;
        }
        let undone = self.binding.undone.replace(context.now);
        let timing = &context.timing;
        let (first, most) = (timing.reconnect_first, timing.reconnect_most);
        self.binding.again = undone.is_some_and(|at| context.now.since(at) < timing.lasting);
        self.handshake.due = Some(if self.binding.again {
            context.wait(&mut self.binding.backoff, first, most)
        } else {
            self.binding.backoff.reset();
            context.now
        });
        self.time_passed(context);
    }

    pub(super) fn shaken(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        instance_id: &str,
        context: &mut Context,
    ) -> News {
        match result {
            Ok(Answer::Handshaken {
                binding: binding @ (Binding::Bound | Binding::AlreadyBound),
                features,
            }) => {
                self.features = Some(features);
                self.binding.by = Some(request);
                self.handshake.backoff.reset();
                self.failures = 0;
                self.foreign = false;
                self.reach = Reach::Running;
                // It is there after all, and is asked like any other.
                self.given_up = false;
                self.running_since = context.now;
                self.silence.heard(context);
                self.report("it has shaken hands".to_owned(), context);
                self.stream.stop(context);
                if let Some(latest) = self.latest.clone() {
                    self.publish(&latest, context);
                }
                // It is said once of a server that forgets its binding again and again.
                let again = std::mem::take(&mut self.binding.again);
                News::Running {
                    emptied: binding == Binding::Bound && !again,
                }
            }
            Ok(Answer::Handshaken {
                binding: Binding::Mismatch,
                ..
            }) => self.foreign("it is bound to another cluster", instance_id, context),
            Err(error) if error.kind == CallErrorKind::Refused => {
                self.foreign(&error.message, instance_id, context)
            }
            Ok(_) | Err(_) => {
                self.handshake.retry(context);
                News::None
            }
        }
    }

    /// It is not ours, or the status is not this cluster's: which of the two, only people know.
    fn foreign(&mut self, says: &str, instance_id: &str, context: &mut Context) -> News {
        self.handshake.retry(context);
        self.foreign = true;
        let reason = format!(
            "{says}: is this the right status, and the right server? The status has the instanceId \
             {instance_id}, the server another one, which it does not tell: compare with a copy of the \
             status, and look where the address leads; wipe nothing before"
        );
        self.refused(&reason, context)
    }
}
