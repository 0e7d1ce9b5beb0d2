//! What a store can be made to answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// How one store ends, instead of as it would.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Tried, but the answer is lost.
    AmbiguousApplied,
    /// Answered at once as if the answer were lost; tried later, whatever happened in between.
    AmbiguousLate(Late),
    /// Lost before it was tried.
    AmbiguousLost,
    /// Refused, though the version may be right.
    Conflict,
    /// Refused because the document is unreadable. It is not made so.
    Corrupt,
    /// Refused for want of permission.
    Forbidden,
    /// Refused as malformed.
    Invalid,
    /// Refused as too large.
    TooLarge,
    /// Not tried; to be tried again after this long.
    Unavailable(Duration),
}

/// When a late store is tried.
#[derive(Clone, Debug)]
pub enum Late {
    /// After a delay.
    After(Duration),
    /// Once notified. The store lets go of its end when it has been tried.
    Notified(Arc<Notify>),
}

impl Late {
    pub(super) async fn wait(&self) {
        match self {
            Self::After(delay) => tokio::time::sleep(*delay).await,
            Self::Notified(notify) => notify.notified().await,
        }
    }
}
