//! How long what a tenure begins may take.

use std::time::Duration;

use crate::call::Call;

/// The longest that a call to a data server may take, from its turn to its answer; also the longest
/// that it waits for its turn. Oxia's.
pub const CALL_LIMIT: Duration = Duration::from_secs(30);
/// The longest that a health check may take, which waits for no turn. Oxia's.
pub const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// The longest that a load, a head read or a store may take where authority ends by time, and that the
/// configuration may be read anywhere. No store gets more than is left of authority.
pub(super) const STORE_LIMIT: Duration = Duration::from_secs(5);

/// The longest that this call may take.
#[must_use]
pub fn call_limit(call: &Call) -> Duration {
    match call {
        Call::CheckHealth => PROBE_LIMIT,
        Call::AddFollower(_)
        | Call::BecomeLeader(_)
        | Call::DeleteShard(_)
        | Call::GetStatus { .. }
        | Call::Handshake
        | Call::NewTerm(_)
        | Call::Truncate(_) => CALL_LIMIT,
    }
}
