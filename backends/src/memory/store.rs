//! The status document as one coordinator sees it.

use std::sync::Arc;

use async_trait::async_trait;
use stepdown_core::Version;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use tokio::sync::watch;

use super::document::{Coordinator, INJECTED};
use super::fault::Fault;
use super::shared::Shared;
use crate::backend::StatusStore;
use crate::under_way::UnderWay;

pub(super) struct MemoryStore {
    shared: Arc<Shared>,
    coordinator: Coordinator,
    /// How many stores are under way.
    stores: watch::Sender<usize>,
}

impl MemoryStore {
    pub(super) fn new(
        shared: Arc<Shared>,
        coordinator: Coordinator,
        stores: watch::Sender<usize>,
    ) -> Self {
        Self {
            shared,
            coordinator,
            stores,
        }
    }
}

#[async_trait]
impl StatusStore for MemoryStore {
    async fn load(&self) -> LoadOutcome {
        self.shared.documents().load()
    }

    async fn head(&self) -> HeadOutcome {
        self.shared.documents().head()
    }

    async fn store(&self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome {
        let request = Request {
            shared: self.shared.clone(),
            coordinator: self.coordinator,
            expected,
            document,
        };
        let under_way = UnderWay::begin(&self.stores);
        let fault = self.shared.documents().faults.pop_front();
        if !self.shared.gate.borrow().closed {
            return request.finish(fault);
        }
        let held = tokio::spawn(async move {
            request.pass_gate().await;
            let outcome = request.finish(fault);
            drop(under_way);
            outcome
        });
        held.await
            .unwrap_or_else(|error| StoreOutcome::Ambiguous(error.to_string()))
    }
}

struct Request {
    shared: Arc<Shared>,
    coordinator: Coordinator,
    expected: Option<Version>,
    document: StatusDocument,
}

impl Request {
    async fn pass_gate(&self) {
        let mut gate = self.shared.gate.subscribe();
        self.shared.gate.send_modify(|gate| gate.waiting += 1);
        // The sender lives in `shared`, so this can't fail.
        let _ = gate.wait_for(|gate| !gate.closed).await;
        self.shared.gate.send_modify(|gate| gate.waiting -= 1);
    }

    fn finish(self, fault: Option<Fault>) -> StoreOutcome {
        let reason = INJECTED.to_owned();
        match fault {
            None => self.apply(),
            Some(Fault::AmbiguousApplied) => {
                self.apply();
                StoreOutcome::Ambiguous(reason)
            }
            Some(Fault::AmbiguousLate(late)) => {
                tokio::spawn(async move {
                    late.wait().await;
                    self.apply();
                    drop(late);
                });
                StoreOutcome::Ambiguous(reason)
            }
            Some(Fault::AmbiguousLost) => StoreOutcome::Ambiguous(reason),
            Some(Fault::Conflict) => StoreOutcome::Conflict(reason),
            Some(Fault::Corrupt) => StoreOutcome::Corrupt(reason),
            Some(Fault::Forbidden) => StoreOutcome::Forbidden(reason),
            Some(Fault::Invalid) => StoreOutcome::Invalid(reason),
            Some(Fault::TooLarge) => StoreOutcome::TooLarge(reason),
            Some(Fault::Unavailable(after)) => StoreOutcome::Unavailable { after, reason },
        }
    }

    fn apply(self) -> StoreOutcome {
        self.shared
            .documents()
            .store(self.coordinator, self.expected.as_ref(), self.document)
    }
}
