//! What waits for a shard's change of the document to be durable.

use crate::id::Term;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Tell the world of the leader elected in this term.
    Announce(Term),
    /// Delete the shard.
    Delete,
    /// Fence the ensemble in this term.
    Fence(Term),
    /// Nothing more: a member that has left has no data any more.
    Leave,
    /// Tell the one chosen in this term to lead.
    Promote(Term),
}
