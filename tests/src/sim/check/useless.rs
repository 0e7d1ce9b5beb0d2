//! L12, L13: what is not done in vain, and for how long nothing may come of an office.

use std::collections::BTreeSet;
use std::time::Duration;

use stepdown_core::cluster::{ClusterStatus, ShardMetadata, ShardStatus};
use stepdown_core::store::StatusDocument;
use stepdown_core::{Role, ShardId};

use super::Check;
use super::stores::SPACED;
use crate::sim::clock::At;
use crate::sim::world::World;

/// A server that is down for so long is known to be: three probes in a row, each after two seconds, were
/// not answered within five, by its coordinator's clock.
const KNOWN: Duration = Duration::from_secs(22);
/// So many stores may be under way, or about to be, when a majority goes.
const SPARE: usize = 4;
/// A leader that can store nothing leaves after half a minute, and by its own clock.
const USELESS: Duration = Duration::from_secs(32);

/// What a process did not do in time because it was stopped, it has done after this.
const AWAKE: Duration = Duration::from_secs(60);

impl World<'_> {
    /// L12: no term rises while no majority could vote in it, and nothing else is stored again and
    /// again meanwhile.
    pub(super) fn check_worth_storing(&mut self, host: usize, document: &StatusDocument) -> Check {
        let status = &document.status;
        let facts = &mut self.hosts[host].facts;
        let is_repeated = facts.last_write.replace(document.write_id) == Some(document.write_id);
        let Some((_, before)) = facts.accepted.clone() else {
            return Ok(());
        };
        // Who is not in office yet stores to take it.
        if is_repeated || !facts.stored || self.was_paused(host) {
            return Ok(());
        }
        // What waited for the store before was chosen then.
        let now = self.queue.now();
        let spaced = self.hosts[host].clock.stretch(SPACED);
        let stored = self.hosts[host].facts.stored_in;
        let stored = stored.filter(|(_, until)| now.since(*until) <= spaced);
        let chosen = stored.map_or(now, |(since, _)| since);
        let known = self.hosts[host].clock.stretch(KNOWN);
        let mut all = true;
        for (_, id, shard) in before.shards() {
            if !self.has_no_majority(shard, chosen, known) {
                all = false;
                continue;
            }
            let next = status.shards().find(|(_, other, _)| *other == id);
            if next.is_some_and(|(_, _, next)| next.term > shard.term) {
                return Err(self.violation(
                    "L12",
                    format!("c{host}: shard {id} is to be elected without a majority: {shard:?}"),
                ));
            }
        }
        let facts = &mut self.hosts[host].facts;
        let is_deleting = |status: &ClusterStatus| {
            let shards = status.shards().map(|(_, _, shard)| &shard.status);
            shards.filter(|it| **it == ShardStatus::Deleting).count()
        };
        let ids = |status: &ClusterStatus| -> Vec<ShardId> {
            status.shards().map(|(_, id, _)| id).collect()
        };
        let deletes = is_deleting(status) != is_deleting(&before) || ids(status) != ids(&before);
        if !all || deletes {
            facts.in_vain = 0;
            return Ok(());
        }
        facts.in_vain += 1;
        let stores = facts.in_vain;
        if stores > SPARE {
            return Err(self.violation("L12", format!("c{host}: {stores} stores in vain")));
        }
        Ok(())
    }

    fn has_no_majority(&self, shard: &ShardMetadata, at: At, known: Duration) -> bool {
        let gone: BTreeSet<usize> = shard
            .ensemble
            .iter()
            .filter_map(|member| self.server_at(&member.internal))
            .filter(|server| {
                let down = self.servers[*server].down_since;
                down.is_some_and(|since| at.since(since) >= known)
            })
            .collect();
        shard.ensemble.len() - gone.len() <= shard.ensemble.len() / 2
    }

    /// L13: a leader that has had something to store for long, and could not, leaves.
    pub(super) fn check_useful(&self, host: usize, role: Role) -> Check {
        let place = &self.hosts[host];
        let now = self.queue.now();
        if let Some(since) = place.facts.storing_since
            && role == Role::Leader
            && now.since(since) > place.clock.stretch(USELESS) + Duration::from_secs(1)
            && !self.was_paused(host)
        {
            return Err(self.violation(
                "L13",
                format!("c{host} has been in office since {since} without storing anything"),
            ));
        }
        Ok(())
    }

    /// Whether a process was stopped not long ago.
    pub(super) fn was_paused(&self, host: usize) -> bool {
        let resumed = self.hosts[host].resumed;
        resumed.is_some_and(|at| at.plus(AWAKE) > self.queue.now())
    }
}
