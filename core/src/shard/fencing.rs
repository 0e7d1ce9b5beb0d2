//! A round of `NewTerm` to the ensemble and the removed nodes: votes, and the choice.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::context::ShardContext;
use super::fence::{Fence, Outcome, Was};
use super::intent::Intent;
use super::memory::Memory;
use super::position::Position;
use super::recall::Recall;
use crate::call::{Answer, CallError, CallErrorKind, EntryId, ReplicaStatus};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::ledger::Durable;
use crate::report::Report;
use crate::server::Reach;

#[derive(Clone, Debug)]
pub(super) struct Fencing {
    pub(super) term: Term,
    since: Timestamp,
    pub(super) asked: BTreeMap<RequestId, Asked>,
    pub(super) votes: Vec<Vote>,
    /// Those of which something may yet be cut off: they don't vote any more in this term.
    uncut: BTreeSet<ServerId>,
    /// Those that could not lead, and are left out as others are enough.
    passed_over: BTreeSet<ServerId>,
    recall: Recall,
    quorum: usize,
    grace: Option<Timestamp>,
    last_failure: String,
    beginning: Option<Beginning>,
    is_reported: bool,
}

/// So often the best one may fail to lead before the others are looked at without it.
const FAILURES: usize = 2;

/// With what log the chosen one is to lead, on its way to the store.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    head: EntryId,
    is_stored: bool,
}

/// A voter that is being fenced.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) server: DataServerIdentity,
    status: ReplicaStatus,
    pub(super) fence: Fence,
}

/// A voter that is fenced.
#[derive(Clone, Debug)]
pub(super) struct Vote {
    pub(super) server: DataServerIdentity,
    pub(super) position: Position,
}

/// What has become of a round.
#[derive(Debug)]
#[must_use]
pub(super) enum Round {
    /// More votes are waited for.
    Open,
    /// It is over, and this member is to lead.
    Won(Vote),
    /// It is over, and nobody can lead.
    Failed(String),
}

impl Fencing {
    /// Asks everybody who votes and remembers.
    pub(super) fn begin(
        term: Durable<Term>,
        recall: Recall,
        shard: &ShardMetadata,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Self {
        let voters = voters(shard);
        let mut fencing = Self {
            term: *term.fact(),
            since: cx.context.now,
            asked: BTreeMap::new(),
            votes: Vec::new(),
            uncut: BTreeSet::new(),
            passed_over: BTreeSet::new(),
            recall,
            quorum: voters.len() / 2 + 1,
            grace: None,
            last_failure: String::new(),
            beginning: None,
            is_reported: false,
        };
        for server in voters {
            fencing.ask(server, memory, cx);
        }
        fencing.recall.spare_longer(cx.context);
        fencing
    }

    /// Asks a voter, if it is known to remember.
    fn ask(&mut self, server: &DataServerIdentity, memory: &Memory, cx: &mut ShardContext<'_>) {
        let Some(status) = self.recall.vote_of(&server.id()) else {
            return;
        };
        if cx.is_foreign(server) {
            self.last_failure = format!("{} belongs to another cluster", server.id());
        } else if cx.is_away(server) {
            self.last_failure = format!("{} is unavailable", server.id());
        } else {
            let was = Was::of(&status);
            let (request, fence) = Fence::begin(self.term, was, server, memory, cx);
            let server = server.clone();
            let asked = Asked {
                server,
                status,
                fence,
            };
            self.asked.insert(request, asked);
        }
    }

    /// A server is back: it is asked what it remembers, if it votes and is not being asked.
    pub(super) fn ask_too(
        &mut self,
        server: &ServerId,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        let Some(shard) = memory.metadata(cx) else {
            return;
        };
        let is_heard = self.votes.iter().any(|vote| vote.server.id() == *server);
        let is_asked = self.asked.values().any(|it| it.server.id() == *server);
        let voter = voters(&shard).into_iter().find(|it| it.id() == *server);
        if let Some(voter) = voter
            && !is_heard
            && !is_asked
            && !self.uncut.contains(server)
        {
            self.recall.forget(server, "it is asked again", cx);
            self.recall.ask_too(voter, memory, cx);
        }
    }

    /// A server has lost its data: a vote that it may have given before does not count.
    pub(super) fn forget(&mut self, server: &ServerId, cx: &mut ShardContext<'_>) {
        self.votes.retain(|vote| vote.server.id() != *server);
        self.withdraw(server, cx);
        self.recall.forget(server, "it has lost its data", cx);
    }

    fn withdraw(&mut self, server: &ServerId, cx: &mut ShardContext<'_>) {
        let asked = self.asked.iter();
        let asked = asked.filter(|(_, it)| it.server.id() == *server);
        let requests: Vec<_> = asked.map(|(request, _)| *request).collect();
        for request in requests {
            if self
                .asked
                .remove(&request)
                .is_some_and(|it| it.fence.is_cutting())
            {
                self.uncut.insert(server.clone());
            }
            cx.context.cancel(request);
        }
    }

    /// Whether the answer of anybody is still waited for.
    fn is_open(&self) -> bool {
        !self.asked.is_empty() || self.recall.pending() > 0
    }

    /// Chooses once the grace is over, and until then asks those that were spared for long enough.
    pub(super) fn time_passed(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Round {
        if self.grace.is_some_and(|grace| grace <= cx.context.now) {
            return self.choose(memory, cx);
        }
        if let Some(shard) = memory.metadata(cx) {
            self.recall.probe(&voters(&shard), memory, cx);
        }
        Round::Open
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let spared = self.recall.spared_until();
        self.grace.into_iter().chain(spared).min()
    }

    /// Whether this one was not asked, since a majority does without it.
    pub(super) fn spares(&self, server: &ServerId) -> bool {
        self.recall.spares(server)
    }

    /// Turns to those that were spared, which are needed now; says whether there are any.
    fn turn_to_spared(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) -> bool {
        let before = self.recall.pending();
        if let Some(shard) = memory.metadata(cx) {
            self.recall.spare_nobody(&voters(&shard), memory, cx);
        }
        self.recall.pending() > before
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        for request in std::mem::take(&mut self.asked).into_keys() {
            cx.context.cancel(request);
        }
        self.recall.cancel(cx);
    }

    pub(super) fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        let Some(mut asked) = self.asked.remove(&request) else {
            return self.recalled(request, result, memory, cx);
        };
        let was_cutting = asked.fence.is_cutting();
        let outcome = asked.fence.answered(result, &asked.server, memory, cx);
        if let Outcome::Asks(request) = outcome {
            self.asked.insert(request, asked);
            return Round::Open;
        }
        let Asked { server, status, .. } = asked;
        match outcome {
            Outcome::Asks(_) => {}
            Outcome::Fenced(head) if !head.is_of_a_log_before(self.term) => {
                self.last_failure = format!(
                    "{} ends its log with offset {} of term {}, which can't be",
                    server.id(),
                    head.offset,
                    head.term
                );
            }
            Outcome::Fenced(head) => {
                let position = memory.position(&server.id(), status, head);
                if position.has_log() {
                    memory.fed.remove(&server.id());
                }
                self.votes.push(Vote { server, position });
            }
            Outcome::Failed(error) => {
                if was_cutting {
                    self.uncut.insert(server.id());
                }
                self.last_failure = format!("{}: {error}", server.id());
                if error.kind == CallErrorKind::InvalidTerm {
                    memory.learn(&server, cx);
                }
                if error.kind == CallErrorKind::InvalidStatus {
                    // Somebody leads in this very term already.
                    memory.learn(&server, cx);
                    self.report_end(memory, cx);
                    return Round::Failed(format!(
                        "{} leads in term {} already",
                        server.id(),
                        self.term
                    ));
                }
            }
        }
        self.count(memory, cx)
    }

    /// Nothing more is asked of those that have not been fenced.
    pub(super) fn stop_recalling(&mut self, cx: &mut ShardContext<'_>) {
        self.recall.cancel(cx);
    }

    fn recalled(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        let Some(shard) = memory.metadata(cx) else {
            return Round::Open;
        };
        let voters = voters(&shard);
        let answered = self.recall.answered(request, result, &voters, memory, cx);
        let Some(id) = answered else {
            return Round::Open;
        };
        if let Some(voter) = voters.into_iter().find(|it| it.id() == id) {
            self.ask(voter, memory, cx);
        }
        self.count(memory, cx)
    }

    /// A server that is unavailable won't answer.
    pub(super) fn give_up_on(
        &mut self,
        server: &ServerId,
        reason: &str,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        if self.votes.iter().any(|vote| vote.server.id() == *server) {
            return Round::Open;
        }
        self.last_failure = format!("{server} is unavailable: {reason}");
        self.withdraw(server, cx);
        self.recall.forget(server, reason, cx);
        self.count(memory, cx)
    }

    /// Counts the votes: after a majority, the others have a little more time.
    pub(super) fn count(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Round {
        let hopeful = self.votes.len() + self.asked.len();
        if hopeful + self.recall.pending() < self.quorum {
            self.turn_to_spared(memory, cx);
        }
        if hopeful + self.recall.pending() < self.quorum {
            self.report_end(memory, cx);
            let causes = [self.last_failure.clone(), self.recall.shortage()];
            let causes: Vec<_> = causes.into_iter().filter(|it| !it.is_empty()).collect();
            let causes = causes.join("; ");
            return Round::Failed(format!("no majority was fenced: {causes}"));
        }
        if self.votes.len() >= self.quorum {
            if !self.is_open() {
                return self.choose(memory, cx);
            }
            if !self.recall.awaits_all() {
                self.grace = Some(cx.context.now.after(cx.context.timing.grace));
            }
        }
        Round::Open
    }

    /// Chooses a member that has all that a majority has, and all that is in any log that was seen,
    /// those of removed nodes included; best, one that has all that everybody has. Among equals one
    /// with a log, then one that serves, then one that failed to lead less often, and then who leads the
    /// fewest shards.
    pub(super) fn choose(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Round {
        self.grace = None;
        let Some(shard) = memory.metadata(cx) else {
            return Round::Open;
        };
        let members = self.votes.iter();
        let members = members.filter(|vote| shard.ensemble.contains(&vote.server));
        let positions: Vec<_> = members
            .map(|vote| (vote.server.id(), vote.position))
            .collect();
        memory.suppose(shard.ensemble.len(), &positions);
        let is_waiting = self.is_open();
        let votes = self.votes.iter();
        let there = votes.filter(|vote| !cx.is_away(&vote.server)).count();
        if there < self.quorum {
            if self.turn_to_spared(memory, cx) {
                return Round::Open;
            }
            // Whoever leads would wait for them.
            self.report_end(memory, cx);
            return Round::Failed("of those that were fenced no majority is there now".to_owned());
        }
        let winner = self.best_of_all(&shard, memory, cx);
        match winner {
            Some(winner) => {
                self.report_end(memory, cx);
                Round::Won(winner)
            }
            None if is_waiting || self.turn_to_spared(memory, cx) => Round::Open,
            None => {
                let reason = self.no_leader(memory);
                memory.undecided = self.votes.iter().map(|vote| vote.server.id()).collect();
                self.report_end(memory, cx);
                memory.blocked(&reason, cx);
                Round::Failed(reason)
            }
        }
    }

    /// The best one. Where that has failed again and again, maybe since it alone can't reach the others,
    /// and they are a majority, the best of them: what it has more was never acknowledged.
    fn best_of_all(
        &mut self,
        shard: &ShardMetadata,
        memory: &Memory,
        cx: &ShardContext<'_>,
    ) -> Option<Vote> {
        self.passed_over.clear();
        let has_failed = |vote: &Vote| memory.failures(&vote.server.id()) >= FAILURES;
        let all: Vec<&Vote> = self.votes.iter().collect();
        let best = self.best(&all, shard, memory, cx)?;
        if !has_failed(best) || self.recall.is_new() {
            return Some(best.clone());
        }
        let (failed, others): (Vec<&Vote>, Vec<&Vote>) = all.iter().partition(|it| has_failed(it));
        let there = others.iter().filter(|vote| !cx.is_away(&vote.server));
        let is_majority = there.count() >= self.quorum;
        let other = self
            .best(&others, shard, memory, cx)
            .filter(|_| is_majority);
        let Some(other) = other.cloned() else {
            return Some(best.clone());
        };
        self.passed_over = failed.iter().map(|vote| vote.server.id()).collect();
        Some(other)
    }

    fn best<'a>(
        &self,
        votes: &[&'a Vote],
        shard: &ShardMetadata,
        memory: &Memory,
        cx: &ShardContext<'_>,
    ) -> Option<&'a Vote> {
        let members = votes.iter().copied();
        let members = members.filter(|vote| shard.ensemble.contains(&vote.server));
        members
            .filter(|vote| {
                let has_committed =
                    vote.position.offset() >= memory.committed && !self.has_left(vote, memory);
                self.recall.is_new() || has_committed && vote.position.may_lead()
            })
            .filter_map(|vote| Some((vote, self.covered_by(vote, votes, memory)?)))
            .filter(|(_, covered)| *covered == votes.len() || !self.is_open())
            .min_by_key(|(vote, covered)| {
                let is_unavailable = cx.reach(&vote.server) == Reach::Unavailable;
                let leads = cx.leaders.count(&vote.server.id());
                let has_log = vote.position.has_log();
                let failures = memory.failures(&vote.server.id());
                (Reverse(*covered), !has_log, is_unavailable, failures, leads)
            })
            .map(|(winner, _)| winner)
    }

    /// Whether with what this one begins is stored, if it has to be before it is told to lead: a
    /// coordinator that comes after has to know it. Else what was committed by then, and read, would
    /// look like less than what another one wrote alone before.
    pub(super) fn is_recorded(&self, winner: &Vote, memory: &Memory) -> bool {
        let head = winner.position.head();
        match self.beginning {
            // The document must not tell of another one.
            Some(beginning) => beginning.is_stored && beginning.head == head,
            None => !memory.led.is_to_be_stored(self.term, head),
        }
    }

    /// Stores with what this one begins.
    pub(super) fn record(&mut self, winner: &Vote, memory: &Memory, cx: &mut ShardContext<'_>) {
        let head = winner.position.head();
        if self.beginning.is_some_and(|it| it.head == head) {
            return;
        }
        self.beginning = Some(Beginning {
            head,
            is_stored: false,
        });
        let beginnings = memory.led.kept(Some((self.term, head)));
        let (namespace, promote) = (&memory.namespace, Intent::Promote(self.term));
        cx.ledger.change(namespace, memory.id, promote, |shard| {
            shard.beginnings = beginnings;
        });
    }

    /// It is stored: the choice is made again, as things stand now.
    pub(super) fn recorded(
        &mut self,
        term: Term,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        match &mut self.beginning {
            Some(beginning) if self.term == term => beginning.is_stored = true,
            Some(_) | None => return Round::Open,
        }
        self.choose(memory, cx)
    }

    fn no_leader(&self, memory: &Memory) -> String {
        let without_log = self.votes.iter().filter(|vote| !vote.position.may_lead());
        let without_log: Vec<_> = without_log
            .map(|vote| vote.server.id().to_string())
            .collect();
        let why = if without_log.is_empty() {
            String::new()
        } else {
            let without_log = without_log.join(", ");
            format!(": {without_log} has more in its database than in its log")
        };
        let (left, others): (Vec<&Vote>, Vec<&Vote>) = self
            .votes
            .iter()
            .partition(|vote| self.has_left(vote, memory));
        let best = others.iter().max_by_key(|vote| vote.position.head());
        let apart = others
            .iter()
            .filter(|vote| best.is_some_and(|best| !self.can_follow(best, vote, memory)));
        let left: Vec<_> = left
            .iter()
            .chain(apart)
            .map(|vote| vote.server.id().to_string())
            .collect();
        let why = if left.is_empty() {
            why
        } else {
            let (left, term) = (left.join(", "), memory.last_led());
            format!("{why}; {left} has another log than the leader of term {term} had")
        };
        let untold = self.votes.iter().filter(|vote| vote.position.is_untold());
        let untold: Vec<_> = untold.map(|vote| vote.server.id().to_string()).collect();
        let why = if untold.is_empty() {
            why
        } else {
            let untold = untold.join(", ");
            format!("{why}; {untold} may have more in its database than any log")
        };
        let most = self.votes.iter().map(|vote| vote.position.offset()).max();
        let lost = if most.is_some_and(|most| most < memory.committed) {
            let committed = memory.committed;
            format!("; what is committed up to {committed} was lost by whoever answers")
        } else {
            String::new()
        };
        let missing = if self.recall.is_short() {
            format!("; {}", self.recall.shortage())
        } else {
            String::new()
        };
        format!(
            "no member that may lead is known to have all that a majority of its replicas has{why}\
             {lost}{missing}"
        )
    }

    /// Whether the chosen one has to show that it has nothing beyond its log.
    pub(super) fn is_unproved(&self, winner: &Vote) -> bool {
        !winner.position.is_proved() && !self.recall.is_new()
    }

    /// Whether a voter's log is known to lack what the last leader began with, or has committed.
    /// Nothing is known of that where somebody else has made another one since.
    pub(super) fn has_left(&self, vote: &Vote, memory: &Memory) -> bool {
        let mut led_in = self.votes.iter().filter_map(|vote| vote.position.led_in());
        let is_latest = !led_in.any(|led_in| memory.was_led_by_others(led_in));
        let is_left = memory.is_left(vote.position.head(), vote.position.commit());
        is_left && is_latest && !self.recall.is_new()
    }

    /// How many votes this one covers, if these are a majority and all that have a log, and a majority
    /// can follow. One that has left the last leader's log has nothing more that counts, and can't follow
    /// while its log ends later.
    fn covered_by(&self, vote: &Vote, votes: &[&Vote], memory: &Memory) -> Option<usize> {
        // Where all vote, one of them has fed it; where it was never led, nobody has.
        let is_fed_by_a_voter = self.recall.is_new() || votes.len() == self.recall.len();
        let (covered, beyond): (Vec<&Vote>, Vec<&Vote>) = votes.iter().partition(|other| {
            vote.position.covers(&other.position)
                || is_fed_by_a_voter && vote.position.has_log() && other.position.is_untold()
        });
        let (left, beyond): (Vec<&Vote>, Vec<&Vote>) = beyond
            .into_iter()
            .partition(|other| self.has_left(other, memory));
        let is_least = beyond.iter().any(|other| other.position.has_log());
        let follows = covered
            .iter()
            .filter(|it| self.can_follow(vote, it, memory));
        let can_lead = !is_least && follows.count() >= self.quorum;
        can_lead.then_some(covered.len() + left.len())
    }

    /// Whether this one's log may become a part of the leader's.
    pub(super) fn can_follow(&self, leader: &Vote, vote: &Vote, memory: &Memory) -> bool {
        let is_out = self.passed_over.contains(&vote.server.id());
        let (leader, follower) = (&leader.position, &vote.position);
        let told = leader.told_of(follower);
        (leader.covers(follower) || follower.is_untold() || !self.has_left(vote, memory))
            && !is_out
            && memory.led.fit(leader.head(), told).is_possible()
    }

    fn report_end(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) {
        if std::mem::replace(&mut self.is_reported, true) {
            return;
        }
        cx.context.report(Report::FencingEnded {
            namespace: memory.namespace.clone(),
            shard: memory.id,
            took: cx.context.now.since(self.since),
        });
    }
}

/// Who votes: the ensemble, and the nodes removed from it that may still hold entries.
pub(super) fn voters(shard: &ShardMetadata) -> Vec<&DataServerIdentity> {
    let mut voters: Vec<&DataServerIdentity> = Vec::new();
    for server in shard.ensemble.iter().chain(&shard.removed_nodes) {
        if !voters.iter().any(|voter| voter.internal == server.internal) {
            voters.push(server);
        }
    }
    voters
}
