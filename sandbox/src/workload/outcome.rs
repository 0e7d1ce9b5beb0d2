//! What became of what was written.

use std::ops::AddAssign;
use std::time::Duration;

/// What became of the entries written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Acknowledged while the cluster was hurt.
    pub acknowledged: u64,
    /// Found again at the end.
    pub verified: u64,
    /// Acknowledged and not there at the end.
    pub lost: u64,
}

impl Entries {
    /// Entries that nobody could be asked about.
    pub(crate) fn unread(&self) -> u64 {
        self.acknowledged.saturating_sub(self.verified + self.lost)
    }
}

impl AddAssign for Entries {
    fn add_assign(&mut self, more: Self) {
        self.acknowledged += more.acknowledged;
        self.verified += more.verified;
        self.lost += more.lost;
    }
}

/// A time in which a shard acknowledged nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Its namespace and id.
    pub(crate) shard: String,
    /// How long.
    pub(crate) time: Duration,
}
