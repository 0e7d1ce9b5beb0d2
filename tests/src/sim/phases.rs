//! Boot, chaos, heal, converge: when things go wrong, and when it is looked at what has become of it.

use std::time::Duration;

use stepdown_core::call::EntryId;
use stepdown_core::cluster::{DataServerIdentity, ShardMetadata};
use stepdown_core::{ShardId, Term};
use stepdown_sandbox::replica::Log;

use super::check::Check;
use super::clock::At;
use super::world::{What, World};

const BOOT: Duration = Duration::from_secs(30);
const CONVERGE: Duration = Duration::from_secs(60);
/// The coordinator looks at followers every five minutes, and leaders try one again after up to a
/// minute.
const FOLLOW: Duration = Duration::from_secs(500);
const QUIET: Duration = Duration::from_secs(600);

impl World<'_> {
    pub(super) fn live(&mut self) -> Check {
        let chaos = u64::from(self.plan.chaos) * 1_000;
        self.chaos_ends = At(0).plus(BOOT + Duration::from_millis(chaos));
        for (index, fault) in self.plan.faults.iter().enumerate() {
            let offset = Duration::from_millis(1 + chaos * u64::from(fault.permille) / 1_001);
            self.queue.at(At(0).plus(BOOT + offset), What::Fault(index));
        }
        self.run_until(At(0).plus(BOOT))?;
        self.boots_at_once()?;
        let chaos_ends = self.chaos_ends;
        self.run_until(chaos_ends)?;
        self.heal()?;
        let before = self.store.chain.len();
        self.converge(chaos_ends)?;
        self.few_further_terms(before)?;
        let committed = self.ghost.clone();
        self.run_until(chaos_ends.plus(FOLLOW))?;
        self.everybody_follows(&committed)?;
        self.everybody_is_known_to_follow()?;
        self.nothing_is_left()?;
        let emptied = self.whoever_left_is_empty();
        self.heed(emptied)?;
        self.nobody_else_has_any()?;
        self.everybody_is_told()?;
        let settled = self.settled();
        self.everything_is_committed()?;
        self.run_until(chaos_ends.plus(FOLLOW + QUIET))?;
        self.stays_quiet(&settled)
    }

    fn boots_at_once(&mut self) -> Check {
        match self.unsettled() {
            None => Ok(()),
            Some(why) => Err(self.violation("L1", format!("not in office after boot: {why}"))),
        }
    }

    fn heal(&mut self) -> Check {
        let now = self.queue.now();
        self.trace.note(now, || "heal".to_owned());
        self.healed = true;
        if self.plan.partial_heal {
            let seed = usize::try_from(self.plan.seed % 1_000).unwrap_or(0);
            let keep = seed % self.hosts.len();
            let coordinators = (0..self.hosts.len()).filter(|host| *host != keep).collect();
            let server = seed % self.servers.len();
            let servers = self.is_dispensable(server).then_some(server);
            self.left_down = (servers.into_iter().collect(), coordinators);
        }
        self.network.heal();
        self.alone.clear();
        self.store.next.clear();
        self.store.refusals.clear();
        self.store.unavailable = now;
        self.store.stalled = now;
        self.store.corrupt = now;
        self.store.slow.0 = now;
        self.store.keeps_refusing.0 = now;
        self.store.reads_old = now;
        self.heal_lease();
        for server in 0..self.servers.len() {
            let place = &mut self.servers[server];
            place.not_serving = now;
            place.slow_probes = now;
            place.leading_hangs = now;
            place.slow_syncs = now;
            place.other_cluster = now;
            self.queue
                .after(Duration::from_millis(1), What::ServingChanged(server));
            if self.left_down.0.contains(&server) {
                self.crash_server(server, false, true);
            } else {
                self.server_started(server);
            }
        }
        self.configured.broken = None;
        self.configured.unreadable = now;
        for host in &mut self.hosts {
            host.deaf = now;
        }
        self.announce_configuration();
        for host in 0..self.hosts.len() {
            self.hosts[host].armed = None;
            self.hosts[host].queued.0 = now;
            if self.left_down.1.contains(&host) {
                self.crash(host, now);
            } else if self.hosts[host].is_up() {
                if self.hosts[host].paused.is_some() {
                    self.hosts[host].paused = Some(now);
                    let boot = self.hosts[host].boot;
                    self.resume(host, boot)?;
                }
            } else {
                self.start_host(host)?;
            }
        }
        Ok(())
    }

    /// Whether a majority of each shard that anybody remembers does, without this server, can show
    /// that it has what any of them has, and can follow whoever has most.
    fn is_dispensable(&mut self, server: usize) -> bool {
        let mut shards = self.store.status().into_iter().flat_map(|it| it.shards());
        let is_dispensable = shards.all(|(_, id, shard)| {
            let members = shard.ensemble.iter();
            let members = members.filter_map(|member| self.server_at(&member.internal));
            let members: Vec<usize> = members.collect();
            let remembers = |member: &usize| self.servers[*member].model.term(id) > Term::NEVER;
            // Its first leader may be on the way to the store.
            if !shard.was_led() && !members.iter().any(remembers) {
                return true;
            }
            let others = members.into_iter().filter(|other| *other != server);
            let others: Vec<usize> = others.collect();
            let remembering = others.iter().filter(|other| remembers(other));
            remembering.count() > shard.ensemble.len() / 2
                && others.iter().all(|other| self.has_a_log(*other, id))
                && self.logs_that_fit(&others, id, shard) > shard.ensemble.len() / 2
        });
        if !is_dispensable {
            self.sometimes.hit("indispensable_for_its_memory");
        }
        is_dispensable
    }

    /// Whether a replica has a log that shows what it has.
    fn has_entries(&self, server: usize, id: ShardId) -> bool {
        let log = self.servers[server].model.log(id);
        log.is_some_and(|(log, _)| log.head() != EntryId::NONE) && self.has_a_log(server, id)
    }

    /// How many can follow the one that has most of what could be read, itself included; none if it
    /// can't be known that nothing was committed that it lacks.
    pub(super) fn logs_that_fit(
        &self,
        servers: &[usize],
        id: ShardId,
        shard: &ShardMetadata,
    ) -> usize {
        if self.is_told_of_more(servers, id, shard) {
            return 0;
        }
        // What one without a log has is not known, unless all are there, or alike.
        let model = |server: &usize| &self.servers[*server].model;
        let has_entries = |server: &usize| self.has_entries(*server, id);
        let are_alike = servers.len() == shard.ensemble.len() || !servers.iter().any(has_entries);
        let logs = servers.iter().filter(|it| are_alike || has_entries(it));
        let logs = logs.filter_map(|server| model(server).log(id));
        let is_doubtful = |log: &&Log| {
            let (head, last) = (log.head(), Term(i64::MAX));
            self.history.is_passed_unawares(id, head, shard, last)
        };
        let logs = logs.map(|(log, _)| log).filter(|log| !is_doubtful(log));
        let logs: Vec<&Log> = logs.collect();
        let readable = self.history.readable.get(&id);
        let is_whole = |log: &Log| readable.is_none_or(|it| log.starts_with(&it.log));
        // The others may have it.
        let may_have = |entry: EntryId| {
            let lack = logs.iter().filter(|log| !log.contains(entry)).count();
            shard.ensemble.len().saturating_sub(lack) > shard.ensemble.len() / 2
        };
        let fitting = |most: &&Log| {
            let is_possible = self.history.may_be_voted_for(id, most, may_have);
            let fitting = logs.iter().filter(|log| is_possible && log.fits(most));
            fitting.count()
        };
        let most = logs.iter().max_by_key(|log| (is_whole(log), log.head()));
        // Who has the greatest head is chosen where nothing is known.
        let greatest = logs.iter().max_by_key(|log| log.head());
        let greatest = greatest.filter(|_| self.history.untold.contains_key(&id));
        most.into_iter()
            .chain(greatest)
            .map(fitting)
            .min()
            .unwrap_or(0)
    }

    /// Whether a shard has no leader, and can't get one by itself.
    pub(super) fn is_hopeless(&self, id: ShardId, shard: &ShardMetadata) -> bool {
        let waits = || !self.can_fit(id, shard) || self.waits_amid_an_exchange(id, shard);
        shard.leader.is_none() && waits()
    }

    /// Whether too few are there, and have not lost all or can't show what they have, of the ensemble that is to be,
    /// or of the one that was, or nobody of these can lead: then some have to come back first, or a person to accept
    /// the loss.
    fn waits_amid_an_exchange(&self, id: ShardId, shard: &ShardMetadata) -> bool {
        let at = |member: &DataServerIdentity| self.server_at(&member.internal);
        let mut all = shard.ensemble.iter().chain(&shard.removed_nodes);
        let are_entries = all.any(|member| at(member).is_some_and(|at| self.has_entries(at, id)));
        // The one that comes need not have got anything yet.
        let shows = |at: usize, member: &DataServerIdentity| {
            self.has_entries(at, id) || !are_entries || shard.ensemble.last() == Some(member)
        };
        let remembers = |member: &DataServerIdentity| {
            at(member).filter(|at| {
                let term = self.servers[*at].model.term(id);
                self.servers[*at].up && term > Term::NEVER
            })
        };
        let is_there =
            |member: &&DataServerIdentity| remembers(member).is_some_and(|at| shows(at, member));
        // Of all together it is known what they have.
        let are_few = |shard: &ShardMetadata| {
            let there = shard.ensemble.iter().filter(is_there);
            let are_all = shard.ensemble.iter().all(|it| remembers(it).is_some());
            !are_all && there.count() <= shard.ensemble.len() / 2
        };
        as_it_was(shard)
            .is_some_and(|before| are_few(shard) || are_few(&before) || !self.can_fit(id, &before))
    }

    /// Whether the logs of a majority that remembers can be made to follow one of theirs. Else it
    /// takes somebody who deletes one, or accepts a loss.
    pub(super) fn can_fit(&self, id: ShardId, shard: &ShardMetadata) -> bool {
        let members = shard.ensemble.iter();
        let members = members.filter_map(|member| self.server_at(&member.internal));
        let remembers = |member: &usize| self.servers[*member].model.term(id) > Term::NEVER;
        let remembering: Vec<usize> = members.filter(remembers).collect();
        let most = shard.ensemble.len() / 2;
        !shard.was_led()
            || remembering.len() <= most
            || self.logs_that_fit(&remembering, id, shard) > most
    }

    /// Whether a document that was put back tells of more than the log of the latest term has: both may
    /// have been read, and only a person can give up one of them.
    fn is_told_of_more(&self, servers: &[usize], id: ShardId, shard: &ShardMetadata) -> bool {
        let heads = servers
            .iter()
            .filter_map(|server| self.servers[*server].model.log(id))
            .map(|(log, _)| log.head());
        let told = shard.last_leader.as_ref().map(|last| last.committed);
        self.history.untold.contains_key(&id)
            && told.is_some_and(|told| heads.max().is_none_or(|head| head.offset < told))
    }

    /// L1.
    fn converge(&mut self, healed: At) -> Check {
        loop {
            let Some(why) = self.unsettled() else {
                return Ok(());
            };
            let now = self.queue.now();
            if now.since(healed.max(self.held)) >= CONVERGE {
                return Err(self.violation("L1", format!("{CONVERGE:?} after the heal: {why}")));
            }
            self.run_until(now.plus(Duration::from_secs(1)))?;
        }
    }
}

/// A shard with the ensemble that it had before the exchange that it is amid; `None` where it is amid none.
pub(super) fn as_it_was(shard: &ShardMetadata) -> Option<ShardMetadata> {
    if shard.removed_nodes.is_empty() {
        return None;
    }
    let mut before = shard.clone();
    before.ensemble.pop();
    before.ensemble.append(&mut before.removed_nodes);
    Some(before)
}
