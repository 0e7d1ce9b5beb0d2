//! What Raft is told about: its members, its entries, and what each of them answers.

use std::fmt;
use std::io::Cursor;

use serde::{Deserialize, Serialize};

use super::command::{Applied, Command};

/// A node's number. It belongs to one disk: a node that has lost its disk comes back as another.
pub type NodeId = u64;

openraft::declare_raft_types!(
    /// The types that Raft works on here.
    pub TypeConfig:
        D = Command,
        R = Applied,
        NodeId = NodeId,
        Node = Member,
        Entry = openraft::Entry<TypeConfig>,
        SnapshotData = Cursor<Vec<u8>>,
        AsyncRuntime = openraft::TokioRuntime,
);

/// A node as the others know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// The coordinator's name, for whoever asks who leads.
    pub name: String,
    /// Where it listens for the others, `host:port`.
    pub address: String,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.address)
    }
}
