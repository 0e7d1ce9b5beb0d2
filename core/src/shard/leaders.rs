//! How many shards each server leads, or is about to.

use std::collections::BTreeMap;

use crate::id::{ServerId, ShardId};

/// Counts of led shards, so that new leaders are spread evenly even while many elections run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaders {
    of: BTreeMap<ShardId, ServerId>,
    counts: BTreeMap<ServerId, usize>,
}

impl Leaders {
    /// Says who leads the shard, or is about to.
    pub(crate) fn set(&mut self, shard: ShardId, leader: Option<ServerId>) {
        let before = match leader.clone() {
            Some(leader) => self.of.insert(shard, leader),
            None => self.of.remove(&shard),
        };
        if let Some(count) = before.and_then(|before| self.counts.get_mut(&before)) {
            *count = count.saturating_sub(1);
        }
        if let Some(leader) = leader {
            *self.counts.entry(leader).or_default() += 1;
        }
    }

    /// How many shards the server leads, or is about to.
    pub(crate) fn count(&self, server: &ServerId) -> usize {
        self.counts.get(server).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_counts_for_its_latest_leader_only() {
        let mut leaders = Leaders::default();
        let (a, b) = (ServerId("a".into()), ServerId("b".into()));
        leaders.set(ShardId(1), Some(a.clone()));
        leaders.set(ShardId(1), Some(b.clone()));
        leaders.set(ShardId(2), Some(b.clone()));
        assert_eq!((leaders.count(&a), leaders.count(&b)), (0, 2));
        leaders.set(ShardId(1), None);
        assert_eq!((leaders.count(&a), leaders.count(&b)), (0, 1));
    }
}
