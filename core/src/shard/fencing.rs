//! A round of `NewTerm` to the ensemble and the removed nodes: votes, and the choice.

use std::collections::BTreeMap;

use super::context::ShardContext;
use super::memory::Memory;
use crate::call::{Answer, CallError, CallErrorKind, EntryId};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::ledger::Durable;
use crate::report::Report;
use crate::server::Reach;

#[derive(Clone, Debug)]
pub(super) struct Fencing {
    pub(super) term: Term,
    since: Timestamp,
    pub(super) asked: BTreeMap<RequestId, DataServerIdentity>,
    pub(super) heads: Vec<(DataServerIdentity, EntryId)>,
    quorum: usize,
    grace: Option<Timestamp>,
    last_failure: String,
}

/// What has become of a round.
#[derive(Debug)]
#[must_use]
pub(super) enum Round {
    /// More votes are waited for.
    Open,
    /// It is over, and this member is to lead.
    Won(DataServerIdentity),
    /// It is over, and nobody can lead.
    Failed(String),
}

impl Fencing {
    /// Asks everybody who votes, but servers of another cluster and those that are away.
    pub(super) fn begin(
        term: Durable<Term>,
        shard: &ShardMetadata,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Self {
        let voters = voters(shard);
        let mut fencing = Self {
            term: *term.fact(),
            since: cx.context.now,
            asked: BTreeMap::new(),
            heads: Vec::new(),
            quorum: voters.len() / 2 + 1,
            grace: None,
            last_failure: String::new(),
        };
        for server in voters {
            fencing.ask(server, memory, cx);
        }
        fencing
    }

    fn ask(&mut self, server: &DataServerIdentity, memory: &Memory, cx: &mut ShardContext<'_>) {
        if cx.is_foreign(server) {
            self.last_failure = format!("{} belongs to another cluster", server.id());
        } else if cx.is_away(server) {
            self.last_failure = format!("{} is unavailable", server.id());
        } else {
            let request = memory.send_new_term(self.term, server, cx);
            self.asked.insert(request, server.clone());
        }
    }

    /// A server is back: it is asked, if it votes and has not been asked or has not answered.
    pub(super) fn ask_too(
        &mut self,
        server: &ServerId,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        let Some(shard) = memory.metadata(cx) else {
            return;
        };
        let is_heard = self.heads.iter().any(|(it, _)| it.id() == *server);
        let is_asked = self.asked.values().any(|it| it.id() == *server);
        let voter = voters(&shard).into_iter().find(|it| it.id() == *server);
        if let Some(voter) = voter
            && !is_heard
            && !is_asked
        {
            self.ask(voter, memory, cx);
        }
    }

    pub(super) fn grace_is_over(&self, now: Timestamp) -> bool {
        self.grace.is_some_and(|grace| grace <= now)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.grace
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        for request in std::mem::take(&mut self.asked).into_keys() {
            cx.context.cancel(request);
        }
    }

    pub(super) fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        let Some(server) = self.asked.remove(&request) else {
            return Round::Open;
        };
        match result {
            Ok(Answer::Fenced(head)) => self.heads.push((server, head)),
            Ok(_) => self.last_failure = format!("{} gave another answer", server.id()),
            Err(error) => {
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

    /// A server that is unavailable won't answer.
    pub(super) fn give_up_on(
        &mut self,
        server: &ServerId,
        reason: &str,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        let asked = self.asked.iter().find(|(_, asked)| asked.id() == *server);
        let Some(request) = asked.map(|(request, _)| *request) else {
            return Round::Open;
        };
        self.asked.remove(&request);
        self.last_failure = format!("{server} is unavailable: {reason}");
        cx.context.cancel(request);
        self.count(memory, cx)
    }

    /// Counts the votes: after a majority, the others have a little more time.
    pub(super) fn count(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) -> Round {
        if self.heads.len() + self.asked.len() < self.quorum {
            self.report_end(memory, cx);
            return Round::Failed(format!("no majority was fenced: {}", self.last_failure));
        }
        if self.heads.len() >= self.quorum {
            if self.asked.is_empty() {
                return self.choose(memory, cx);
            }
            self.grace = Some(cx.context.now.after(cx.context.timing.grace));
        }
        Round::Open
    }

    /// Chooses the member with the greatest head; among equals, one that serves, and then who leads
    /// the fewest shards. Nobody leads who has less than any responder, removed nodes included.
    pub(super) fn choose(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) -> Round {
        self.grace = None;
        let Some(shard) = memory.metadata(cx) else {
            return Round::Open;
        };
        let greatest = self.heads.iter().map(|(_, head)| *head).max();
        let winner = self
            .heads
            .iter()
            .filter(|(server, head)| shard.ensemble.contains(server) && Some(*head) == greatest)
            .min_by_key(|(server, _)| {
                let is_unavailable = cx.reach(server) == Reach::Unavailable;
                (is_unavailable, cx.leaders.count(&server.id()))
            });
        match winner {
            Some((winner, _)) => {
                self.report_end(memory, cx);
                Round::Won(winner.clone())
            }
            None if !self.asked.is_empty() => Round::Open,
            None => {
                let reason = "a removed node has more of the log than every member that answered";
                self.report_end(memory, cx);
                memory.blocked(reason, cx);
                Round::Failed(reason.to_owned())
            }
        }
    }

    fn report_end(&self, memory: &Memory, cx: &mut ShardContext<'_>) {
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
