//! What a status document says that can't be so.

use std::sync::Arc;

use super::document::HashRange;
use crate::id::ShardId;

/// Something in a status document that ought not to be there. All but fatal ones can be led on:
/// a cluster with a fault is better off with a coordinator than without.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusProblem {
    /// A shard's leader is not one of its ensemble.
    #[error("namespaces.{namespace}.shards.{shard}.leader: '{leader}' is not in the ensemble")]
    ForeignLeader {
        /// The namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// The leader's id.
        leader: Arc<str>,
    },
    /// Some hashes of a namespace belong to no shard.
    #[error("namespaces.{namespace}.shards: no shard serves the hashes {} to {}", .range.min, .range.max)]
    Gap {
        /// The namespace.
        namespace: Arc<str>,
        /// The hashes.
        range: HashRange,
    },
    /// The generator would give out an id that is taken. [`raise_shard_id_generator`]
    /// puts it right.
    ///
    /// [`raise_shard_id_generator`]: super::ClusterStatus::raise_shard_id_generator
    #[error("shardIdGenerator: {generator} is not above the greatest shard id, {greatest}")]
    GeneratorTooLow {
        /// The generator.
        generator: i64,
        /// The greatest id in use.
        greatest: ShardId,
    },
    /// The instance id can't be sent to data servers, as it goes with every call as a header.
    /// Fatal: nothing could be done.
    #[error(
        "instanceId: {instance_id:?} has characters other than printable ASCII ones, so it can't \
         be sent to data servers; put back the id that they are bound to"
    )]
    InstanceId {
        /// The id.
        instance_id: Arc<str>,
    },
    /// A shard to be served has no replica.
    #[error("namespaces.{namespace}.shards.{shard}.ensemble: there are no servers in it")]
    NoEnsemble {
        /// The namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
    },
    /// A shard to be served has no hashes, or its least comes after its greatest.
    #[error(
        "namespaces.{namespace}.shards.{shard}.int32HashRange: it is missing, or min is above max"
    )]
    NoRange {
        /// The namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
    },
    /// Two shards of a namespace serve the same hashes.
    #[error("namespaces.{namespace}.shards: {left} and {right} both serve the hash {hash}")]
    Overlap {
        /// The namespace.
        namespace: Arc<str>,
        /// The shard whose range starts first.
        left: ShardId,
        /// The other.
        right: ShardId,
        /// The least hash of both.
        hash: u32,
    },
    /// A server is in an ensemble more than once, by its id or by its internal address.
    #[error("namespaces.{namespace}.shards.{shard}.ensemble: '{server}' is in it twice")]
    RepeatedMember {
        /// The namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// The id or address.
        server: Arc<str>,
    },
    /// Two namespaces have a shard of the same id. Fatal: one would be taken for the other.
    #[error(
        "namespaces.{second}.shards.{shard}: the namespace '{first}' has a shard of this id too; \
         restore the document from before they were mixed, or remove the wrong one"
    )]
    SharedShardId {
        /// The shard.
        shard: ShardId,
        /// A namespace that has it.
        first: Arc<str>,
        /// Another.
        second: Arc<str>,
    },
}

impl StatusProblem {
    /// Whether to lead on such a document would do harm.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::InstanceId { .. } | Self::SharedShardId { .. } => true,
            Self::ForeignLeader { .. }
            | Self::Gap { .. }
            | Self::GeneratorTooLow { .. }
            | Self::NoEnsemble { .. }
            | Self::NoRange { .. }
            | Self::Overlap { .. }
            | Self::RepeatedMember { .. } => false,
        }
    }
}
