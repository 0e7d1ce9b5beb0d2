//! The status document, on threads that may block.

use std::sync::Arc;

use async_trait::async_trait;
use stepdown_core::Version;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::disk::Disk;
use super::outcome;
use crate::backend::StatusStore;
use crate::under_way::UnderWay;

pub(crate) struct FileStore {
    pub(crate) disk: Arc<Disk>,
    /// How many stores are under way.
    pub(crate) stores: watch::Sender<usize>,
}

#[async_trait]
impl StatusStore for FileStore {
    async fn load(&self) -> LoadOutcome {
        let disk = self.disk.clone();
        spawn_blocking(move || outcome::load(&disk.place.document, disk.read()))
            .await
            .unwrap_or_else(|error| LoadOutcome::Unavailable {
                after: outcome::RETRY,
                reason: error.to_string(),
            })
    }

    async fn head(&self) -> HeadOutcome {
        let disk = self.disk.clone();
        spawn_blocking(move || outcome::head(&disk.place.document, disk.read()))
            .await
            .unwrap_or_else(|error| HeadOutcome::Unavailable {
                after: outcome::RETRY,
                reason: error.to_string(),
            })
    }

    async fn store(&self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome {
        let disk = self.disk.clone();
        let under_way = UnderWay::begin(&self.stores);
        let write = spawn_blocking(move || {
            let outcome = disk.store(expected.as_ref(), &document);
            drop(under_way);
            outcome
        });
        write
            .await
            .unwrap_or_else(|error| StoreOutcome::Ambiguous(error.to_string()))
    }
}
