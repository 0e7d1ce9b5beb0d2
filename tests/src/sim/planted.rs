//! Machines with a mistake, which the simulator has to find.

use std::collections::{BTreeMap, VecDeque};

use stepdown_core::call::{Call, NewTerm};
use stepdown_core::cluster::{KeySorting, ShardStatus};
use stepdown_core::lease::LeaseOptions;
use stepdown_core::store::{Head, HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{
    CoordinatorState, Effect, Event, Options, RequestId, Role, ShardId, Tenure, Term, Timestamp,
    Version,
};

use super::machine::{Candidate, Factory, Machine};
use super::planted_candidate::MistakenCandidate;

/// The mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// It stores again on the newer version after a conflict.
    RetriesAfterConflict,
    /// It sends NewTerm before the term is stored.
    FencesBeforeStoring,
    /// It campaigns again without waiting for the drain.
    ForgetsToDrain,
    /// It leads on the document of an earlier load.
    LeadsOnAnOldDocument,
    /// Its authority counts from the answer to a renewal.
    CountsFromTheAnswer,
    /// It goes on renewing the lease, and never gives it back.
    RenewsAfterTheClose,
    /// It gives the lease back as soon as the office is closed.
    GivesBackTooEarly,
}

impl Factory for Planted {
    fn coordinator(&self, options: Options, now: Timestamp) -> Box<dyn Machine> {
        Box::new(Mistaken {
            bug: *self,
            now,
            inner: CoordinatorState::new(options, now),
            extra: VecDeque::new(),
            storing: None,
            loaded: None,
            terms: BTreeMap::new(),
            invented: u64::MAX / 2,
        })
    }

    fn candidate(&self, options: LeaseOptions, now: Timestamp) -> Box<dyn Candidate> {
        Box::new(MistakenCandidate::new(*self, options, now))
    }
}

struct Mistaken {
    bug: Planted,
    now: Timestamp,
    inner: CoordinatorState,
    extra: VecDeque<Effect>,
    storing: Option<(Option<Version>, StatusDocument)>,
    loaded: Option<LoadOutcome>,
    terms: BTreeMap<ShardId, Term>,
    invented: u64,
}

impl Machine for Mistaken {
    fn handle(&mut self, now: Timestamp, event: Event) {
        self.now = now;
        let event = match (self.bug, event) {
            (
                Planted::LeadsOnAnOldDocument,
                Event::Loaded {
                    tenure,
                    request,
                    outcome: LoadOutcome::Found(found),
                },
            ) => Event::Loaded {
                tenure,
                request,
                outcome: self.loaded.get_or_insert(LoadOutcome::Found(found)).clone(),
            },
            (
                Planted::RetriesAfterConflict,
                Event::HeadRead {
                    tenure,
                    outcome: HeadOutcome::Found(head),
                    ..
                },
            ) if self.is_foreign(&head) => return self.store_again(tenure, head.version),
            (
                Planted::RetriesAfterConflict,
                Event::StoreEnded {
                    tenure,
                    outcome: StoreOutcome::Conflict(_),
                    ..
                },
            ) if self.role() == Role::Leader => {
                let request = self.invent();
                self.extra.push_back(Effect::ReadHead { tenure, request });
                return;
            }
            (_, event) => event,
        };
        self.inner.handle(now, event);
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(effect) = self.extra.pop_front() {
            return Some(effect);
        }
        let effect = self.inner.poll_effect()?;
        if let Effect::Store {
            tenure,
            expected,
            document,
            ..
        } = &effect
        {
            self.storing = Some((expected.clone(), document.clone()));
            if self.bug == Planted::FencesBeforeStoring {
                self.fence_early(*tenure, document);
            }
        }
        if let (Planted::ForgetsToDrain, Effect::CloseOffice { tenure }) = (self.bug, &effect) {
            let tenure = *tenure;
            self.inner.handle(self.now, Event::Drained { tenure });
        }
        Some(effect)
    }

    fn poll_deadline(&self) -> Option<Timestamp> {
        self.inner.poll_deadline().map(|(deadline, _)| deadline)
    }

    fn role(&self) -> Role {
        self.inner.role()
    }

    fn tenure(&self) -> Tenure {
        self.inner.tenure()
    }
}

impl Mistaken {
    fn is_foreign(&self, head: &Head) -> bool {
        self.role() == Role::Leader
            && self.storing.as_ref().is_some_and(|(expected, document)| {
                head.write_id != Some(document.write_id) && Some(&head.version) != expected.as_ref()
            })
    }

    fn store_again(&mut self, tenure: Tenure, version: Version) {
        let request = self.invent();
        if let Some((_, document)) = self.storing.clone() {
            self.extra.push_back(Effect::Store {
                tenure,
                request,
                expected: Some(version),
                document,
            });
        }
    }

    fn fence_early(&mut self, tenure: Tenure, document: &StatusDocument) {
        for (namespace, shard, metadata) in document.status.shards() {
            let known = self.terms.insert(shard, metadata.term);
            if metadata.status != ShardStatus::Election || known == Some(metadata.term) {
                continue;
            }
            for server in metadata.ensemble.clone() {
                self.invented += 1;
                self.extra.push_back(Effect::Call {
                    tenure,
                    request: RequestId(self.invented),
                    server,
                    call: Call::NewTerm(NewTerm {
                        namespace: namespace.clone(),
                        shard,
                        term: metadata.term,
                        enable_notifications: true,
                        key_sorting: KeySorting::Unknown,
                    }),
                });
            }
        }
    }

    fn invent(&mut self) -> RequestId {
        self.invented += 1;
        RequestId(self.invented)
    }
}
