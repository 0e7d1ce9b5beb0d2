//! The checksum of a whole status document, which every replica works out for itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use stepdown_core::cluster::ClusterStatus;
use xxhash_rust::xxh3::xxh3_128;

/// A checksum of a status, over the text that it is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checksum(u128);

impl Checksum {
    /// The status' checksum, and how many bytes its text has.
    #[must_use]
    pub fn of(status: &ClusterStatus) -> (Self, u64) {
        let text = status.encode();
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        (Self(xxh3_128(text.as_bytes())), bytes)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
