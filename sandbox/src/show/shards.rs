//! What the status says of shards, and of servers by their shards.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_core::ShardId;
use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardMetadata, ShardStatus};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenShard {
    pub(super) namespace: Arc<str>,
    pub(super) id: ShardId,
    pub(super) term: i64,
    /// Its leader's name and public address, once it is elected.
    pub(super) leader: Option<(Arc<str>, Arc<str>)>,
    /// Whether it is being deleted.
    pub(super) deleting: bool,
}

/// The part that a server has in the shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// So many it leads.
    pub(super) leads: usize,
    /// Of so many it is a member.
    pub(super) member: usize,
    /// Of so many it has, or may have, something that is to be deleted.
    pub(super) leaves: usize,
}

impl Part {
    /// Of how many shards it has, or may have, something.
    pub(super) fn holds(self) -> usize {
        self.member + self.leaves
    }
}

pub(super) fn see_shards(status: &ClusterStatus) -> Vec<SeenShard> {
    let see = |(namespace, id, shard): (&Arc<str>, ShardId, &Arc<ShardMetadata>)| SeenShard {
        namespace: namespace.clone(),
        id,
        term: shard.term.0,
        leader: leader(shard).map(|it| (it.id().0, it.public.clone())),
        deleting: shard.status == ShardStatus::Deleting,
    };
    status.shards().map(see).collect()
}

/// The part of every server that the status names, by its name.
pub(super) fn parts(status: &ClusterStatus) -> BTreeMap<Arc<str>, Part> {
    let mut parts: BTreeMap<Arc<str>, Part> = BTreeMap::new();
    for (_, _, shard) in status.shards() {
        if let Some(leader) = leader(shard) {
            parts.entry(leader.id().0).or_default().leads += 1;
        }
        let is_kept = shard.status != ShardStatus::Deleting;
        for member in &shard.ensemble {
            let part = parts.entry(member.id().0).or_default();
            part.member += usize::from(is_kept);
            part.leaves += usize::from(!is_kept);
        }
        let leaving = shard.removed_nodes.iter();
        for other in leaving.chain(&shard.pending_delete_shard_nodes) {
            parts.entry(other.id().0).or_default().leaves += 1;
        }
    }
    parts
}

fn leader(shard: &ShardMetadata) -> Option<&DataServerIdentity> {
    let is_led = shard.status == ShardStatus::SteadyState;
    shard.leader.as_ref().filter(|_| is_led)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r"
namespaces:
  default:
    replicationFactor: 2
    shards:
      0:
        status: SteadyState
        term: 4
        leader: {name: a, public: 'a:1', internal: 'a:2'}
        ensemble: [{name: a, public: 'a:1', internal: 'a:2'}, {name: b, public: 'b:1', internal: 'b:2'}]
        removedNodes: [{name: c, public: 'c:1', internal: 'c:2'}]
        pendingDeleteShardNodes: [{name: d, public: 'd:1', internal: 'd:2'}]
        int32HashRange: {min: 0, max: 4294967295}
  gone:
    replicationFactor: 2
    shards:
      1:
        status: Deleting
        term: 2
        ensemble: [{name: a, public: 'a:1', internal: 'a:2'}, {name: d, public: 'd:1', internal: 'd:2'}]
        int32HashRange: {min: 0, max: 4294967295}
";

    #[test]
    fn a_server_holds_what_it_is_a_member_of_and_what_it_has_still_to_delete() {
        let parts = parts(&ClusterStatus::decode(STATUS).unwrap());
        let part = |name: &str| {
            let part = parts[name];
            (part.leads, part.member, part.leaves, part.holds())
        };
        assert_eq!(part("a"), (1, 1, 1, 2));
        assert_eq!(part("b"), (0, 1, 0, 1));
        assert_eq!(part("c"), (0, 0, 1, 1));
        assert_eq!(part("d"), (0, 0, 2, 2));
        assert_eq!(parts.len(), 4);
    }

    #[test]
    fn a_shard_that_is_being_deleted_has_no_leader() {
        let shards = see_shards(&ClusterStatus::decode(STATUS).unwrap());
        let told = |it: &SeenShard| (it.namespace.to_string(), it.leader.is_some(), it.deleting);
        assert_eq!(
            shards.iter().map(told).collect::<Vec<_>>(),
            [
                ("default".to_owned(), true, false),
                ("gone".to_owned(), false, true)
            ]
        );
    }
}
