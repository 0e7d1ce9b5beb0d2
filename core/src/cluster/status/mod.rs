//! The status document: which shard lives where, in which term, led by whom.

mod accept_loss;
mod beginnings;
mod checks;
mod decode;
mod differences;
mod document;
mod encode;
mod grown;
mod problems;
pub(crate) mod size;
#[cfg(test)]
mod tests;

pub use accept_loss::AcceptLossError;
pub use beginnings::{Beginning, Beginnings, BeginningsError};
pub use document::{
    ClusterStatus, HashRange, LastLeader, NamespaceStatus, ShardMetadata, ShardStatus,
    SplitMetadata, SplitPhase,
};
pub use problems::StatusProblem;
