//! The configuration document and the hints: watch channels as they are.

use stepdown_core::ConfigurationText;
use tokio::sync::watch;

use crate::backend::{ConfigurationSource, StatusHints};

pub(super) struct Configuration(pub(super) watch::Receiver<Option<ConfigurationText>>);

impl ConfigurationSource for Configuration {
    fn watch(&self) -> watch::Receiver<Option<ConfigurationText>> {
        self.0.clone()
    }
}

pub(super) struct Hints(pub(super) watch::Receiver<u64>);

impl StatusHints for Hints {
    fn watch(&self) -> watch::Receiver<u64> {
        self.0.clone()
    }
}

pub(super) fn text(text: Option<String>) -> ConfigurationText {
    ConfigurationText {
        source: "memory".to_owned(),
        text,
    }
}
