//! What the services of a data server share.

use stepdown_core::ShardId;
use stepdown_core::call::Feature;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::assignments::Assignments;
use super::convert;
use super::engine::Engine;
use super::faults::Faults;
use crate::replica::Refusal;

/// The metadata that names the cluster in every call.
pub(super) const INSTANCE_ID: &str = "instance-id";
/// What a sandbox data server can do: checksums, which are no work without keys.
pub(super) const FEATURES: [Feature; 1] = [Feature(1)];

/// What the services share.
pub(super) struct Node {
    pub(super) engine: Engine,
    pub(super) assignments: Assignments,
    pub(super) faults: Faults,
    pub(super) stopping: CancellationToken,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

impl Node {
    /// Lets a call in, by its instance id.
    pub(super) fn admit(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let Some(bound) = self.engine.instance_id() else {
            return Err(self.refuse(&Refusal::NotInitialized, None));
        };
        let mut ids = metadata.get_all(INSTANCE_ID).iter();
        let Some(id) = ids.next() else {
            return Err(Status::unauthenticated("oxia: instance id not identified"));
        };
        if ids.next().is_some() {
            return Err(Status::invalid_argument(
                "oxia: instance id must be provided only once",
            ));
        }
        let id = id.to_str().unwrap_or_default();
        if id.is_empty() {
            Err(self.refuse(&Refusal::EmptyInstanceId, None))
        } else if *id == *bound {
            Ok(())
        } else {
            Err(self.refuse(&Refusal::UnexpectedInstanceId(id.into()), None))
        }
    }

    pub(super) fn refuse(&self, refusal: &Refusal, shard: Option<ShardId>) -> Status {
        let leader = shard
            .filter(|_| *refusal == Refusal::NotLeader)
            .and_then(|shard| Some((shard, self.assignments.leader(shard)?)));
        let leader = leader
            .as_ref()
            .map(|(shard, leader)| (*shard, leader.as_str()));
        convert::refusal_to_status(refusal, leader)
    }
}
