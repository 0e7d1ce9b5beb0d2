//! The newest assignments that a coordinator has pushed.

use std::sync::Arc;

use stepdown_core::ShardId;
use stepdown_wire::v1::ShardAssignments;
use stepdown_wire::v1::shard_assignment::ShardBoundaries;
use tokio::sync::watch;

use crate::proto;

#[derive(Debug)]
pub(super) struct Assignments(watch::Sender<(u64, Arc<ShardAssignments>)>);

impl Assignments {
    pub(super) fn none() -> Self {
        Self(watch::Sender::default())
    }

    /// How many have been pushed.
    pub(super) fn pushes(&self) -> u64 {
        self.0.borrow().0
    }

    pub(super) fn watch(&self) -> watch::Receiver<(u64, Arc<ShardAssignments>)> {
        self.0.subscribe()
    }

    pub(super) fn replace(&self, assignments: ShardAssignments) {
        self.0.send_modify(|(pushes, newest)| {
            *pushes = pushes.saturating_add(1);
            *newest = Arc::new(assignments);
        });
    }

    /// The public address of a shard's leader, if it is known.
    pub(super) fn leader(&self, shard: ShardId) -> Option<String> {
        let newest = self.0.borrow().1.clone();
        newest
            .namespaces
            .values()
            .flat_map(|namespace| &namespace.assignments)
            .find(|assignment| assignment.shard == shard.0)
            .map(|assignment| assignment.leader.clone())
            .filter(|leader| !leader.is_empty())
    }

    pub(super) fn to_wire(&self) -> proto::Assignments {
        let (pushes, newest) = self.0.borrow().clone();
        let assignments = newest
            .namespaces
            .iter()
            .flat_map(|(name, namespace)| {
                namespace.assignments.iter().map(move |assignment| {
                    let (min, max) = match &assignment.shard_boundaries {
                        Some(ShardBoundaries::Int32HashRange(range)) => {
                            (range.min_hash_inclusive, range.max_hash_inclusive)
                        }
                        None => (0, 0),
                    };
                    proto::Assignment {
                        namespace: name.clone(),
                        shard: assignment.shard,
                        leader: assignment.leader.clone(),
                        min_hash_inclusive: min,
                        max_hash_inclusive: max,
                    }
                })
            })
            .collect();
        proto::Assignments {
            pushes,
            assignments,
            allowed_authorities: newest.allowed_authorities.clone(),
        }
    }
}
