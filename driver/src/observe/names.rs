//! What is called how in logs and labels.

use stepdown_core::{Cause, Role, StoreResult};

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
