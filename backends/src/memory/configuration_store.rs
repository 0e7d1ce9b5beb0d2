//! Changes of the configuration document, in memory.

use std::sync::Arc;

use async_trait::async_trait;
use stepdown_core::Version;

use super::shared::Shared;
use crate::configuration_store::{
    ConfigurationStore, ConfigurationStoreError, StoredConfiguration,
};

pub(super) struct MemoryConfigurationStore(pub(super) Arc<Shared>);

#[async_trait]
impl ConfigurationStore for MemoryConfigurationStore {
    async fn load(&self) -> Result<StoredConfiguration, ConfigurationStoreError> {
        Ok(self.0.stored_configuration())
    }

    async fn store(
        &self,
        expected: &Version,
        text: String,
    ) -> Result<Version, ConfigurationStoreError> {
        let present = |present: Version| {
            ConfigurationStoreError::Conflict(format!("it is at version {present}, not {expected}"))
        };
        self.0
            .configure(Some(expected), Some(text))
            .map_err(present)
    }
}
