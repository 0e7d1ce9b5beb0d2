//! S, T1, T9, T13, H2: what a coordinator asks the store to write.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::cluster::{ClusterStatus, ShardMetadata, ShardStatus};
use stepdown_core::store::StatusDocument;
use stepdown_core::{RequestId, ShardId, Term, Version};

use super::Check;
use super::facts::Writing;
use crate::sim::clock::At;
use crate::sim::world::World;

/// Longer than a change waits for its store where none is under way.
pub(super) const SPACED: Duration = Duration::from_millis(400);

impl World<'_> {
    pub(super) fn check_store(
        &mut self,
        host: usize,
        request: RequestId,
        expected: Option<&Version>,
        document: &StatusDocument,
    ) -> Check {
        let facts = &self.hosts[host].facts;
        if facts.must_close.is_some() {
            return Err(self.violation("S2", format!("c{host} stores after a conflict")));
        }
        if facts.ambiguous.is_some() {
            return Err(self.violation("S3", format!("c{host} stores on an ambiguous store")));
        }
        if facts.store.is_some() {
            return Err(self.violation("S4", format!("c{host} has two stores under way")));
        }
        let known = facts.accepted.as_ref().map(|(version, _)| version);
        if known.is_none() && !facts.absent {
            return Err(self.violation("S6", format!("c{host} stores what it has not loaded")));
        }
        if facts.untold {
            return Err(self.violation("S10", format!("c{host} says nothing of an older copy")));
        }
        if expected != known {
            return Err(
                self.violation("S4", format!("c{host} expects {expected:?}, not {known:?}"))
            );
        }
        if let Some(resend) = &facts.resend
            && (resend.document.write_id != document.write_id
                || resend.document.status != document.status)
        {
            return Err(self.violation("S3", format!("c{host} does not repeat the same write")));
        }
        if document.write_id.process != self.hosts[host].process {
            return Err(self.violation("S3", format!("c{host} writes under another's name")));
        }
        let is_repeated = facts.last_write == Some(document.write_id);
        let empty = Arc::new(ClusterStatus::default());
        let before = facts
            .accepted
            .as_ref()
            .map_or(&empty, |(_, status)| status)
            .clone();
        for (_, id, shard) in document.status.shards() {
            if shard.status == ShardStatus::Deleting {
                continue;
            }
            let old = before
                .shards()
                .find(|(_, other, _)| *other == id)
                .map(|found| found.2);
            if old.is_some_and(|old| Arc::ptr_eq(old, shard)) {
                continue;
            }
            let earned = self.check_leader_earned(host, id, old, shard);
            self.heed(earned)?;
            if !is_repeated {
                self.check_term_jump(host, id, old, shard)?;
            }
            let needed = self.check_election_needed(host, id, old, shard);
            self.heed(needed)?;
        }
        self.check_worth_storing(host, document)?;
        let now = self.queue.now();
        let facts = &mut self.hosts[host].facts;
        // A store that is repeated began earlier, and changes have waited for it since.
        if !is_repeated {
            for reported in facts.reported.values_mut() {
                reported.settled = reported.term;
            }
        }
        facts.storing_since.get_or_insert(now);
        facts.store = Some(Writing {
            request,
            expected: expected.cloned(),
            document: document.clone(),
        });
        Ok(())
    }

    /// T9: a leader is stored only after its BecomeLeader succeeded in that term.
    fn check_leader_earned(
        &self,
        host: usize,
        id: ShardId,
        old: Option<&Arc<ShardMetadata>>,
        shard: &ShardMetadata,
    ) -> Check {
        let Some(leader) = &shard.leader else {
            return Ok(());
        };
        let kept = old.is_some_and(|old| {
            old.term == shard.term && old.leader.as_ref().map(|old| old.id()) == Some(leader.id())
        });
        let led = self.hosts[host].facts.led.get(&(id, shard.term));
        if kept || led == Some(&leader.id()) {
            return Ok(());
        }
        Err(self.violation(
            "T9",
            format!(
                "c{host}: shard {id} term {}: {leader:?} has not confirmed",
                shard.term
            ),
        ))
    }

    /// T13: the next term exceeds every one that a member has reported before it was chosen. It is
    /// chosen some time before its store begins: no longer than stores are spaced, or than the one
    /// before is under way. A store that is repeated was looked at when it was first sent.
    fn check_term_jump(
        &self,
        host: usize,
        id: ShardId,
        old: Option<&Arc<ShardMetadata>>,
        shard: &ShardMetadata,
    ) -> Check {
        let before = old.map_or(Term::NEVER, |old| old.term);
        let place = &self.hosts[host];
        let Some(reported) = place.facts.reported.get(&id) else {
            return Ok(());
        };
        let spaced = place.clock.stretch(SPACED);
        let is_old = |at: At| self.queue.now().since(at) > spaced;
        let known = if reported.at.is_some_and(is_old) {
            reported.term
        } else {
            reported.settled
        };
        if shard.term > before && shard.term <= known && !self.was_paused(host) {
            return Err(self.violation(
                "T13",
                format!(
                    "c{host}: shard {id}: term {} though {known} was reported",
                    shard.term
                ),
            ));
        }
        Ok(())
    }

    /// H2, T14: a shard whose leader serves is not elected.
    fn check_election_needed(
        &mut self,
        host: usize,
        id: ShardId,
        old: Option<&Arc<ShardMetadata>>,
        shard: &ShardMetadata,
    ) -> Check {
        let Some(old) = old else {
            return Ok(());
        };
        let Some(leader) = &old.leader else {
            return Ok(());
        };
        if old.status != ShardStatus::SteadyState || shard.term == old.term {
            return Ok(());
        }
        let facts = &self.hosts[host].facts;
        // It goes by what it has read, which may be older than what the status goes by.
        let known = &self.hosts[host].addresses;
        let moved = old.ensemble.iter().any(|member| {
            let mut servers = self.configured.servers.iter();
            !known.contains(&member.internal)
                || !servers.any(|server| server.internal == *member.internal)
        });
        // An election that was begun for what it had read before goes on.
        let readdressed = self.hosts[host].readdressed.plus(SPACED) > self.queue.now();
        if moved
            || readdressed
            || facts.down.contains(&leader.id())
            || !facts.running.contains(&leader.id())
            || facts.doubted.contains(&id)
            || facts.handed.contains(&id)
            || !shard.removed_nodes.is_empty()
            || facts.waits_for_the_next_term(id, old.term)
        {
            self.sometimes.hit("elected_again");
            return Ok(());
        }
        Err(self.violation(
            "H2",
            format!(
                "c{host}: shard {id} is elected though {} leads it",
                leader.id()
            ),
        ))
    }
}
