//! How fast whatever comes or goes must be, else it is given up.

use std::time::Duration;

/// What the slowest network carries in a second, in bytes, that nodes are expected to work with.
pub(super) const SLOWEST: usize = 256 << 10;

/// How long that takes so many bytes.
pub(super) fn takes(bytes: usize) -> Duration {
    let millis = bytes.saturating_mul(1_000) / SLOWEST;
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
