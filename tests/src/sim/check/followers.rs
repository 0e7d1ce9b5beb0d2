//! T11, by its effect: who is said to be in sync has been taken in, or has the log.

use stepdown_core::ShardId;

use super::Check;
use crate::sim::world::World;

impl World<'_> {
    /// Nobody counts whom the leader was not told of when it was elected, has not taken in, and
    /// does not say that it feeds, or whose log does not reach what the leader had committed.
    pub(super) fn check_in_sync(&mut self, host: usize, shard: ShardId, in_sync: usize) -> Check {
        let facts = &mut self.hosts[host].facts;
        facts.in_sync.insert(shard, in_sync);
        let accepted = facts.accepted.as_ref().and_then(|(_, status)| {
            let mut shards = status.shards();
            shards
                .find(|(_, id, _)| *id == shard)
                .map(|it| it.2.clone())
        });
        let term = accepted.map(|metadata| metadata.term);
        let joined = term.and_then(|term| facts.joined.get(&(shard, term)));
        let most = 1 + joined.map_or(0, |joined| joined.len());
        if in_sync > most {
            return Err(self.violation(
                "T11",
                format!("c{host}: shard {shard}: {in_sync} in sync, but {most} can be: {term:?}"),
            ));
        }
        Ok(())
    }
}
