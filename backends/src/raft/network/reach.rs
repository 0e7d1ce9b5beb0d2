//! Whether another node answers, told when that changes.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::call_error::CallError;
use crate::raft::types::NodeId;

/// A node that is silent for less is not worth a word.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of another node.
pub(super) struct Reach {
    node: NodeId,
    address: String,
    silent_since: Option<Instant>,
    is_told: bool,
}

impl Reach {
    pub fn new(node: NodeId, address: &str) -> Self {
        Self {
            node,
            address: address.to_owned(),
            silent_since: None,
            is_told: false,
        }
    }

    /// It has answered, or has not.
    pub fn heard<T>(&mut self, answer: &Result<T, CallError>) {
        match answer {
            Ok(_) => self.answers(),
            Err(error) => self.is_silent(error),
        }
    }

    fn answers(&mut self) {
        self.silent_since = None;
        if std::mem::take(&mut self.is_told) {
            info!(node = self.node, address = %self.address, "A node answers again");
        }
    }

    fn is_silent(&mut self, error: &CallError) {
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        if !self.is_told && since.elapsed() >= PATIENCE {
            self.is_told = true;
            let error = error.to_string();
            warn!(node = self.node, address = %self.address, error, "A node does not answer");
        }
    }
}
