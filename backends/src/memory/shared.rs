//! What the coordinators of one process share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use stepdown_core::ConfigurationText;
use tokio::sync::watch;

use super::document::Documents;
use super::lock::Lock;

pub(super) struct Shared {
    pub(super) documents: Mutex<Documents>,
    pub(super) lock: watch::Sender<Lock>,
    /// Whether stores are held, and how many are.
    pub(super) gate: watch::Sender<Gate>,
    pub(super) configuration: watch::Sender<Option<ConfigurationText>>,
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
}
