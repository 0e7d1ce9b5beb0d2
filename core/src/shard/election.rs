//! An election up to the choice: persist the term, fence the ensemble, choose.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Desk, Phase, ShardController};
use crate::call::{Answer, Call, CallError, CallErrorKind, EntryId, NewTerm};
use crate::cluster::{DataServerIdentity, KeySorting, ShardMetadata, ShardStatus};
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::ledger::{Durable, Intent};
use crate::report::Report;
use crate::server::Reach;
use crate::tools::Tools;

/// A round of `NewTerm` to the ensemble and the removed nodes.
#[derive(Debug)]
pub(super) struct Fencing {
    pub(super) term: Term,
    pub(super) since: Timestamp,
    pub(super) asked: BTreeMap<RequestId, DataServerIdentity>,
    pub(super) heads: Vec<(DataServerIdentity, EntryId)>,
    quorum: usize,
    grace: Option<Timestamp>,
    last_failure: String,
}

impl Fencing {
    pub(super) fn is_asked(&self, request: RequestId) -> bool {
        self.asked.contains_key(&request)
    }

    pub(super) fn grace_is_over(&self, now: Timestamp) -> bool {
        self.grace.is_some_and(|grace| grace <= now)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.grace
    }

    pub(super) fn cancel(&mut self, tools: &mut Tools) {
        for request in std::mem::take(&mut self.asked).into_keys() {
            tools.cancel(request);
        }
    }

    fn has_quorum(&self) -> bool {
        self.heads.len() >= self.quorum
    }

    fn is_hopeless(&self) -> bool {
        self.heads.len() + self.asked.len() < self.quorum
    }
}

impl ShardController {
    /// Begins an election, now if a majority of the ensemble runs.
    pub(crate) fn elect(&mut self, desk: &mut Desk<'_>) {
        self.abandon(desk);
        let earliest = desk.tools.now;
        let latest = earliest.after(desk.tools.timing.patience);
        self.phase = Phase::Waiting {
            earliest,
            latest,
            ripe: false,
        };
        self.go_on(desk);
    }

    /// Begins an election because a follower can't be had without one. A follower that asks for
    /// one again and again gets it less and less often.
    pub(super) fn elect_again(&mut self, desk: &mut Desk<'_>) {
        self.abandon(desk);
        self.await_next_attempt(desk);
    }

    /// Waits for the next attempt; returns when that is, at the earliest.
    fn await_next_attempt(&mut self, desk: &mut Desk<'_>) -> Timestamp {
        self.forget_failures(desk);
        let timing = &desk.tools.timing;
        let (first, most) = (timing.election_first, timing.election_most);
        let earliest = desk.tools.wait(&mut self.backoff, first, most);
        let latest = earliest.after(desk.tools.timing.patience);
        self.phase = Phase::Waiting {
            earliest,
            latest,
            ripe: false,
        };
        earliest
    }

    /// A shard that was led for a while starts again from the shortest wait.
    fn forget_failures(&mut self, desk: &Desk<'_>) {
        let succeeded = self.elected >= self.began;
        if succeeded && desk.tools.now.since(self.elected) >= desk.tools.timing.lease {
            self.backoff.reset();
        }
    }

    /// Ends the attempt; the next one is in a greater term.
    pub(super) fn fail(&mut self, reason: &str, desk: &mut Desk<'_>) {
        let term = self.metadata(desk).map_or(Term::NEVER, |shard| shard.term);
        self.abandon(desk);
        let earliest = self.await_next_attempt(desk);
        desk.tools.report(Report::ElectionFailed {
            namespace: self.namespace.clone(),
            shard: self.id,
            term,
            reason: reason.to_owned(),
            retry_after: earliest.since(desk.tools.now),
        });
    }

    /// Goes on from a wait, if there is no more cause to wait.
    pub(super) fn go_on(&mut self, desk: &mut Desk<'_>) {
        let now = desk.tools.now;
        match self.phase {
            Phase::Waiting {
                earliest, latest, ..
            } if earliest <= now => {
                self.phase = Phase::Waiting {
                    earliest,
                    latest,
                    ripe: true,
                };
                if latest <= now || self.majority_runs(desk) {
                    self.persist(desk);
                }
            }
            Phase::Persisted { term, latest } => {
                if latest <= now || self.majority_runs(desk) {
                    self.fence(term, desk);
                }
            }
            Phase::Parked
            | Phase::Verifying { .. }
            | Phase::Waiting { .. }
            | Phase::Persisting { .. }
            | Phase::Fencing(_)
            | Phase::Promoting { .. }
            | Phase::Recording { .. }
            | Phase::Steady => {}
        }
    }

    fn majority_runs(&self, desk: &Desk<'_>) -> bool {
        let Some(shard) = self.metadata(desk) else {
            return false;
        };
        let voters = voters(&shard);
        let running = voters
            .iter()
            .filter(|server| desk.reach(server) == Reach::Running)
            .count();
        running > voters.len() / 2
    }

    fn persist(&mut self, desk: &mut Desk<'_>) {
        let Some(shard) = self.metadata(desk) else {
            self.phase = Phase::Parked;
            return;
        };
        let term = shard.term.max(self.seen).next();
        if term <= shard.term || shard.ensemble.is_empty() {
            self.phase = Phase::Parked;
            self.blocked("it has no ensemble, or its term can't grow any more", desk);
            return;
        }
        let refresh = |servers: &[DataServerIdentity]| -> Vec<DataServerIdentity> {
            servers
                .iter()
                .map(|server| desk.configured(server).unwrap_or(server).clone())
                .collect()
        };
        let ensemble = refresh(&shard.ensemble);
        let removed_nodes = refresh(&shard.removed_nodes);
        self.forget_failures(desk);
        self.began = desk.tools.now;
        self.phase = Phase::Persisting {
            term,
            patient: false,
        };
        desk.ledger
            .change(&self.namespace, self.id, Intent::Fence(term), |shard| {
                shard.status = ShardStatus::Election;
                shard.term = term;
                shard.leader = None;
                shard.ensemble = ensemble;
                shard.removed_nodes = removed_nodes;
            });
    }

    pub(super) fn term_persisted(&mut self, durable: Durable<Term>, desk: &mut Desk<'_>) {
        let Phase::Persisting { term, patient } = self.phase else {
            return;
        };
        if durable.fact() != term {
            return;
        }
        if patient {
            let latest = self.began.after(desk.tools.timing.patience);
            self.phase = Phase::Persisted {
                term: durable,
                latest,
            };
            self.go_on(desk);
        } else {
            self.fence(durable, desk);
        }
    }

    fn fence(&mut self, term: Durable<Term>, desk: &mut Desk<'_>) {
        let Some(shard) = self.metadata(desk) else {
            return;
        };
        let voters = voters(&shard);
        let mut fencing = Fencing {
            term: term.fact(),
            since: desk.tools.now,
            asked: BTreeMap::new(),
            heads: Vec::new(),
            quorum: voters.len() / 2 + 1,
            grace: None,
            last_failure: String::new(),
        };
        for server in voters {
            if desk.is_foreign(server) {
                fencing.last_failure = format!("{} belongs to another cluster", server.id());
                continue;
            }
            let request = self.send_new_term(term.fact(), server, desk);
            fencing.asked.insert(request, server.clone());
        }
        self.phase = Phase::Fencing(fencing);
        self.count_votes(desk);
    }

    pub(super) fn send_new_term(
        &self,
        term: Term,
        server: &DataServerIdentity,
        desk: &mut Desk<'_>,
    ) -> RequestId {
        let namespace = desk.configuration.and_then(|configuration| {
            configuration
                .namespaces
                .iter()
                .find(|namespace| namespace.name == self.namespace)
        });
        let call = Call::NewTerm(NewTerm {
            namespace: self.namespace.clone(),
            shard: self.id,
            term,
            enable_notifications: namespace
                .and_then(|namespace| namespace.notifications_enabled)
                .unwrap_or(true),
            key_sorting: namespace.map_or(KeySorting::Unknown, |namespace| namespace.key_sorting),
        });
        self.call(server, call, desk)
    }

    pub(super) fn fenced(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        desk: &mut Desk<'_>,
    ) {
        let Phase::Fencing(fencing) = &mut self.phase else {
            return;
        };
        let Some(server) = fencing.asked.remove(&request) else {
            return;
        };
        let mut outrun = false;
        match result {
            Ok(Answer::Fenced(head)) => fencing.heads.push((server.clone(), head)),
            Ok(_) => fencing.last_failure = format!("{} gave another answer", server.id()),
            Err(error) => {
                outrun = error.kind == CallErrorKind::InvalidTerm;
                fencing.last_failure = format!("{}: {error}", server.id());
            }
        }
        if outrun {
            self.learn(&server, desk);
        }
        self.count_votes(desk);
    }

    /// A server that is unavailable won't answer: don't wait for it.
    pub(super) fn give_up_on(&mut self, server: &ServerId, reason: &str, desk: &mut Desk<'_>) {
        let Phase::Fencing(fencing) = &mut self.phase else {
            return;
        };
        let asked = fencing
            .asked
            .iter()
            .find(|(_, asked)| asked.id() == *server);
        let Some(request) = asked.map(|(request, _)| *request) else {
            return;
        };
        fencing.asked.remove(&request);
        fencing.last_failure = format!("{server} is unavailable: {reason}");
        desk.tools.cancel(request);
        self.count_votes(desk);
    }

    fn count_votes(&mut self, desk: &mut Desk<'_>) {
        let Phase::Fencing(fencing) = &mut self.phase else {
            return;
        };
        if fencing.is_hopeless() {
            let reason = format!("no majority was fenced: {}", fencing.last_failure);
            self.end_fencing(desk);
            self.fail(&reason, desk);
        } else if fencing.has_quorum() {
            if fencing.asked.is_empty() {
                self.choose(desk);
            } else {
                fencing.grace = Some(desk.tools.now.after(desk.tools.timing.grace));
            }
        }
    }

    /// Chooses the member with the greatest head; among equals, one that serves, and then who leads
    /// the fewest shards. Nobody leads who has less than any responder, removed nodes included.
    pub(super) fn choose(&mut self, desk: &mut Desk<'_>) {
        let shard = self.metadata(desk);
        let Phase::Fencing(fencing) = &mut self.phase else {
            return;
        };
        fencing.grace = None;
        let Some(shard) = shard else { return };
        let is_member = |server: &DataServerIdentity| shard.ensemble.contains(server);
        let greatest = fencing.heads.iter().map(|(_, head)| *head).max();
        let winner = fencing
            .heads
            .iter()
            .filter(|(server, head)| is_member(server) && Some(*head) == greatest)
            .min_by_key(|(server, _)| {
                let is_unavailable = desk.reach(server) == Reach::Unavailable;
                (is_unavailable, desk.leaders.count(&server.id()))
            })
            .map(|(server, _)| server.clone());
        match winner {
            Some(winner) => {
                self.end_fencing(desk);
                self.promote(&shard, winner, desk);
            }
            None if !fencing.asked.is_empty() => {}
            None => {
                let reason = "a removed node has more of the log than every member that answered";
                self.end_fencing(desk);
                self.blocked(reason, desk);
                self.fail(reason, desk);
            }
        }
    }

    fn end_fencing(&self, desk: &mut Desk<'_>) {
        let Phase::Fencing(fencing) = &self.phase else {
            return;
        };
        desk.tools.report(Report::FencingEnded {
            namespace: self.namespace.clone(),
            shard: self.id,
            took: desk.tools.now.since(fencing.since),
        });
    }
}

/// Who votes: the ensemble, and the nodes removed from it that may still hold entries.
fn voters(shard: &Arc<ShardMetadata>) -> Vec<&DataServerIdentity> {
    let mut voters: Vec<&DataServerIdentity> = Vec::new();
    for server in shard.ensemble.iter().chain(&shard.removed_nodes) {
        if !voters.iter().any(|voter| voter.internal == server.internal) {
            voters.push(server);
        }
    }
    voters
}
