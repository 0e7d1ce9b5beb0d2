//! Why what is in the status ConfigMap can't be gone on from, and what to do about it.

use std::io;

use stepdown_core::cluster::DecodeError;

use super::layout::{COMPRESSED, PLAIN};
use super::object_name::ObjectName;
use crate::lacks::{Lack, listed};

/// Why what is in the status ConfigMap can't be gone on from. Each names the ConfigMap.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Corrupt {
    #[error("configmap {place} key {COMPRESSED}: {error}; restore it from a copy")]
    Compression { place: ObjectName, error: io::Error },
    /// There is a ConfigMap, and no document in it.
    #[error(
        "configmap {place} has no status in it, neither as data.{PLAIN} nor as \
         binaryData[{COMPRESSED}]{}: restore it, or give --initialize-empty-status for a new cluster",
        named(.others)
    )]
    Empty {
        place: ObjectName,
        /// What else is in it.
        others: Vec<String>,
    },
    /// A document was written once.
    #[error(
        "the status in configmap {0} is gone, though it was written once: restore it from a \
         copy, or, for a new cluster, stop every coordinator, delete lease {0} too, and start \
         them again"
    )]
    Gone(ObjectName),
    /// Whoever leads on it makes that the truth.
    #[error(
        "configmap {place} was written by somebody else, and lacks {}: put a copy back that is whole, or \
         mend it",
        listed(.lacks)
    )]
    Lacking { place: ObjectName, lacks: Vec<Lack> },
    /// Nothing that matters could be stored.
    #[error(
        "configmap {0} is immutable, so that no leader and no term can be stored: save it with kubectl get -o \
         yaml, delete it, and create it again without `immutable: true`"
    )]
    Immutable(ObjectName),
    /// A layout that is not known is not guessed at.
    #[error("configmap {place} was written by a newer release, in the layout {layout}: use that")]
    Newer { place: ObjectName, layout: String },
    /// We never write both, so somebody else wrote one of them, and nobody knows which.
    #[error(
        "configmap {0} has two statuses, data.{PLAIN} and binaryData[{COMPRESSED}]: remove the one that is not meant"
    )]
    TwoStatuses(ObjectName),
    #[error("configmap {place}: {error}; put it right, or restore it from a copy")]
    Undecodable {
        place: ObjectName,
        error: DecodeError,
    },
    #[error("configmap {0}: the API server names no version of it")]
    Unversioned(ObjectName),
}

fn named(others: &[String]) -> String {
    if others.is_empty() {
        return String::new();
    }
    format!(", but {}", others.join(", "))
}
