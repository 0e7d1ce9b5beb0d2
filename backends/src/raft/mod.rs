//! A metadata store of its own: the coordinators keep both documents among themselves, by Raft.

pub mod admin;
mod assemble;
mod ballot;
mod brief;
mod checksum;
mod command;
mod configuration_store;
mod delta;
mod discreet;
mod error;
mod escapes;
mod following;
mod forming;
#[cfg(feature = "fuzzing")]
#[expect(
    clippy::panic,
    reason = "what does not hold ends the test that found it"
)]
pub(crate) mod fuzzing;
mod had;
mod handover;
mod heed;
mod hush;
mod leadership;
mod listen;
pub mod local;
mod loosen;
mod machine;
mod naming;
pub mod network;
mod node;
mod open;
mod options;
mod overruled;
mod peers;
mod place;
mod reading;
mod room;
mod seat;
mod standing;
pub mod storage;
mod store;
mod timing;
mod touch;
mod types;
mod voice;

#[cfg(test)]
mod fixtures;

pub use checksum::Checksum;
pub use command::{Applied, ClusterId, Command, ParseClusterIdError, Refusal, Store};
pub use delta::{Delta, NamespaceDelta};
pub use error::{StartError, TimingError, WriteError};
pub use heed::Forgotten;
pub use machine::{Configuration, Diverged, Machine, StatusRecord};
pub use node::Node;
pub(crate) use open::open;
pub use options::RaftOptions;
pub use overruled::Overruled;
pub use peers::{PeerError, Peers};
pub use place::PlaceAnswer;
pub use timing::RaftTiming;
pub use types::{Member, NodeId, TypeConfig};
