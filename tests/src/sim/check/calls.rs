//! T2 to T8, T11, H3: what a coordinator asks of data servers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepdown_core::call::{
    AddFollower, BecomeLeader, Call, DeleteShard, EntryId, NewTerm, Truncate,
};
use stepdown_core::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use stepdown_core::{RequestId, ServerId, ShardId, Term};

use super::{Check, Voting};
use crate::sim::configuration::name_at;
use crate::sim::world::World;

impl World<'_> {
    pub(super) fn check_call(
        &mut self,
        host: usize,
        request: RequestId,
        server: &DataServerIdentity,
        call: &Call,
    ) -> Check {
        let id = server.id();
        if !matches!(call, Call::CheckHealth | Call::Handshake) {
            self.check_is_ours(host, server)?;
        }
        let checked = match call {
            Call::CheckHealth | Call::Handshake | Call::GetStatus { .. } => Ok(()),
            Call::NewTerm(call) => self.check_new_term(host, &id, call),
            Call::Truncate(call) => self.check_truncate(host, &id, call),
            Call::BecomeLeader(call) => self.check_become_leader(host, server, call),
            Call::AddFollower(call) => self.check_add_follower(host, &id, call),
            Call::DeleteShard(call) => self.check_delete_shard(host, &id, call),
        };
        self.heed(checked)?;
        let now = self.queue.now();
        let facts = &mut self.hosts[host].facts;
        if let Call::NewTerm(call) = call {
            if call.term == Term::NEVER {
                facts.probed.entry((call.shard, id)).or_insert(now);
            } else {
                facts.fenced_by.insert((call.shard, id), request);
            }
        }
        let committed = facts.committed_when_asked(call);
        let asked = (server.clone(), call.clone(), committed);
        facts.calls.insert(request, asked);
        Ok(())
    }

    /// H3: another cluster's server is shaken hands with, and its health looked at; nothing else.
    pub(super) fn check_is_ours(&self, host: usize, server: &DataServerIdentity) -> Check {
        let mismatched = &self.hosts[host].facts.mismatched;
        if mismatched.contains(&server.internal) {
            return Err(self.violation(
                "H3",
                format!("c{host} works with {}, another cluster's", server.id()),
            ));
        }
        Ok(())
    }

    fn accepted_shard(&self, host: usize, shard: ShardId) -> Option<Arc<ShardMetadata>> {
        let (_, status) = self.hosts[host].facts.accepted.as_ref()?;
        status
            .shards()
            .find(|(_, id, _)| *id == shard)
            .map(|(_, _, shard)| shard.clone())
    }

    /// E5: what is deleted is not needed any more, by what is stored.
    fn check_delete_shard(&mut self, host: usize, to: &ServerId, call: &DeleteShard) -> Check {
        // Whoever was ever fenced refuses it, and a leader does not lead any more then.
        if call.term == Term::NEVER {
            self.sometimes.hit("opened_in_vain");
            let shard = self.accepted_shard(host, call.shard);
            let is_it = |it: &DataServerIdentity| it.id() == *to;
            let is_needed = shard.is_some_and(|shard| {
                let mut members = shard.ensemble.iter().chain(&shard.removed_nodes);
                members.any(is_it)
            });
            if is_needed {
                let text = format!(
                    "c{host} deletes {} of {to}, a member, in no term",
                    call.shard
                );
                return Err(self.violation("E5", text));
            }
            return Ok(());
        }
        let Some(shard) = self.accepted_shard(host, call.shard) else {
            return Err(self.violation(
                "E5",
                format!("c{host} deletes {}, which is not stored", call.shard),
            ));
        };
        if shard.status == ShardStatus::Deleting {
            self.sometimes.hit("shard_deleted");
            return Ok(());
        }
        self.sometimes.hit("leaver_deleted");
        let joined = &self.hosts[host].facts.joined;
        let joined = joined.get(&(call.shard, shard.term));
        let has_come = |last: &DataServerIdentity| {
            shard.leader.as_ref() == Some(last)
                || joined.is_some_and(|joined| joined.contains(&last.internal))
        };
        // One that came back to its place may have been taken out since.
        let is_listed = |last: &DataServerIdentity| {
            let mut listed = self.configured.servers.iter();
            listed.any(|server| server.internal == *last.internal)
        };
        let last = shard.ensemble.last();
        if !last.is_some_and(|last| has_come(last) || !is_listed(last)) {
            let id = call.shard;
            let text =
                format!("c{host} deletes {id} of {to}, whose place is not filled: {shard:?}");
            return Err(self.violation("E5", text));
        }
        // One that leads in an earlier term would feed anew whoever forgets in which it was fenced: but who deletes
        // leads nobody any more.
        let facts = &self.hosts[host].facts;
        let is_fenced = |it: &&DataServerIdentity| {
            let is_given_up = self.history.given_up.contains(&it.id());
            let key = (call.shard, shard.term, it.id());
            let can_not_be = it.id() == *to && facts.could_not_tell.contains(&key);
            is_given_up || can_not_be || facts.stopped.contains(&key)
        };
        let mut left = shard.pending_delete_shard_nodes.iter();
        if let Some(unfenced) = left.find(|it| !is_fenced(it)) {
            let id = call.shard;
            let text =
                format!("c{host} deletes {id} of {to}, and {unfenced:?} may lead: {shard:?}");
            return Err(self.violation("E5", text));
        }
        let has = |servers: &[DataServerIdentity]| servers.iter().any(|it| it.id() == *to);
        let is_needed = has(&shard.ensemble) || has(&shard.removed_nodes);
        if is_needed || !has(&shard.pending_delete_shard_nodes) || call.term != shard.term {
            return Err(self.violation(
                "E5",
                format!(
                    "c{host} deletes {} of {to} in term {}: {shard:?}",
                    call.shard, call.term
                ),
            ));
        }
        Ok(())
    }

    /// T2, T3.
    fn check_new_term(&mut self, host: usize, to: &ServerId, call: &NewTerm) -> Check {
        let (id, term) = (call.shard, call.term);
        if term == Term::NEVER {
            // It only asks whether the replica was ever fenced.
            self.sometimes.hit("asked_whether_it_was_ever_fenced");
            return Ok(());
        }
        let shard = self.accepted_shard(host, id);
        // What has left is deleted, whatever is cut off before.
        let has_left = shard.as_ref().is_some_and(|shard| {
            let mut left = shard.pending_delete_shard_nodes.iter();
            left.any(|it| it.id() == *to)
        });
        if !has_left {
            self.check_not_uncut(host, (id, term), to)?;
        }
        let Some(shard) = shard.filter(|shard| shard.term == term) else {
            return Err(self.violation(
                "T2",
                format!("c{host}: NewTerm of shard {id} in {term}, which is not stored"),
            ));
        };
        let is_elected = match shard.status {
            ShardStatus::Election | ShardStatus::Unknown => shard.leader.is_none(),
            ShardStatus::SteadyState | ShardStatus::Deleting => false,
        };
        if is_elected {
            return self.check_sole_voter(host, id, &shard);
        }
        // A follower that comes back is fenced in the leader's own term.
        let leads = shard
            .leader
            .as_ref()
            .is_some_and(|leader| leader.id() == *to);
        if shard.status == ShardStatus::SteadyState && !leads {
            self.sometimes.hit("follower_fenced_in_the_same_term");
            return Ok(());
        }
        Err(self.violation(
            "T2",
            format!("c{host}: NewTerm of shard {id} in {term} to {to}: {shard:?}"),
        ))
    }

    /// T15: nobody is fenced, or follows, in a term in which it may yet be cut off.
    fn check_not_uncut(
        &self,
        host: usize,
        (id, term): (ShardId, Term),
        server: &ServerId,
    ) -> Check {
        let uncut = &self.hosts[host].facts.uncut;
        if uncut.contains(&(id, term, server.clone())) {
            let text = format!("c{host}: shard {id} in {term}: {server} may yet be cut off");
            return Err(self.violation("T15", text));
        }
        Ok(())
    }

    /// T15: nothing is cut off a replica but what it did not tell of when it was fenced.
    fn check_truncate(&mut self, host: usize, to: &ServerId, call: &Truncate) -> Check {
        let fenced = self.hosts[host].facts.heads.get(&(call.shard, call.term));
        let told = fenced.and_then(|heads| heads.get(to));
        self.sometimes.hit("cut_off_what_was_not_told");
        if told == Some(&call.head) {
            return Ok(());
        }
        let (id, term, head) = (call.shard, call.term, call.head);
        // It can't tell its head, and nothing is taken.
        let could_not_tell = &self.hosts[host].facts.could_not_tell;
        let could_not_tell = could_not_tell.contains(&(id, term, to.clone()));
        let place = self.server_by(&to.0);
        let end = place.and_then(|it| it.model.end(id));
        if could_not_tell && head.offset >= 0 && end.is_some_and(|end| end <= head.offset) {
            self.sometimes.hit("cut_off_where_its_log_ends");
            return Ok(());
        }
        Err(self.violation(
            "T15",
            format!("c{host}: shard {id} in {term}: {to} is cut off after {head:?}, having told {told:?}"),
        ))
    }

    /// T3: one tenure collects the votes of a term. Where an older document was put back, a term
    /// may be used again in which no majority has voted: nobody needs to know of it.
    fn check_sole_voter(&mut self, host: usize, id: ShardId, shard: &ShardMetadata) -> Check {
        let term = shard.term;
        let by = (self.hosts[host].process, self.hosts[host].facts.tenure);
        let voters_of = self.history.voters.entry((id, term));
        let voting = voters_of.or_insert(Voting { by, votes: 0 });
        if voting.by == by {
            return Ok(());
        }
        let is_forgotten = self.store.has_lost(id, term, voting.by);
        if is_forgotten && voting.votes * 2 <= voters(shard).len() {
            *voting = Voting { by, votes: 0 };
            self.sometimes.hit("term_of_a_minority_used_again");
            return Ok(());
        }
        Err(self.violation(
            "T3",
            format!("c{host}: shard {id} term {term} is already another tenure's"),
        ))
    }

    /// A vote has come.
    pub(super) fn note_vote(&mut self, host: usize, shard: ShardId, term: Term) {
        let by = (self.hosts[host].process, self.hosts[host].facts.tenure);
        let voting = self.history.voters.get_mut(&(shard, term));
        if let Some(voting) = voting.filter(|voting| voting.by == by) {
            voting.votes += 1;
        }
    }

    fn check_become_leader(
        &mut self,
        host: usize,
        server: &DataServerIdentity,
        call: &BecomeLeader,
    ) -> Check {
        let (id, term, to) = (call.shard, call.term, server.id());
        let about = format!("c{host}: BecomeLeader of shard {id} in {term} to {to}");
        let Some(shard) = self
            .accepted_shard(host, id)
            .filter(|shard| shard.term == term)
        else {
            return Err(self.violation("T2", format!("{about}: the term is not stored")));
        };
        self.check_sole_voter(host, id, &shard)?;
        for server in call.follower_maps.keys().chain([&to.0]) {
            self.check_told(host, (id, term), server)?;
        }
        let facts = &self.hosts[host].facts;
        let mut heads = facts.heads.get(&(id, term)).cloned().unwrap_or_default();
        heads.retain(|server, _| !facts.is_being_fenced(server, id));
        let voters = voters(&shard);
        let ended = heads.get(&to).copied().unwrap_or(EntryId::NONE);
        let promoted = &mut self.history.promoted;
        if promoted.insert((id, term), (to.clone(), ended)).is_some() {
            return Err(self.violation("T4", format!("{about}: the second one in this term")));
        }
        let votes = heads.keys().filter(|voter| voters.contains(voter)).count();
        let have_voted: BTreeSet<&ServerId> = heads.keys().collect();
        if !are_majorities(&shard, &have_voted) {
            return Err(self.violation("T5", format!("{about}: {votes} of {} votes", voters.len())));
        }
        if votes == voters.len() / 2 + 1 {
            self.sometimes.hit("elected_by_the_least_majority");
        }
        if !shard.removed_nodes.is_empty() {
            self.sometimes.hit("elected_while_one_takes_anothers_place");
        }
        // A log that has left the last leader's neither leads nor follows, though it is greater, where
        // that is known.
        let readable = self.history.readable.get(&id);
        let is_passed = |head: &EntryId| self.history.is_passed(id, *head, term);
        // Where a later leader began with it, it has left nothing.
        let is_taken_up = |head: &EntryId, since: Term| {
            let mut later = self.history.promoted.range((id, since.next())..(id, term));
            later.any(|(_, (_, began))| began.term == head.term && head.offset <= began.offset)
        };
        let is_left = |head: &EntryId| {
            readable.is_some_and(|it| it.is_left_by(*head) && !is_taken_up(head, it.term))
        };
        let has_left = |head: &EntryId| is_passed(head) || is_left(head);
        let best = heads.values().filter(|head| !has_left(head)).max();
        // Where the document was made to forget, all may have left what could be read once.
        let best = best.or_else(|| heads.values().filter(|head| !is_passed(head)).max());
        let head = heads.get(&to).copied();
        let is_best = head.as_ref() == best || head.as_ref() == heads.values().max();
        // A majority elects without one that could not lead.
        let (within, beyond): (Vec<_>, Vec<_>) =
            heads.iter().partition(|(_, other)| head >= Some(**other));
        let failed = self.hosts[host].facts.failed.get(&id);
        let has_failed = |server: &ServerId| {
            failed.is_some_and(|failed| failed.get(server).is_some_and(|times| *times >= 2))
        };
        let is_spared = beyond.iter().all(|(server, _)| has_failed(server));
        let within: BTreeSet<&ServerId> = within.into_iter().map(|(server, _)| server).collect();
        let is_best = is_best || is_spared && are_majorities(&shard, &within);
        if !is_best || !shard.ensemble.iter().any(|member| member.id() == to) {
            return Err(self.violation("T6", format!("{about}: heads {heads:?}")));
        }
        let followers: BTreeMap<_, _> = shard
            .ensemble
            .iter()
            .filter(|member| member.id() != to)
            .filter_map(|member| Some((member.internal.clone(), *heads.get(&member.id())?)))
            .filter(|(_, fenced)| !has_left(fenced) || head >= Some(*fenced))
            .collect();
        let told = &call.follower_maps;
        for follower in told.keys() {
            self.check_not_uncut(host, (id, term), &ServerId(name_at(follower)))?;
        }
        for (follower, head) in told {
            self.check_fits(host, (id, term), &to, (follower, *head))?;
        }
        // Some may be left out where the chosen one could not lead before, or if they do not fit.
        let leaders = self.log_of(id, &to.0);
        let needed = followers.iter().filter(|(follower, fenced)| {
            let history = &self.history;
            if history.is_passed_unawares(id, **fenced, &shard, term) {
                return false;
            }
            // Wherever its server is by now.
            let log = self.log_of(id, &name_at(follower));
            log.zip(leaders)
                .is_none_or(|(log, leaders)| log.fits(leaders))
        });
        let spared = if self.hosts[host].facts.unexplained.contains(&id) {
            2
        } else {
            0
        };
        let is_true = told.len() <= followers.len()
            && told.len() + spared >= needed.count()
            && told.iter().all(|(follower, told)| {
                let fenced = followers.get(follower);
                fenced.is_some_and(|fenced| may_be_told(head, *fenced, *told))
            });
        if !is_true || call.replication_factor as usize != shard.ensemble.len() {
            return Err(self.violation("T7", format!("{about}: {call:?}, but {followers:?}")));
        }
        let features = shard
            .ensemble
            .iter()
            .filter_map(|member| self.server_at(&member.internal))
            .map(|server| self.servers[server].model.features());
        for known in features {
            if !call.features_supported.is_subset(known) {
                return Err(self.violation("T8", format!("{about}: {:?}", call.features_supported)));
            }
        }
        Ok(())
    }

    /// T11.
    fn check_add_follower(&mut self, host: usize, to: &ServerId, call: &AddFollower) -> Check {
        let (id, term) = (call.shard, call.term);
        self.check_not_uncut(host, (id, term), &ServerId(name_at(&call.follower)))?;
        // No leader goes by it: it is asked whether it feeds that one.
        let is_question = asks_whom_it_feeds(call);
        let facts = &mut self.hosts[host].facts;
        let key = (id, term, call.follower.clone());
        if is_question {
            if facts.led.contains_key(&(id, term)) && !facts.maybe_fed.contains(&key) {
                let text = format!("c{host}: shard {id} in {term}: {to} is asked whom it feeds");
                return Err(self.violation("T11", text));
            }
            self.sometimes.hit("leader_asked_whom_it_feeds");
        } else {
            facts.maybe_fed.insert(key);
            for server in [&to.0, &call.follower] {
                self.check_told(host, (id, term), server)?;
            }
            self.check_fits(host, (id, term), to, (&call.follower, call.head))?;
        }
        let about = format!(
            "c{host}: AddFollower of shard {id} in {term}: {}",
            call.follower
        );
        let Some(shard) = self
            .accepted_shard(host, id)
            .filter(|shard| shard.term == term)
        else {
            return Err(self.violation("T11", format!("{about}: the term is not stored")));
        };
        let leads = shard
            .leader
            .as_ref()
            .is_some_and(|leader| leader.id() == *to)
            || self.hosts[host].facts.led.get(&(id, term)) == Some(to);
        let follower = shard
            .ensemble
            .iter()
            .find(|member| member.internal == call.follower)
            .map(DataServerIdentity::id);
        let fenced = self.hosts[host].facts.heads.get(&(id, term));
        let head = follower.as_ref().and_then(|follower| fenced?.get(follower));
        let is_told = is_question || head == Some(&call.head);
        if !leads || follower.as_ref() == Some(to) || !is_told {
            return Err(
                self.violation("T11", format!("{about}: leads {leads}, fenced at {head:?}"))
            );
        }
        Ok(())
    }
}

/// Whether these are a majority of the ensemble and, while one takes another's place, of the one before.
fn are_majorities(shard: &ShardMetadata, these: &BTreeSet<&ServerId>) -> bool {
    let now: Vec<ServerId> = shard.ensemble.iter().map(DataServerIdentity::id).collect();
    let mut before = now.clone();
    if let [removed] = shard.removed_nodes.as_slice() {
        before.pop();
        before.push(removed.id());
    }
    [now, before].iter().all(|ensemble| {
        let some = ensemble.iter().filter(|id| these.contains(id)).count();
        some * 2 > ensemble.len()
    })
}

fn voters(shard: &ShardMetadata) -> BTreeSet<ServerId> {
    let voters = shard.ensemble.iter().chain(&shard.removed_nodes);
    voters.map(DataServerIdentity::id).collect()
}

/// Whether a leader is only asked whether it feeds the follower: none takes in a head of a later term.
pub(super) fn asks_whom_it_feeds(call: &AddFollower) -> bool {
    call.head.term == call.term.next()
}

/// Whether a leader with this head may be told that of a follower which was fenced there: as it is,
/// unless it has no log, but a snapshot.
fn may_be_told(leader: Option<EntryId>, fenced: EntryId, told: EntryId) -> bool {
    let Some(leader) = leader else { return false };
    let is_within = told.term == leader.term && told.offset <= leader.offset;
    told == fenced || (fenced == EntryId::NONE && is_within)
}
