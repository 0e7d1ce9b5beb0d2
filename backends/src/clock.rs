//! The clock that every deadline is counted on.

use rustix::time::{ClockId, clock_gettime};
use stepdown_core::Timestamp;

/// Now, on the boot-time clock: it goes on while the machine is suspended, so that a coordinator
/// that wakes up knows that its authority has ended.
pub fn boottime() -> Timestamp {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    Timestamp(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}
