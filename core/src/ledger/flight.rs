//! The one store in flight, and how its answers are concluded.

use super::{Acceptance, Batch, Conclusion, Durable, Intent, Ledger, Notice};
use crate::backoff::Backoff;
use crate::effect::Effect;
use crate::id::{RequestId, Timestamp, Version};
use crate::report::{Report, StoreResult};
use crate::store::{Head, HeadOutcome, StatusDocument, StoreOutcome};
use crate::tools::Tools;

/// A document on its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) batch: Batch,
    pub(super) document: StatusDocument,
    pub(super) expected: Option<Version>,
    pub(super) stage: Stage,
    /// Whether any try of it may have been applied unseen. From then on even a definite "no" may
    /// only mean that an earlier try came first.
    pub(super) ambiguous: bool,
    /// Whether it was sent again already because the head had not moved.
    pub(super) sent_again: bool,
    pub(super) first_sent: Timestamp,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The store has it.
    Storing(RequestId),
    /// The store definitely did not take it: the same again at this time.
    Resending(Timestamp),
    /// It is unknown whether the store took it: the head is being read.
    Reading(RequestId),
    /// The head could not be read: again at this time.
    Rereading(Timestamp),
}

impl Flight {
    pub(super) fn work(&mut self, tools: &mut Tools) {
        match self.stage {
            Stage::Resending(at) if at <= tools.now => self.send(tools),
            Stage::Rereading(at) if at <= tools.now => self.read(tools),
            Stage::Storing(_) | Stage::Resending(_) | Stage::Reading(_) | Stage::Rereading(_) => {}
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Resending(at) | Stage::Rereading(at) => Some(at),
            Stage::Storing(_) | Stage::Reading(_) => None,
        }
    }

    /// Sends the very same write again: same version, same write id, same bytes.
    fn send(&mut self, tools: &mut Tools) {
        let request = tools.request();
        self.stage = Stage::Storing(request);
        tools.emit(Effect::Store {
            tenure: tools.tenure,
            request,
            expected: self.expected.clone(),
            document: self.document.clone(),
        });
    }

    fn read(&mut self, tools: &mut Tools) {
        let request = tools.request();
        self.stage = Stage::Reading(request);
        tools.emit(Effect::ReadHead {
            tenure: tools.tenure,
            request,
        });
    }

    fn is_ours(&self, head: &Head) -> bool {
        head.intact && head.write_id == Some(self.document.write_id)
    }
}

impl Ledger {
    /// Concludes a store's answer, or begins to find out.
    pub(crate) fn store_ended(
        &mut self,
        request: RequestId,
        outcome: StoreOutcome,
        tools: &mut Tools,
    ) -> Conclusion {
        let Some(flight) = &mut self.flight else {
            return Conclusion::Nothing;
        };
        if flight.stage != Stage::Storing(request) {
            return Conclusion::Nothing;
        }
        match outcome {
            StoreOutcome::Stored(version) => self.accept(version, tools),
            StoreOutcome::Ambiguous(reason) => {
                self.doubt(reason, tools);
                Conclusion::Nothing
            }
            StoreOutcome::Conflict(reason) if flight.ambiguous => {
                self.doubt(reason, tools);
                Conclusion::Nothing
            }
            StoreOutcome::Conflict(reason) => self.conflict(reason, tools),
            StoreOutcome::Corrupt(reason) => {
                self.conclude(StoreResult::Corrupt, &reason, tools);
                Conclusion::Refused(reason)
            }
            StoreOutcome::Invalid(reason) => {
                self.conclude(StoreResult::Invalid, &reason, tools);
                Conclusion::Refused(reason)
            }
            StoreOutcome::Forbidden(reason) => {
                self.conclude(StoreResult::Forbidden, &reason, tools);
                self.try_again_at(tools.now.after(tools.timing.store_retry_most));
                Conclusion::Nothing
            }
            StoreOutcome::TooLarge(reason) => self.too_large(reason, tools),
            StoreOutcome::Unavailable { after, reason } => {
                self.conclude(StoreResult::Unavailable, &reason, tools);
                let at = self.retry_time(tools).max(tools.now.after(after));
                self.try_again_at(at);
                Conclusion::Nothing
            }
        }
    }

    /// Concludes what was read of the document's head: for a store in doubt, or for an idle look.
    pub(crate) fn head_read(
        &mut self,
        request: RequestId,
        outcome: HeadOutcome,
        tools: &mut Tools,
    ) -> Conclusion {
        if let Some(flight) = &self.flight
            && flight.stage == Stage::Reading(request)
        {
            return self.resolve(outcome, tools);
        }
        if !self.head_check.answered(request) {
            return Conclusion::Nothing;
        }
        match outcome {
            HeadOutcome::Found(head) if Some(&head.version) == self.version.as_ref() => {
                Conclusion::Nothing
            }
            HeadOutcome::Found(head) => {
                Conclusion::Conflict(format!("the document is at version {}", head.version))
            }
            HeadOutcome::Absent => Conclusion::Conflict("the document was deleted".to_owned()),
            HeadOutcome::Corrupt(reason) => Conclusion::Refused(reason),
            HeadOutcome::Unavailable { .. } => Conclusion::Nothing,
        }
    }

    fn resolve(&mut self, outcome: HeadOutcome, tools: &mut Tools) -> Conclusion {
        let Some(flight) = &mut self.flight else {
            return Conclusion::Nothing;
        };
        match outcome {
            HeadOutcome::Found(head) if flight.is_ours(&head) => self.accept(head.version, tools),
            HeadOutcome::Found(head) if Some(&head.version) == flight.expected.as_ref() => {
                self.send_again(tools);
                Conclusion::Nothing
            }
            HeadOutcome::Absent if flight.expected.is_none() => {
                self.send_again(tools);
                Conclusion::Nothing
            }
            HeadOutcome::Found(head) => self.conflict(
                format!("the document is at version {}", head.version),
                tools,
            ),
            HeadOutcome::Absent => self.conflict("the document was deleted".to_owned(), tools),
            HeadOutcome::Corrupt(reason) => {
                self.conclude(StoreResult::Corrupt, &reason, tools);
                Conclusion::Refused(reason)
            }
            HeadOutcome::Unavailable { after, .. } => {
                let at = self.retry_time(tools).max(tools.now.after(after));
                if let Some(flight) = &mut self.flight {
                    flight.stage = Stage::Rereading(at);
                }
                Conclusion::Nothing
            }
        }
    }

    /// It is unknown whether the write was applied: nothing leaves until that is known.
    fn doubt(&mut self, reason: String, tools: &mut Tools) {
        self.conclude(StoreResult::Ambiguous, &reason, tools);
        tools.close_gate();
        if let Some(flight) = &mut self.flight {
            flight.ambiguous = true;
            flight.read(tools);
        }
    }

    fn conflict(&mut self, reason: String, tools: &mut Tools) -> Conclusion {
        self.conclude(StoreResult::Conflict, &reason, tools);
        Conclusion::Conflict(reason)
    }

    fn accept(&mut self, version: Version, tools: &mut Tools) -> Conclusion {
        self.conclude(StoreResult::Stored, "", tools);
        // A flight in doubt closes the gate; its definite end opens it again.
        tools.open_gate();
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
                notice: touched
                    .intent
                    .filter(|_| !pending.contains_key(&shard))
                    .map(durable),
                namespace: touched.namespace,
                shard,
            });
        Conclusion::Accepted(acceptances.collect())
    }

    /// Growth is taken back; what does not grow and still does not fit waits for room.
    fn too_large(&mut self, reason: String, tools: &mut Tools) -> Conclusion {
        self.conclude(StoreResult::TooLarge, &reason, tools);
        let Some(flight) = self.flight.take() else {
            return Conclusion::Nothing;
        };
        if flight.batch.admitted.is_empty() {
            self.flight = Some(flight);
            self.try_again_at(tools.now.after(tools.timing.store_retry_most));
            return Conclusion::Nothing;
        }
        if flight.ambiguous {
            // Another document at the same version could make two histories: the next fencing
            // write settles which one there is.
            return Conclusion::Refused(reason);
        }
        let Batch {
            changes,
            mut touched,
            admitted,
        } = flight.batch;
        for name in &admitted {
            if let Some(namespace) = self.working.namespaces.remove(name) {
                let bytes = super::size::of_namespace(name, &namespace);
                self.bytes = self.bytes.saturating_sub(bytes);
            }
        }
        // The other changes of the batch wait for the next store, behind later ones of theirs.
        touched.append(&mut self.pending.touched);
        touched.retain(|_, touched| !admitted.contains(&touched.namespace));
        self.pending.touched = touched;
        self.pending.changes = self.pending.changes.saturating_add(changes);
        Conclusion::Rejected {
            namespaces: admitted,
            reason,
        }
    }

    /// The head has not moved: the first time the same again at once, and then after a wait, as
    /// a store that keeps failing may answer at once every time.
    fn send_again(&mut self, tools: &mut Tools) {
        match &mut self.flight {
            Some(flight) if !flight.sent_again => {
                flight.sent_again = true;
                flight.send(tools);
            }
            Some(_) | None => {
                let at = self.retry_time(tools);
                self.try_again_at(at);
            }
        }
    }

    fn try_again_at(&mut self, at: Timestamp) {
        if let Some(flight) = &mut self.flight {
            flight.stage = Stage::Resending(at);
        }
    }

    fn retry_time(&mut self, tools: &mut Tools) -> Timestamp {
        let (first, most) = (
            tools.timing.store_retry_first,
            tools.timing.store_retry_most,
        );
        let backoff: &mut Backoff = &mut self.backoff;
        tools.wait(backoff, first, most)
    }

    fn conclude(&self, outcome: StoreResult, reason: &str, tools: &mut Tools) {
        let Some(flight) = &self.flight else { return };
        let took = tools.now.since(flight.first_sent);
        let changes = flight.batch.changes;
        let reason = reason.to_owned();
        tools.report(Report::StoreConcluded {
            outcome,
            changes,
            took,
            reason,
        });
    }
}

fn durable(intent: Intent) -> Notice {
    match intent {
        Intent::Announce(term) => Notice::Announce(Durable(term)),
        Intent::Fence(term) => Notice::Fence(Durable(term)),
    }
}
