//! The status document, as the coordinator sees it.

use std::sync::Arc;

use async_trait::async_trait;
use stepdown_core::Version;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use tokio::sync::watch;

use super::access::Access;
use crate::backend::StatusStore;
use crate::under_way::UnderWay;

pub(crate) struct ConfigMapStore {
    pub(crate) access: Arc<Access>,
    /// How many stores are under way.
    pub(crate) stores: watch::Sender<usize>,
}

#[async_trait]
impl StatusStore for ConfigMapStore {
    async fn load(&self) -> LoadOutcome {
        self.access.load().await
    }

    async fn head(&self) -> HeadOutcome {
        self.access.head().await
    }

    async fn store(&self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome {
        let access = self.access.clone();
        let under_way = UnderWay::begin(&self.stores);
        let write = tokio::spawn(async move {
            let outcome = access.write(expected.as_ref(), document).await;
            drop(under_way);
            outcome
        });
        write
            .await
            .unwrap_or_else(|error| StoreOutcome::Ambiguous(error.to_string()))
    }
}
