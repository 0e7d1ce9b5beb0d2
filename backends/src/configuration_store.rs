//! The configuration document, for whoever changes it by way of a coordinator.

use async_trait::async_trait;
use stepdown_core::{ConfigurationText, Version};

/// The configuration document, guarded by its version.
#[async_trait]
pub trait ConfigurationStore: Send + Sync + 'static {
    /// Reads it, as it is now and not from any cache.
    async fn load(&self) -> Result<StoredConfiguration, ConfigurationStoreError>;

    /// Reads it, as it is now, where nobody is writing it just then; and as the source does: also what could not be
    /// changed by `store`.
    async fn read(&self) -> Result<ConfigurationText, ConfigurationStoreError> {
        let stored = self.load().await?;
        Ok(ConfigurationText {
            source: "the configuration".to_owned(),
            text: stored.text,
        })
    }

    /// Writes it, if its version is still `expected`; answers its version then. It never tries
    /// twice by itself. A write that has begun goes on even if the future is dropped.
    async fn store(
        &self,
        expected: &Version,
        text: String,
    ) -> Result<Version, ConfigurationStoreError>;
}

/// The document as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConfiguration {
    /// Its version, also where there is none.
    pub version: Version,
    /// Its text; `None` where there is none.
    pub text: Option<String>,
}

/// Why the document was not read, or not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationStoreError {
    /// It was definitely not written: it is at another version.
    #[error("{0}")]
    Conflict(String),
    /// It can't be had, or written, before somebody does something about it.
    #[error("{0}")]
    Refused(String),
    /// It was definitely not written, since it is too large.
    #[error("{0}")]
    TooLarge(String),
    /// Nothing was done; try again after a while.
    #[error("{0}")]
    Unavailable(String),
    /// It was written, or not.
    #[error("{0}")]
    Unknown(String),
}
