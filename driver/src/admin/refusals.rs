//! What is answered where a change is not made.

use stepdown_backends::ConfigurationStoreError;
use stepdown_core::cluster::EditError;
use tonic::Status;

use crate::audit::AuditError;

/// Why nothing is built on a document that somebody else has written.
pub(super) const HELD_BACK: &str = "it is held back, since it would delete more than it keeps: put back what it lacks \
    by hand, or wait until it is in force";

/// Why nothing is built on a document that was refused, or is not read yet.
pub(super) const REFUSED: &str =
    "it is not in force: it was refused, which the log says, or is being written";

/// The code and the words of a change that can't be made.
pub(super) fn not_edited(error: &EditError) -> Status {
    let told = error.to_string();
    match error {
        EditError::Invalid(_) => Status::invalid_argument(told),
        EditError::NamespaceExists(_) | EditError::ServerExists(_) => Status::already_exists(told),
        EditError::NamespaceNotFound(_) | EditError::ServerNotFound(_) => Status::not_found(told),
        EditError::Precondition { .. } => Status::failed_precondition(told),
    }
}

/// The code and the words where nothing can be built on the document as it is.
pub(super) fn not_changed(why: &str) -> Status {
    Status::failed_precondition(format!(
        "the configuration can't be changed as it is stored: {why}"
    ))
}

/// The code and the words of a change that is not made since it can't be written down.
pub(super) fn not_written_down(error: &AuditError) -> Status {
    let told = format!("a change that can't be written down is not made: {error}");
    match error {
        AuditError::Busy => Status::resource_exhausted(told),
        AuditError::Chance(_)
        | AuditError::Ended
        | AuditError::File { .. }
        | AuditError::Log(_)
        | AuditError::Slow(_) => Status::unavailable(told),
    }
}

/// The code and the words where the document can't be read or written.
pub(super) fn not_stored(error: &ConfigurationStoreError) -> Status {
    match error {
        ConfigurationStoreError::Conflict(reason) => Status::aborted(format!(
            "others have changed the configuration at the same time, again and again; try again: {reason}"
        )),
        ConfigurationStoreError::Refused(reason) => {
            Status::failed_precondition(format!("the configuration can't be changed: {reason}"))
        }
        ConfigurationStoreError::TooLarge(reason) => {
            Status::failed_precondition(format!("the configuration would be too large: {reason}"))
        }
        ConfigurationStoreError::Unavailable(reason) => Status::unavailable(format!(
            "the configuration can't be changed now, and was not; try again: {reason}"
        )),
        ConfigurationStoreError::Unknown(reason) => Status::unavailable(format!(
            "it is not known whether the configuration was changed; look before you try again: {reason}"
        )),
    }
}
