//! An operator's decision that what the lost replicas of a shard had is gone.

use std::sync::Arc;

use super::{Beginnings, ClusterStatus, ShardStatus};
use crate::id::ShardId;

/// Why no loss can be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptLossError {
    /// There is no such namespace.
    #[error("there is no namespace '{name}', but: {known}")]
    NoNamespace {
        /// The name that was given.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// There is no such shard in the namespace.
    #[error("there is no shard {shard} in namespace '{namespace}', but: {known}")]
    NoShard {
        /// The namespace.
        namespace: String,
        /// The shard that was given.
        shard: ShardId,
        /// Those that there are.
        known: String,
    },
    /// It has nothing to lose.
    #[error("shard {0} is one that was never led: it has nothing to lose")]
    NeverLed(ShardId),
    /// It is not to be elected at all.
    #[error("shard {0} is being deleted or split")]
    Leaving(ShardId),
}

impl ClusterStatus {
    /// Makes of a shard one that was never led: the next election counts every member's vote, also
    /// of those that have lost their disks, and whoever has most of it leads. What only lost
    /// replicas had is gone then. A replica that comes back with some of it has to be emptied.
    pub fn accept_loss(&mut self, namespace: &str, shard: ShardId) -> Result<(), AcceptLossError> {
        let Some(found) = self.namespaces.get_mut(namespace) else {
            return Err(AcceptLossError::NoNamespace {
                name: namespace.to_owned(),
                known: list(self.namespaces.keys()),
            });
        };
        let Some(metadata) = found.shards.get_mut(&shard) else {
            return Err(AcceptLossError::NoShard {
                namespace: namespace.to_owned(),
                shard,
                known: list(found.shards.keys()),
            });
        };
        if metadata.status == ShardStatus::Deleting || metadata.is_split_child() {
            return Err(AcceptLossError::Leaving(shard));
        }
        if !metadata.was_led() {
            return Err(AcceptLossError::NeverLed(shard));
        }
        let metadata = Arc::make_mut(metadata);
        metadata.status = ShardStatus::Unknown;
        metadata.leader = None;
        metadata.last_leader = None;
        metadata.beginnings = Beginnings::default();
        // What comes back from before may not follow as if nothing had been given up.
        metadata.loss_accepted = Some(metadata.term);
        Ok(())
    }
}

fn list(all: impl Iterator<Item = impl ToString>) -> String {
    let all: Vec<_> = all.map(|it| it.to_string()).collect();
    if all.is_empty() {
        return "none".to_owned();
    }
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{NamespaceStatus, ShardMetadata};
    use crate::id::Term;

    fn status(shard: ShardMetadata) -> ClusterStatus {
        let mut status = ClusterStatus::default();
        let namespace = NamespaceStatus {
            replication_factor: 3,
            shards: [(ShardId(4), Arc::new(shard))].into(),
        };
        status.namespaces.insert("default".into(), namespace);
        status
    }

    #[test]
    fn a_shard_whose_loss_is_accepted_counts_as_never_led_and_keeps_its_term() {
        let mut status = status(ShardMetadata {
            status: ShardStatus::Election,
            term: Term(7),
            ..ShardMetadata::default()
        });
        assert_eq!(status.accept_loss("default", ShardId(4)), Ok(()));
        let (_, _, shard) = status.shards().next().unwrap();
        assert_eq!((shard.was_led(), shard.term), (false, Term(7)));
        assert_eq!(shard.loss_accepted, Some(Term(7)));
        let again = status.accept_loss("default", ShardId(4));
        assert_eq!(again, Err(AcceptLossError::NeverLed(ShardId(4))));
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        let mut status = status(ShardMetadata::default());
        let other = status.accept_loss("other", ShardId(4)).unwrap_err();
        assert_eq!(
            other.to_string(),
            "there is no namespace 'other', but: default"
        );
        let shard = status.accept_loss("default", ShardId(5)).unwrap_err();
        assert_eq!(
            shard.to_string(),
            "there is no shard 5 in namespace 'default', but: 4"
        );
    }
}
