//! A metadata store of its own: the coordinators keep both documents among themselves, by Raft.

mod checksum;
mod command;
mod delta;
mod machine;
pub mod storage;
mod types;

#[cfg(test)]
mod fixtures;

pub use checksum::Checksum;
pub use command::{Applied, ClusterId, Command, ParseClusterIdError, Refusal, Store};
pub use delta::{Delta, NamespaceDelta};
pub use machine::{Configuration, Diverged, Machine, StatusRecord};
pub use types::{Member, NodeId, TypeConfig};
