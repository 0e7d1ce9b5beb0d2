//! What the coordinators of one process share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use stepdown_core::{ConfigurationText, Version};
use tokio::sync::watch;

use super::configuration;
use super::document::Documents;
use super::lock::Lock;
use crate::configuration_store::StoredConfiguration;

pub(super) struct Shared {
    pub(super) documents: Mutex<Documents>,
    pub(super) lock: watch::Sender<Lock>,
    /// Whether stores are held, and how many are.
    pub(super) gate: watch::Sender<Gate>,
    pub(super) configuration: watch::Sender<Option<ConfigurationText>>,
    /// How often the configuration was written.
    pub(super) configurations: Mutex<u64>,
}

#[derive(Default)]
pub(super) struct Gate {
    pub(super) closed: bool,
    pub(super) waiting: usize,
}

impl Shared {
    pub(super) fn documents(&self) -> MutexGuard<'_, Documents> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
    /// Replaces or deletes the configuration document, if it is at this version, or at any; answers
    /// its version then, or the one that it is at.
    pub(super) fn configure(
        &self,
        expected: Option<&Version>,
        text: Option<String>,
    ) -> Result<Version, Version> {
        let mut writes = self.configurations();
        let present = version(*writes);
        if expected.is_some_and(|expected| *expected != present) {
            return Err(present);
        }
        *writes += 1;
        self.configuration
            .send_replace(Some(configuration::text(text)));
        Ok(version(*writes))
    }

    pub(super) fn stored_configuration(&self) -> StoredConfiguration {
        let writes = self.configurations();
        let text = self.configuration.borrow().clone();
        StoredConfiguration {
            version: version(*writes),
            text: text.and_then(|it| it.text),
        }
    }

    fn configurations(&self) -> MutexGuard<'_, u64> {
        self.configurations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(writes: u64) -> Version {
    Version::new(writes.to_string())
}
