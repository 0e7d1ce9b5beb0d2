//! The status document, on threads that may block.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stepdown_core::Version;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::disk::Disk;
use super::outcome;
use crate::backend::StatusStore;
use crate::under_way::UnderWay;

/// What others wrote has to be the same twice, so long apart, before it is led on: half a document of
/// theirs may be a document as well, with fewer shards.
const REST: Duration = Duration::from_secs(1);

pub(crate) struct FileStore {
    pub(crate) disk: Arc<Disk>,
    /// How many stores are under way.
    pub(crate) stores: watch::Sender<usize>,
}

impl FileStore {
    async fn read(&self) -> LoadOutcome {
        let disk = self.disk.clone();
        spawn_blocking(move || outcome::load(&disk.place.document, disk.read()))
            .await
            .unwrap_or_else(|error| LoadOutcome::Unavailable {
                after: outcome::RETRY,
                reason: error.to_string(),
            })
    }
}

/// The version of a document that others wrote.
fn foreign(outcome: &LoadOutcome) -> Option<&Version> {
    if let LoadOutcome::Found(found) = outcome {
        (!found.intact).then_some(&found.version)
    } else {
        None
    }
}

#[async_trait]
impl StatusStore for FileStore {
    async fn load(&self) -> LoadOutcome {
        let first = self.read().await;
        let Some(before) = foreign(&first) else {
            return first;
        };
        let before = before.clone();
        sleep(REST).await;
        let second = self.read().await;
        if foreign(&second).is_some_and(|now| *now != before) {
            return LoadOutcome::Unavailable {
                after: outcome::RETRY,
                reason: format!(
                    "{} is being written by somebody else; it is read when that is over",
                    self.disk.place.document.display()
                ),
            };
        }
        second
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
