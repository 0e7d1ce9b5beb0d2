//! What nodes ask each other beside what Raft asks.

use async_trait::async_trait;
use openraft::LogId;

use super::place::PlaceAnswer;
use super::types::{Member, NodeId};

/// The other nodes.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// Asks a leader how far a reader has to be, now, to have seen all that was acknowledged.
    async fn read_index(
        &self,
        leader: NodeId,
        at: &Member,
    ) -> Result<Option<LogId<NodeId>>, PeerError>;

    /// Asks a leader for its place, which it gives if its coordinator does not lead.
    async fn may_lead(
        &self,
        leader: NodeId,
        at: &Member,
        candidate: NodeId,
    ) -> Result<PlaceAnswer, PeerError>;

    /// Asks a node whether it misses a leader.
    async fn misses_a_leader(&self, node: NodeId, at: &Member) -> Result<bool, PeerError>;
}

/// A peer that did not answer, or could not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {reason}")]
pub struct PeerError {
    /// The peer.
    pub member: Member,
    /// Its words, or those of the network.
    pub reason: String,
}
