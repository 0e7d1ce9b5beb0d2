//! What is written to a cluster all the time, and read back at the end.

use stepdown_sandbox::workload::{LeaderAt, Workload};
use tokio::time::Instant;

use crate::oxia::Keys;

/// What is written to a cluster all the time.
#[derive(Debug)]
pub enum Load {
    /// Entries, to sandbox data servers.
    Entries(Workload),
    /// Keys, to upstream's data servers.
    Keys(Keys),
}

impl Load {
    /// Tells the writers who leads; upstream's client knows it by itself.
    pub(super) fn follow(&mut self, leaders: Vec<LeaderAt>) {
        match self {
            Self::Entries(it) => it.follow(leaders),
            Self::Keys(_) => {}
        }
    }

    /// Who has acknowledged nothing that was written after `since`.
    pub(super) fn silent_since(&self, since: Instant) -> Vec<String> {
        match self {
            Self::Entries(it) => it.silent_since(since),
            Self::Keys(it) => it.silent_since(since),
        }
    }

    /// How many keys were put without an acknowledgement; entries are not counted.
    pub(super) fn unanswered(&self) -> Option<u64> {
        match self {
            Self::Entries(_) => None,
            Self::Keys(it) => Some(it.unanswered()),
        }
    }

    pub(super) async fn stop(&mut self) {
        match self {
            Self::Entries(it) => it.stop().await,
            Self::Keys(it) => it.stop().await,
        }
    }
}
