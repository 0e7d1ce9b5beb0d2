//! A store whose reads are timed and whose documents are weighed.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use stepdown_backends::{Backend, StatusStore};
use stepdown_core::Version;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};

use crate::observe::metrics::Documents;

/// The same backend, with a store that is measured. Stores are not: the machine reports them, with
/// all their tries.
pub(super) fn measured(backend: Backend, documents: &Documents) -> Backend {
    let store = Arc::new(Measured {
        store: backend.store.clone(),
        documents: documents.clone(),
    });
    Backend { store, ..backend }
}

struct Measured {
    store: Arc<dyn StatusStore>,
    documents: Documents,
}

#[async_trait]
impl StatusStore for Measured {
    async fn load(&self) -> LoadOutcome {
        let began = Instant::now();
        let outcome = self.store.load().await;
        self.documents.document_read(began.elapsed());
        if let LoadOutcome::Found(loaded) = &outcome {
            self.documents.status_weighed(loaded.bytes);
        }
        outcome
    }

    async fn head(&self) -> HeadOutcome {
        let began = Instant::now();
        let outcome = self.store.head().await;
        self.documents.document_read(began.elapsed());
        outcome
    }

    async fn store(&self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome {
        self.store.store(expected, document).await
    }
}
