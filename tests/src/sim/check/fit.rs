//! T12: no follower is taken in that would keep another entry than its leader's, where the coordinator
//! can know it: nobody has made the document forget with what the leaders began by whom the two logs
//! were written.
//!
//! T15: nor one that has more than it told, nor does such a one lead.
//!
//! Real data servers compare nothing where they truncate; the model's do, so that what can't be known is
//! not found again and again.

use std::sync::Arc;

use stepdown_core::call::EntryId;
use stepdown_core::cluster::DataServerIdentity;
use stepdown_core::{ServerId, ShardId, Term};
use stepdown_sandbox::replica::Log;

use super::Check;
use crate::sim::configuration::name_at;
use crate::sim::server::Server;
use crate::sim::world::World;

impl World<'_> {
    /// T15.
    pub(super) fn check_told(
        &self,
        host: usize,
        (id, term): (ShardId, Term),
        server: &Arc<str>,
    ) -> Check {
        let place = self.server_by(server);
        if place.is_some_and(|it| it.model.has_unsynced(id, term)) {
            let text = format!("c{host}: shard {id} in {term}: {server} has more than it told");
            return Err(self.violation("T15", text));
        }
        Ok(())
    }

    /// T12.
    pub(super) fn check_fits(
        &mut self,
        host: usize,
        of: (ShardId, Term),
        leader: &ServerId,
        follower: (&Arc<str>, EntryId),
    ) -> Check {
        match self.would_differ(host, of, leader, follower) {
            Some((true, text)) => Err(self.violation("T12", text)),
            Some((false, _)) => {
                self.sometimes.hit("took_in_a_log_that_differs_unawares");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether the coordinator can know it, if the follower would keep another entry.
    fn would_differ(
        &self,
        host: usize,
        (id, term): (ShardId, Term),
        leader: &ServerId,
        (follower, told): (&Arc<str>, EntryId),
    ) -> Option<(bool, String)> {
        let facts = &self.hosts[host].facts;
        let began = facts.heads.get(&(id, term))?.get(leader)?;
        let log = self.log_of(id, follower)?;
        let leaders = self.log_of(id, &leader.0)?;
        // One whose disk was put back is not what it said.
        let is_as_told = log.head() == told && leaders.contains(*began);
        if !is_as_told || !log.would_differ(leaders) {
            return None;
        }
        let cut = leaders.last_at_most(told.term);
        let between = leaders.terms().filter(|it| *it > told.term && *it < term);
        let mut between = between.chain(log.terms().filter(|it| *it > cut.term));
        let is_known = between.all(|between| {
            let untold = self.history.untold.get(&id);
            untold.is_none_or(|untold| between > *untold) || facts.led.contains_key(&(id, between))
        });
        let text = format!(
            "c{host}: shard {id} in {term}: {leader} with {leaders:?} is told of {follower}, which \
             has {log:?}"
        );
        Some((is_known, text))
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
        // Who leads may not be stored yet.
        let promoted = self.history.promoted.get(&(id, shard.term));
        let leader = promoted.map(|(leader, _)| leader.clone());
        let leader = leader.or(shard.leader.as_ref().map(DataServerIdentity::id));
        let Some((member, leader)) = member.zip(leader) else {
            return Ok(());
        };
        let log = self.log_of(id, &member.internal);
        let leaders = self.log_of(id, &leader.0);
        let is_doubtful = |log: &Log| {
            let (head, last) = (log.head(), Term(i64::MAX));
            self.history.is_passed_unawares(id, head, &shard, last)
        };
        if let Some((log, leaders)) = log.zip(leaders)
            && log.fits(leaders)
            && !is_doubtful(log)
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
        let unfit = (id, name_at(&member.internal));
        self.hosts[host].facts.unfit.insert(unfit);
        Ok(())
    }

    /// The log of a server that goes by this name or address.
    pub(super) fn log_of(&self, id: ShardId, server: &str) -> Option<&Log> {
        Some(self.server_by(server)?.model.log(id)?.0)
    }

    pub(in crate::sim) fn server_by(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|it| {
            let address = &it.address;
            address.name == name || address.internal == name
        })
    }
}
