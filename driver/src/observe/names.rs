//! What is called how in logs and labels.

use stepdown_core::{Cause, Role, StoreResult};

/// Each reason why leadership may end.
pub const CAUSES: [Cause; 7] = [
    Cause::AuthorityExpired,
    Cause::Conflict,
    Cause::LeadershipLost,
    Cause::NotInOffice,
    Cause::Shutdown,
    Cause::StoreRefused,
    Cause::StoreStalled,
];

/// Each way in which a store may end.
pub const STORE_RESULTS: [StoreResult; 8] = [
    StoreResult::Ambiguous,
    StoreResult::Conflict,
    StoreResult::Corrupt,
    StoreResult::Forbidden,
    StoreResult::Invalid,
    StoreResult::Stored,
    StoreResult::TooLarge,
    StoreResult::Unavailable,
];

/// The label of why leadership ended.
pub fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::AuthorityExpired => "authority_expired",
        Cause::Conflict => "conflict",
        Cause::LeadershipLost => "leadership_lost",
        Cause::NotInOffice => "not_in_office",
        Cause::Shutdown => "shutdown",
        Cause::StoreRefused => "store_refused",
        Cause::StoreStalled => "store_stalled",
    }
}

/// A role's name in logs and labels.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Candidate => "candidate",
        Role::Leader => "leader",
        Role::SteppingDown => "stepping_down",
    }
}

/// An outcome's name in logs and labels.
pub fn store_result(outcome: StoreResult) -> &'static str {
    match outcome {
        StoreResult::Ambiguous => "ambiguous",
        StoreResult::Conflict => "conflict",
        StoreResult::Corrupt => "corrupt",
        StoreResult::Forbidden => "forbidden",
        StoreResult::Invalid => "invalid",
        StoreResult::Stored => "stored",
        StoreResult::TooLarge => "too_large",
        StoreResult::Unavailable => "unavailable",
    }
}
