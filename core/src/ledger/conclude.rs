//! What the store's answers mean: accepted, taken back, in doubt, a conflict.

use std::sync::Arc;

use super::Ledger;
use super::flight::Flight;
use crate::context::Context;
use crate::event::Event;
use crate::id::{RequestId, ShardId, Timestamp, Version};
use crate::report::{Report, StoreResult};
use crate::store::{Head, HeadOutcome, StoreOutcome};

/// A fact that is durable; only the ledger can say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Durable<T>(T);

impl<T> Durable<T> {
    pub(crate) fn fact(&self) -> &T {
        &self.0
    }

    /// What follows from a durable fact.
    pub(crate) fn map<U>(self, follows: impl FnOnce(T) -> U) -> Durable<U> {
        Durable(follows(self.0))
    }
}

/// What an answer of the store means for the tenure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion<W> {
    /// A document was accepted: these shards were in it, with what waited for them.
    Accepted(Vec<Acceptance<W>>),
    /// Somebody else wrote the document.
    Conflict(String),
    /// The tenure goes on as it was.
    Nothing,
    /// The store refuses for a reason that waiting does not mend.
    Refused(String),
    /// The store did not take these namespaces: the document would be too large, or malformed.
    Rejected {
        namespaces: Vec<Arc<str>>,
        reason: String,
    },
}

/// One shard of an accepted document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acceptance<W> {
    pub(crate) namespace: Arc<str>,
    pub(crate) shard: ShardId,
    pub(crate) durable: Option<Durable<W>>,
}

impl<W> Ledger<W> {
    /// What an answer of the store concludes, if the event is one.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is no answer of the store ends in the machine's exhaustive match"
    )]
    pub(crate) fn hear(&mut self, event: &Event, context: &mut Context) -> Option<Conclusion<W>> {
        match event {
            Event::StoreEnded {
                tenure,
                request,
                outcome,
            } if *tenure == context.tenure => {
                Some(self.store_ended(*request, outcome.clone(), context))
            }
            Event::HeadRead {
                tenure,
                request,
                outcome,
            } if *tenure == context.tenure => {
                Some(self.head_read(*request, outcome.clone(), context))
            }
            _ => None,
        }
    }

    /// Concludes a store's answer, or begins to find out.
    fn store_ended(
        &mut self,
        request: RequestId,
        outcome: StoreOutcome,
        context: &mut Context,
    ) -> Conclusion<W> {
        let Some(flight) = self.flight.as_mut().filter(|it| it.is_storing(request)) else {
            return Conclusion::Nothing;
        };
        if let Some(reason) = outcome.reason() {
            flight.problem = Some(reason.to_owned());
        }
        match outcome {
            StoreOutcome::Stored(version) => self.accept(version, context),
            StoreOutcome::Ambiguous(reason) => self.doubt(&reason, context),
            StoreOutcome::Conflict(reason) if flight.doubtful => self.doubt(&reason, context),
            StoreOutcome::Conflict(reason) => self.conflict(reason, context),
            StoreOutcome::Corrupt(reason) => self.refused(StoreResult::Corrupt, reason, context),
            StoreOutcome::Invalid(reason) => self.invalid(reason, context),
            StoreOutcome::Forbidden(reason) => {
                self.report(StoreResult::Forbidden, &reason, context);
                self.send_at(context.now.after(context.timing.store_retry_most))
            }
            StoreOutcome::TooLarge(reason) => self.too_large(reason, context),
            StoreOutcome::Unavailable { after, reason } => {
                self.report(StoreResult::Unavailable, &reason, context);
                let at = self.retry_time(context).max(context.now.after(after));
                self.send_at(at)
            }
        }
    }

    /// Concludes what was read of the document's head: for a store in doubt, or for an idle look.
    fn head_read(
        &mut self,
        request: RequestId,
        outcome: HeadOutcome,
        context: &mut Context,
    ) -> Conclusion<W> {
        if let Some(flight) = &self.flight
            && flight.is_reading(request)
        {
            return self.resolve(outcome, context);
        }
        if !self.head_check.answered(request) {
            return Conclusion::Nothing;
        }
        match outcome {
            HeadOutcome::Found(head) if Some(&head.version) == self.version.as_ref() => {
                Conclusion::Nothing
            }
            HeadOutcome::Found(head) => Conclusion::Conflict(self.moved(&head)),
            HeadOutcome::Absent => Conclusion::Conflict(DELETED.to_owned()),
            HeadOutcome::Corrupt(reason) => Conclusion::Refused(reason),
            HeadOutcome::Unavailable { .. } => Conclusion::Nothing,
        }
    }

    /// The head tells what became of a store in doubt.
    fn resolve(&mut self, outcome: HeadOutcome, context: &mut Context) -> Conclusion<W> {
        let Some(flight) = &self.flight else {
            return Conclusion::Nothing;
        };
        match outcome {
            HeadOutcome::Found(head) if flight.is_ours(&head) => self.accept(head.version, context),
            HeadOutcome::Found(head) if Some(&head.version) == flight.expected.as_ref() => {
                self.send_again(context)
            }
            HeadOutcome::Absent if flight.expected.is_none() => self.send_again(context),
            HeadOutcome::Found(head) => self.conflict(self.moved(&head), context),
            HeadOutcome::Absent => self.conflict(DELETED.to_owned(), context),
            HeadOutcome::Corrupt(reason) => self.refused(StoreResult::Corrupt, reason, context),
            HeadOutcome::Unavailable { after, reason } => {
                let at = self.retry_time(context).max(context.now.after(after));
                if let Some(flight) = &mut self.flight {
                    flight.problem = Some(reason);
                    flight.read_at(at);
                }
                Conclusion::Nothing
            }
        }
    }

    /// It is unknown whether the write was applied: nothing leaves until that is known.
    fn doubt(&mut self, reason: &str, context: &mut Context) -> Conclusion<W> {
        self.report(StoreResult::Ambiguous, reason, context);
        context.hold();
        if let Some(flight) = &mut self.flight {
            flight.doubt(context);
        }
        Conclusion::Nothing
    }

    fn conflict(&mut self, reason: String, context: &mut Context) -> Conclusion<W> {
        self.report(StoreResult::Conflict, &reason, context);
        Conclusion::Conflict(reason)
    }

    fn refused(
        &mut self,
        result: StoreResult,
        reason: String,
        context: &mut Context,
    ) -> Conclusion<W> {
        self.report(result, &reason, context);
        Conclusion::Refused(reason)
    }

    fn accept(&mut self, version: Version, context: &mut Context) -> Conclusion<W> {
        self.report(StoreResult::Stored, "", context);
        // A flight in doubt holds everything back; its definite end lets it go.
        context.let_go();
        self.backoff.reset();
        let Some(flight) = self.flight.take() else {
            return Conclusion::Nothing;
        };
        self.accepted = flight.document.status;
        self.version = Some(version);
        let pending = &self.pending.touched;
        let acceptances = flight
            .batch
            .touched
            .into_iter()
            .map(|(shard, touched)| Acceptance {
                // A later change of the same shard is already on its way: what waited for this one
                // must not happen any more.
                durable: touched
                    .waits
                    .filter(|_| !pending.contains_key(&shard))
                    .map(Durable),
                namespace: touched.namespace,
                shard,
            });
        Conclusion::Accepted(acceptances.collect())
    }

    /// Growth is taken back; what does not grow and still does not fit does without what was kept of
    /// earlier leaders' logs, or waits for room.
    fn too_large(&mut self, reason: String, context: &mut Context) -> Conclusion<W> {
        self.report(StoreResult::TooLarge, &reason, context);
        let Some(flight) = self.flight.take() else {
            return Conclusion::Nothing;
        };
        if flight.batch.admitted.is_empty() {
            if !flight.doubtful && self.shed() {
                self.tried_since = Some(flight.first_sent);
                let _ = self.take_back(flight.batch);
                return Conclusion::Nothing;
            }
            self.flight = Some(flight);
            return self.send_at(context.now.after(context.timing.store_retry_most));
        }
        self.turned_down(flight, reason)
    }

    /// What has just grown may be what somebody objects to: without it the rest may pass.
    fn invalid(&mut self, reason: String, context: &mut Context) -> Conclusion<W> {
        self.report(StoreResult::Invalid, &reason, context);
        match self.flight.take() {
            Some(flight) if !flight.batch.admitted.is_empty() => self.turned_down(flight, reason),
            Some(_) | None => Conclusion::Refused(reason),
        }
    }

    fn turned_down(&mut self, flight: Flight<W>, reason: String) -> Conclusion<W> {
        if flight.doubtful {
            // Another document at the same version could make two histories: the next fencing
            // write settles which one there is.
            return Conclusion::Refused(reason);
        }
        let namespaces = self.take_back(flight.batch);
        Conclusion::Rejected { namespaces, reason }
    }

    fn send_again(&mut self, context: &mut Context) -> Conclusion<W> {
        let Some(flight) = &mut self.flight else {
            return Conclusion::Nothing;
        };
        if flight.send_again_once(context) {
            return Conclusion::Nothing;
        }
        let at = self.retry_time(context);
        self.send_at(at)
    }

    fn send_at(&mut self, at: Timestamp) -> Conclusion<W> {
        if let Some(flight) = &mut self.flight {
            flight.send_at(at);
        }
        Conclusion::Nothing
    }

    fn retry_time(&mut self, context: &mut Context) -> Timestamp {
        let (first, most) = (
            context.timing.store_retry_first,
            context.timing.store_retry_most,
        );
        context.wait(&mut self.backoff, first, most)
    }

    /// Where the document is now, and who has written it.
    fn moved(&self, head: &Head) -> String {
        let (version, writer) = (&head.version, head.writer());
        let itself = if head.write_id.is_some_and(|id| id.process == self.process) {
            ", which is this one"
        } else {
            ""
        };
        format!("the document is at version {version}, written {writer}{itself}")
    }

    fn report(&self, outcome: StoreResult, reason: &str, context: &mut Context) {
        let Some(flight) = &self.flight else { return };
        let took = context.now.since(flight.first_sent);
        let changes = flight.batch.changes;
        let reason = reason.to_owned();
        context.report(Report::StoreConcluded {
            outcome,
            changes,
            took,
            reason,
        });
    }
}

const DELETED: &str = "the document was deleted";
