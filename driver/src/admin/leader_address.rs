//! Where the leader's admin API is reached, where the configuration does not list the coordinators.

use std::sync::Arc;

/// What leadership itself tells of the leader's address.
pub(crate) trait LeaderAddress: Send + Sync + 'static {
    /// The public address of the coordinator of this name, which leads; `None` where that is not known.
    fn public_address(&self, leader: &str) -> Option<Arc<str>>;
}

/// Knows no address.
pub(crate) struct Unknown;

impl LeaderAddress for Unknown {
    fn public_address(&self, _: &str) -> Option<Arc<str>> {
        None
    }
}
