//! T12: no follower is taken in that would keep another entry than its leader's, where the coordinator
//! can know it: it has heard with what all the leaders began by whom the two logs were written.
//!
//! Real data servers compare nothing where they truncate; the model's do, so that what can't be known is
//! not found again and again.

use std::sync::Arc;

use stepdown_core::call::EntryId;
use stepdown_core::{ServerId, ShardId, Term};
use stepdown_sandbox::replica::Log;

use super::Check;
use crate::sim::world::World;

impl World<'_> {
    /// T12.
    pub(super) fn check_fits(
        &self,
        host: usize,
        (id, term): (ShardId, Term),
        leader: &ServerId,
        follower: (&Arc<str>, EntryId),
    ) -> Check {
        let (address, told) = follower;
        let heads = self.hosts[host].facts.heads.get(&(id, term));
        let Some(began) = heads.and_then(|heads| heads.get(leader)) else {
            return Ok(());
        };
        let Some(log) = self.log_of(id, address) else {
            return Ok(());
        };
        let Some(leaders) = self.log_of(id, &leader.0) else {
            return Ok(());
        };
        // One whose disk was put back is not what it said.
        let is_as_told = log.head() == told && leaders.contains(*began);
        if !is_as_told || !log.would_differ(leaders) {
            return Ok(());
        }
        let cut = leaders.last_at_most(told.term);
        let led = &self.hosts[host].facts.led;
        let between = leaders.terms().filter(|it| *it > told.term && *it < term);
        let mut between = between.chain(log.terms().filter(|it| *it > cut.term));
        if between.all(|it| led.contains_key(&(id, it))) {
            return Err(self.violation(
                "T12",
                format!(
                    "c{host}: shard {id} in {term}: {leader} with {leaders:?} is told of {address}, \
                     which has {log:?}"
                ),
            ));
        }
        Ok(())
    }

    /// T12: a replica is said to differ only if it does. It is then no longer awaited.
    pub(super) fn check_left_out(&mut self, host: usize, id: ShardId, server: &ServerId) -> Check {
        let status = self.hosts[host].facts.accepted.as_ref();
        let shard = status.and_then(|(_, status)| {
            let mut shards = status.shards();
            shards.find(|(_, it, _)| *it == id).map(|it| it.2.clone())
        });
        let Some(shard) = shard else { return Ok(()) };
        let member = shard.ensemble.iter().find(|it| it.id() == *server);
        let Some((member, leader)) = member.zip(shard.leader.as_ref()) else {
            return Ok(());
        };
        let log = self.log_of(id, &member.internal);
        let leaders = self.log_of(id, &leader.internal);
        if let Some((log, leaders)) = log.zip(leaders)
            && log.fits(leaders)
            && log.head() != EntryId::NONE
        {
            return Err(self.violation(
                "T12",
                format!(
                    "c{host}: shard {id}: {server} is left out, with {log:?} under {leaders:?}"
                ),
            ));
        }
        self.sometimes.hit("replica_left_out");
        let unfit = (id, member.internal.clone());
        self.hosts[host].facts.unfit.insert(unfit);
        Ok(())
    }

    /// The log of a server that goes by this name or address.
    pub(super) fn log_of(&self, id: ShardId, server: &str) -> Option<&Log> {
        let server = self.servers.iter().find(|it| {
            let address = &it.address;
            address.name == server || address.internal == server
        })?;
        Some(server.model.log(id)?.0)
    }
}
