//! Why a change is not made.

use std::sync::Arc;

/// Why a change is not made. The words are those of Oxia's coordinator, where it has any.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The request asks for what can't be.
    #[error("{0}")]
    Invalid(String),
    /// There is a namespace of that name.
    #[error("namespace {0:?} already exists")]
    NamespaceExists(Arc<str>),
    /// There is no namespace of that name.
    #[error("namespace {0:?} not found")]
    NamespaceNotFound(Arc<str>),
    /// What else is in the configuration does not allow it.
    #[error("failed to {attempt}: metadata failed precondition: {reason}")]
    Precondition {
        /// What was to be done.
        attempt: String,
        /// Why it can't be.
        reason: String,
    },
    /// There is a data server of that id.
    #[error("data server {0:?} already exists")]
    ServerExists(Arc<str>),
    /// There is no data server of that id.
    #[error("data server {0:?} not found")]
    ServerNotFound(Arc<str>),
}
