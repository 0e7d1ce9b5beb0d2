//! The steps of one attempt to elect, up to the leader that is stored.

use std::collections::BTreeSet;

use super::context::ShardContext;
use super::duty::{Next, Start};
use super::election::{Election, Step};
use super::exchange::go_back;
use super::fencing::{Fencing, Round, voters};
use super::intent::Intent;
use super::memory::Memory;
use super::promotion::Promotion;
use super::quorum::Quorum;
use super::recall::Recall;
use crate::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use crate::id::{ServerId, Term, Timestamp};
use crate::ledger::Durable;
use crate::report::Report;
use crate::server::Reach;

impl Election {
    /// Waits for the next attempt; returns when that is, at the earliest.
    pub(super) fn await_next_attempt(
        &mut self,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Timestamp {
        forget_failures(memory, cx);
        let timing = &cx.context.timing;
        let (first, most) = (timing.election_first, timing.election_most);
        let earliest = cx.context.wait(&mut memory.backoff, first, most);
        self.wait(earliest);
        earliest
    }

    pub(super) fn wait(&mut self, earliest: Timestamp) {
        let ripe = false;
        self.step = Step::Waiting { earliest, ripe };
    }

    /// Goes on from a wait, if there is no more cause to wait.
    pub(super) fn go_on(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        let now = cx.context.now;
        match &mut self.step {
            Step::Waiting { earliest, ripe } if *earliest <= now => {
                *ripe = true;
                if majority_runs(memory, cx) {
                    return self.recall(memory, cx);
                }
            }
            Step::Persisted { term } => {
                let term = *term;
                if majority_runs(memory, cx)
                    && let Some(shard) = memory.metadata(cx)
                {
                    let recall = Recall::needless(&shard);
                    return self.fence(term, recall, memory, cx);
                }
            }
            Step::Beginning(_)
            | Step::Waiting { .. }
            | Step::Recalling(_)
            | Step::Persisting { .. }
            | Step::Fencing(_)
            | Step::Promoting(_)
            | Step::Recording(_) => {}
        }
        Next::Stay
    }

    fn recall(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        let Some(shard) = memory.metadata(cx) else {
            return Next::Park(None);
        };
        let mut recall = Recall::begin(&voters(&shard), &shard, memory, cx);
        if self.exchange.is_some() {
            // Whoever leaves may be one of a majority that is not one of those that stay.
            recall.spare_nobody(&voters(&shard), memory, cx);
        }
        self.step = Step::Recalling(recall);
        self.recalled(memory, cx)
    }

    /// Goes on if a majority remembers. If that can't be had, people are told once who is waited
    /// for, and the others are asked again and again.
    pub(super) fn recalled(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        let (Step::Recalling(recall), Some(shard)) = (&mut self.step, memory.metadata(cx)) else {
            return Next::Stay;
        };
        recall.probe(&voters(&shard), memory, cx);
        let now = cx.context.now;
        let is_late = now.since(memory.began) >= cx.context.timing.reverify_every;
        let is_of_use = is_late
            || recall
                .remembering()
                .any(|id| !memory.undecided.contains(id));
        if recall.is_enough() && is_of_use {
            let recall = recall.clone();
            return self.persist(recall, memory, cx);
        }
        if !majority_runs(memory, cx) {
            recall.cancel(cx);
            let (earliest, ripe) = (cx.context.now, true);
            self.step = Step::Waiting { earliest, ripe };
            return Next::Stay;
        }
        if recall.pending() > 0 {
            return Next::Stay;
        }
        let retry = recall.wait(cx);
        if !recall.is_enough()
            && let Some(reason) = recall.news()
        {
            if recall.is_blocked() {
                memory.blocked(&reason, cx);
            } else {
                failed(reason, retry, memory, cx);
            }
        }
        Next::Stay
    }

    fn persist(
        &mut self,
        mut recall: Recall,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        let Some(shard) = memory.metadata(cx) else {
            return Next::Park(None);
        };
        let term = shard.term.max(memory.seen).next();
        if term <= shard.term || shard.ensemble.is_empty() {
            let reason = "it has no ensemble, or its term can't grow any more";
            return Next::Park(Some(reason));
        }
        let refresh = |servers: &[DataServerIdentity]| -> Vec<DataServerIdentity> {
            servers.iter().map(|server| cx.addressed(server)).collect()
        };
        let mut places = Places {
            ensemble: refresh(&shard.ensemble),
            removed_nodes: refresh(&shard.removed_nodes),
        };
        let newcomer = self.take_places(&mut places, &shard, memory, cx);
        forget_failures(memory, cx);
        memory.began = cx.context.now;
        memory.led.goes_beyond(shard.term, term);
        let beginnings = memory.led.kept(None);
        let last_leader = memory.last_leader();
        let (namespace, fence) = (&memory.namespace, Intent::Fence(term));
        let Places {
            ensemble,
            removed_nodes,
        } = places;
        cx.ledger.change(namespace, memory.id, fence, |shard| {
            if shard.was_led() {
                shard.status = ShardStatus::Election;
            } else {
                // Upstream's coordinator knows it as one that is to be elected, too.
                shard.status = ShardStatus::Unknown;
            }
            shard.term = term;
            shard.leader = None;
            shard.last_leader = last_leader;
            shard.ensemble = ensemble;
            shard.removed_nodes = removed_nodes;
            shard.beginnings = beginnings;
        });
        if let Some(shard) = memory.metadata(cx) {
            recall.goes_on_with(&shard, newcomer);
        }
        let recall = Some(recall);
        self.step = Step::Persisting { term, recall };
        Next::Stay
    }

    /// Who takes whose place with the term that is to be stored: as was asked for; or back, where that
    /// could not be led. Returns who comes anew.
    fn take_places(
        &mut self,
        places: &mut Places,
        shard: &ShardMetadata,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Option<ServerId> {
        let is_to_go_back = std::mem::take(&mut memory.goes_back);
        if let Some(exchange) = self.exchange.take() {
            match exchange.suits(shard, cx) {
                Ok(()) => {
                    memory.goes_back = true;
                    let to = exchange.to.named();
                    places.exchange(&exchange.from, to);
                    return Some(exchange.to.id());
                }
                Err(unfit) => memory.not_exchanged(&unfit, cx),
            }
        } else if is_to_go_back {
            go_back(&mut places.ensemble, &mut places.removed_nodes);
        }
        None
    }

    pub(super) fn term_persisted(
        &mut self,
        durable: Durable<Term>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        let Step::Persisting { term, recall } = &mut self.step else {
            return Next::Stay;
        };
        if *durable.fact() != *term {
            return Next::Stay;
        }
        match recall.take() {
            Some(recall) => self.fence(durable, recall, memory, cx),
            None => {
                self.step = Step::Persisted { term: durable };
                self.go_on(memory, cx)
            }
        }
    }

    fn fence(
        &mut self,
        term: Durable<Term>,
        recall: Recall,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        let Some(shard) = memory.metadata(cx) else {
            return Next::Stay;
        };
        self.doubtful = false;
        let mut fencing = Fencing::begin(term, recall, &shard, memory, cx);
        let round = fencing.count(memory, cx);
        self.step = Step::Fencing(Box::new(fencing));
        self.fenced(round, memory, cx)
    }

    /// Goes on with what has become of the round of fencing.
    pub(super) fn fenced(
        &mut self,
        round: Round,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        let winner = match round {
            Round::Open => return Next::Stay,
            Round::Failed(reason) => return Next::Elect(Start::AfterFailure(reason)),
            Round::Won(winner) => winner,
        };
        let (Step::Fencing(fencing), Some(shard)) = (&mut self.step, memory.metadata(cx)) else {
            return Next::Stay;
        };
        if !fencing.is_recorded(&winner, memory) {
            fencing.record(&winner, memory, cx);
            return Next::Stay;
        }
        let promotion = Promotion::begin(fencing, &shard, winner, memory, cx);
        self.step = Step::Promoting(promotion);
        Next::Stay
    }

    /// With what the chosen one begins is stored; others may have been heard of meanwhile.
    pub(super) fn beginning_persisted(
        &mut self,
        term: Term,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        let Step::Fencing(fencing) = &mut self.step else {
            return Next::Stay;
        };
        let round = fencing.recorded(term, memory, cx);
        self.fenced(round, memory, cx)
    }

    pub(super) fn leader_persisted(
        &mut self,
        durable: Durable<Term>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        let Step::Recording(recording) = &mut self.step else {
            return Next::Stay;
        };
        if *durable.fact() != recording.term {
            return Next::Stay;
        }
        cx.context.report(Report::Elected {
            namespace: memory.namespace.clone(),
            shard: memory.id,
            term: recording.term,
            leader: recording.leader.id(),
            took: cx.context.now.since(memory.began),
        });
        memory.elected = cx.context.now;
        if memory.is_misaddressed(cx) {
            return Next::Elect(Start::AtOnce);
        }
        let mut followers = std::mem::take(&mut recording.followers);
        if cx.reach(&recording.leader) == Reach::Unavailable {
            // Nothing more is heard of a server that stays so.
            let later = cx.context.now.after(cx.context.timing.reconnect_most);
            return Next::Verify(followers, Some(later));
        }
        if self.doubtful {
            followers.doubt();
            return Next::Verify(followers, None);
        }
        Next::Lead(followers)
    }
}

/// Who is to replicate a shard, and whose place was taken.
struct Places {
    ensemble: Vec<DataServerIdentity>,
    removed_nodes: Vec<DataServerIdentity>,
}

impl Places {
    /// The one who comes is the last of the ensemble: by that it is known who it was.
    fn exchange(&mut self, from: &ServerId, to: DataServerIdentity) {
        if let Some(at) = self.ensemble.iter().position(|it| it.id() == *from) {
            let removed = self.ensemble.remove(at);
            self.removed_nodes.push(removed);
            self.ensemble.push(to);
        }
    }
}

/// Says that nobody can be elected yet.
pub(super) fn failed(reason: String, retry: Timestamp, memory: &Memory, cx: &mut ShardContext<'_>) {
    let shard = memory.metadata(cx);
    cx.context.report(Report::ElectionFailed {
        namespace: memory.namespace.clone(),
        shard: memory.id,
        term: shard.map_or(Term::NEVER, |shard| shard.term),
        reason,
        retry_after: retry.since(cx.context.now),
    });
}

/// A shard that was led for a while starts again from the shortest wait.
fn forget_failures(memory: &mut Memory, cx: &ShardContext<'_>) {
    let succeeded = memory.elected >= memory.began;
    if succeeded && cx.context.now.since(memory.elected) >= cx.context.timing.lease {
        memory.backoff.reset();
    }
}

fn majority_runs(memory: &Memory, cx: &ShardContext<'_>) -> bool {
    let Some(shard) = memory.metadata(cx) else {
        return false;
    };
    let voters = voters(&shard);
    let running = voters.iter().filter(|it| cx.reach(it) == Reach::Running);
    let running: BTreeSet<ServerId> = running.map(|server| server.id()).collect();
    Quorum::of(&shard).is_met(|id| running.contains(id))
}
