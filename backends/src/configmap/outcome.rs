//! What a failed request means for whoever asked for the document.

use std::fmt::Display;
use std::time::Duration;

use stepdown_core::store::{HeadOutcome, LoadOutcome, StoreOutcome};

use super::classify::{Ask, FailureClass, classify};
use super::object_name::ObjectName;
use super::request::Failure;

/// Asking more often helps nobody where a person has to do something.
const PERSON: Duration = Duration::from_secs(1);

/// The answer where a write failed.
pub(crate) fn not_stored(place: &ObjectName, ask: Ask, failure: &Failure) -> StoreOutcome {
    let reason = format!("configmap {place}: {failure}");
    if failure.is_of_immutable() {
        return StoreOutcome::Forbidden(format!(
            "{reason}; save the configmap, delete it, and create it again without `immutable: true`"
        ));
    }
    match classify(ask, failure) {
        FailureClass::Absent | FailureClass::Ambiguous | FailureClass::Expired => {
            StoreOutcome::Ambiguous(reason)
        }
        FailureClass::Forbidden => StoreOutcome::Forbidden(format!(
            "{reason}; let the coordinator's role create and patch configmaps"
        )),
        FailureClass::Invalid => StoreOutcome::Invalid(reason),
        FailureClass::TooLarge => StoreOutcome::TooLarge(reason),
        FailureClass::Unavailable { after } => StoreOutcome::Unavailable { after, reason },
    }
}

/// The answer where the object, or something that is read along with it, could not be read.
pub(crate) fn not_loaded(object: impl Display, failure: &Failure) -> LoadOutcome {
    let reason = format!("{object}: {failure}");
    let class = classify(Ask::Read, failure);
    if class == FailureClass::Forbidden {
        return LoadOutcome::Forbidden(format!(
            "{reason}; let the coordinator's role get configmaps and leases"
        ));
    }
    LoadOutcome::Unavailable {
        after: after(class),
        reason,
    }
}

pub(crate) fn no_head(place: &ObjectName, failure: &Failure) -> HeadOutcome {
    HeadOutcome::Unavailable {
        after: after(classify(Ask::Read, failure)),
        reason: format!("configmap {place}: {failure}"),
    }
}

fn after(class: FailureClass) -> Duration {
    match class {
        FailureClass::Unavailable { after } => after,
        FailureClass::Absent
        | FailureClass::Ambiguous
        | FailureClass::Expired
        | FailureClass::Forbidden
        | FailureClass::Invalid
        | FailureClass::TooLarge => PERSON,
    }
}
