//! How far a node's log has gone since it runs.

use std::sync::atomic::{AtomicU64, Ordering};

use openraft::LogId;

use super::storage::before;
use super::types::NodeId;

/// How far the log went when the node started, or what it has acknowledged since. It never goes back: one
/// that lacks what it has acknowledged has lost it before it was started.
#[derive(Debug)]
pub(super) struct Had(AtomicU64);

impl Had {
    /// It starts with a log that ends here.
    pub(super) fn new(last: Option<LogId<NodeId>>) -> Self {
        Self(AtomicU64::new(before(last)))
    }

    /// It acknowledges everything up to here.
    pub(super) fn include(&self, last: Option<LogId<NodeId>>) {
        self.0.fetch_max(before(last), Ordering::SeqCst);
    }

    pub(super) fn includes(&self, id: &LogId<NodeId>) -> bool {
        id.index < self.0.load(Ordering::SeqCst)
    }
}
