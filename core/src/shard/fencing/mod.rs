//! A round of `NewTerm` to the ensemble and the removed nodes: votes, and the choice.

mod asking;
mod beginning;
mod choice;
mod missing;

use std::collections::{BTreeMap, BTreeSet};

use self::beginning::Beginning;
use crate::call::{Answer, CallError, CallErrorKind, EntryId, ReplicaStatus};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::ledger::Durable;
use crate::report::Report;
use crate::shard::context::ShardContext;
use crate::shard::fence::{Fence, Outcome};
use crate::shard::memory::Memory;
use crate::shard::position::Position;
use crate::shard::quorum::{Quorum, distinct};
use crate::shard::recall::Recall;

#[derive(Clone, Debug)]
pub(super) struct Fencing {
    pub(super) term: Term,
    since: Timestamp,
    pub(super) asked: BTreeMap<RequestId, Asked>,
    /// Those that are given a moment, until when.
    pub(super) resting: Vec<(Timestamp, Asked)>,
    pub(super) votes: Vec<Vote>,
    /// Those of which something may yet be cut off: they don't vote any more in this term, nor follow.
    pub(super) uncut: BTreeSet<ServerId>,
    /// Those that could not lead, and are left out as others are enough.
    pub(super) passed_over: BTreeSet<ServerId>,
    recall: Recall,
    quorum: Quorum,
    grace: Option<Timestamp>,
    /// Why those that were not fenced were not, as each said last.
    failures: BTreeMap<ServerId, String>,
    beginning: Option<Beginning>,
    is_reported: bool,
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
            resting: Vec::new(),
            votes: Vec::new(),
            uncut: BTreeSet::new(),
            passed_over: BTreeSet::new(),
            recall,
            quorum: Quorum::of(shard),
            grace: None,
            failures: BTreeMap::new(),
            beginning: None,
            is_reported: false,
        };
        for server in voters {
            fencing.ask(server, memory, cx);
        }
        fencing.recall.spare_longer(cx.context);
        fencing
    }

    /// Whether the answer of anybody is still waited for.
    fn is_open(&self) -> bool {
        !self.asked.is_empty() || !self.resting.is_empty() || self.recall.pending() > 0
    }

    /// Chooses once the grace is over, and until then asks those that were spared for long enough.
    pub(super) fn time_passed(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Round {
        if self.grace.is_some_and(|grace| grace <= cx.context.now) {
            return self.choose(memory, cx);
        }
        if let Some(shard) = memory.metadata(cx) {
            self.recall.probe(&voters(&shard), memory, cx);
        }
        let now = cx.context.now;
        let is_due = |(until, _): &(Timestamp, Asked)| *until <= now;
        while let Some(due) = self.resting.iter().position(is_due) {
            let (_, mut asked) = self.resting.remove(due);
            let outcome = asked.fence.rested(&asked.server, memory, cx);
            match self.went_on(asked, outcome, memory, cx) {
                Round::Open => {}
                over @ (Round::Won(_) | Round::Failed(_)) => return over,
            }
        }
        Round::Open
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let rests = self.resting.iter().map(|(until, _)| *until);
        let spared = self.recall.spared_until();
        self.grace.into_iter().chain(spared).chain(rests).min()
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        self.resting.clear();
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
        if asked.fence.may_yet_be_cut(&result) {
            self.uncut.insert(asked.server.id());
        }
        let outcome = asked.fence.answered(result, &asked.server, memory, cx);
        self.went_on(asked, outcome, memory, cx)
    }

    /// What has become of a voter that is being fenced.
    fn went_on(
        &mut self,
        asked: Asked,
        outcome: Outcome,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        match outcome {
            Outcome::Asks(request) => {
                self.asked.insert(request, asked);
                return Round::Open;
            }
            Outcome::Rests(until) => {
                self.resting.push((until, asked));
                return Round::Open;
            }
            Outcome::Fenced(head) if !head.is_of_a_log_before(self.term) => {
                let why = format!(
                    "it ends its log with offset {} of term {}, which can't be",
                    head.offset, head.term
                );
                self.failures.insert(asked.server.id(), why);
            }
            // Somebody else has told it to replicate the shard since it was looked at.
            Outcome::Fenced(head)
                if head != EntryId::NONE && self.recall.is_newcomer(&asked.server.id()) =>
            {
                let id = asked.server.id();
                let why = "it has data of an earlier time".to_owned();
                self.failures.insert(id, why);
            }
            Outcome::Fenced(head) => {
                let Asked {
                    server,
                    status,
                    fence,
                } = asked;
                let position = memory.position(&server.id(), status, head);
                let position = position.showing(fence.shown());
                if position.has_log() {
                    memory.fed.remove(&server.id());
                }
                self.failures.remove(&server.id());
                self.votes.push(Vote { server, position });
            }
            Outcome::Failed(error) => {
                let server = asked.server;
                self.failures.insert(server.id(), error.to_string());
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

    /// Counts the votes: after a majority, the others have a little more time.
    pub(super) fn count(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Round {
        if !self.is_hopeful() {
            self.turn_to_spared(memory, cx);
        }
        if !self.is_hopeful() {
            self.report_end(memory, cx);
            return Round::Failed(self.too_few());
        }
        if self.quorum.is_met(|id| self.is_fenced(id)) {
            if !self.is_open() {
                return self.choose(memory, cx);
            }
            if !self.recall.awaits_all() {
                self.grace = Some(cx.context.now.after(cx.context.timing.grace));
            }
        }
        Round::Open
    }

    fn is_fenced(&self, server: &ServerId) -> bool {
        self.votes.iter().any(|vote| vote.server.id() == *server)
    }

    /// Whether those that are fenced, or may yet be, are enough.
    fn is_hopeful(&self) -> bool {
        let resting = self.resting.iter().map(|(_, it)| it);
        let asked = self.asked.values().chain(resting);
        let asked: BTreeSet<ServerId> = asked.map(|it| it.server.id()).collect();
        self.quorum
            .is_met(|id| self.is_fenced(id) || asked.contains(id) || self.recall.is_pending(id))
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
    distinct(shard.ensemble.iter().chain(&shard.removed_nodes))
}
