//! What an entry of the log asks of the machine, and what it answers.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, WriteId};

use super::checksum::Checksum;
use super::delta::Delta;

/// The data of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Puts another's status in the place of what is there, as a person does. It stays unsealed
    /// until the leader adopts it.
    Adopt {
        /// The version that it takes the place of; `None` where there must be none.
        expected: Option<u64>,
        /// The status.
        status: Arc<ClusterStatus>,
    },
    /// Replaces the configuration document, or deletes it.
    Configure {
        /// The version that it takes the place of; zero where it was never written.
        expected: u64,
        /// The text.
        text: Option<Arc<str>>,
    },
    /// Gives the cluster its id, once and for all.
    Form {
        /// The id.
        cluster: ClusterId,
    },
    /// Stores a leader's status.
    Store(Store),
}

/// A leader's store: what changed, and enough to tell whether it may be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// The version that it takes the place of; `None` where there must be none.
    pub expected: Option<u64>,
    /// The writer's epoch.
    pub epoch: Epoch,
    /// The name of this write.
    pub write_id: WriteId,
    /// The checksum of the document at the expected version, as the writer has it.
    pub base: Checksum,
    /// What differs from that document.
    pub delta: Delta,
    /// The checksum of the document that must result.
    pub checksum: Checksum,
}

/// What came of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Applied {
    /// The configuration is at this version now.
    Configured(u64),
    /// The cluster has this id.
    Formed(ClusterId),
    /// An entry of Raft's own.
    Nothing,
    /// Nothing was changed.
    Refused(Refusal),
    /// The status is at this version now.
    Stored(u64),
}

/// Why an entry changed nothing. It will not be applied later, either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The cluster has another id.
    #[error("the cluster is {0}")]
    AnotherCluster(ClusterId),
    /// The write does not give what it says, though it was made for this very document: whoever wrote
    /// it has another one in its memory.
    #[error(
        "the write gives {found}, and says that it gives {said}: its writer's memory is damaged"
    )]
    Checksum {
        /// What it gives.
        found: Checksum,
        /// What it says.
        said: Checksum,
    },
    /// Whoever wrote has been succeeded.
    #[error("epoch {written} is over: the document is in epoch {present}")]
    Epoch {
        /// The document's.
        present: Epoch,
        /// The writer's.
        written: Epoch,
    },
    /// The document is at another version.
    #[error("the document is at {}, not at {}", shown(*present), shown(*expected))]
    Version {
        /// The one that was expected.
        expected: Option<u64>,
        /// The one that it is at.
        present: Option<u64>,
    },
}

fn shown(version: Option<u64>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

/// Names a cluster. Nodes of different clusters have nothing to say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub u128);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A text that is no cluster id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a cluster id of 32 hexadecimal digits")]
pub struct ParseClusterIdError(String);

impl std::str::FromStr for ClusterId {
    type Err = ParseClusterIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u128::from_str_radix(text, 16) {
            Ok(id) if is_plain => Ok(Self(id)),
            Ok(_) | Err(_) => Err(ParseClusterIdError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_id_survives_its_text_form() {
        let id = ClusterId(0xabc);
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "abc", "+0000000000000000000000000000abc", "zz"] {
            assert!(text.parse::<ClusterId>().is_err(), "{text}");
        }
    }
}
