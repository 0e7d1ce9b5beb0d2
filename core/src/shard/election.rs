//! Election: wait for a majority that remembers, persist the term, fence the ensemble, promote the
//! best member, record it.

use super::attempt::failed;
use super::context::ShardContext;
use super::duty::{Next, Perform, Start};
use super::exchange::Exchange;
use super::fencing::{Fencing, voters};
use super::intent::Intent;
use super::memory::Memory;
use super::promotion::{Promotion, Recording};
use super::recall::Recall;
use crate::call::{Answer, CallError};
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::ledger::Durable;

/// An election, attempt by attempt, each in a greater term.
#[derive(Clone, Debug)]
pub(super) struct Election {
    pub(super) step: Step,
    /// A member has been restarted since the attempt began to fence: who leads is asked whether it
    /// does, and the others what they have.
    pub(super) doubtful: bool,
    /// Who is to take whose place, with the next term that is stored.
    pub(super) exchange: Option<Exchange>,
}

/// How far the attempt is.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// It is to begin.
    Beginning(Start),
    /// It begins once a majority runs, from `earliest` on. It is ripe once that has passed. Before,
    /// nothing is stored and no term rises: nobody could be elected.
    Waiting { earliest: Timestamp, ripe: bool },
    /// The voters are asked what they remember. Still nothing is stored.
    Recalling(Recall),
    /// The term is on its way to the store. A new shard then waits for a majority: its voters,
    /// which have nothing to remember, were not asked.
    Persisting { term: Term, recall: Option<Recall> },
    /// The term of a new shard is stored; fencing begins once a majority runs.
    Persisted { term: Durable<Term> },
    /// The ensemble is being fenced.
    Fencing(Box<Fencing>),
    /// The chosen one is told to lead.
    Promoting(Promotion),
    /// The leader is on its way to the store.
    Recording(Recording),
}

impl Election {
    pub(super) fn new(start: Start) -> Self {
        Self {
            step: Step::Beginning(start),
            doubtful: false,
            exchange: None,
        }
    }

    /// The first one of a new shard, whose creation and first term are on their way to the store.
    pub(super) fn created(term: Term) -> Self {
        let recall = None;
        Self {
            step: Step::Persisting { term, recall },
            doubtful: false,
            exchange: None,
        }
    }

    /// A server has lost its data: what it has said before does not hold any more.
    pub(super) fn server_emptied(&mut self, server: &ServerId, cx: &mut ShardContext<'_>) {
        match &mut self.step {
            Step::Recalling(recall)
            | Step::Persisting {
                recall: Some(recall),
                ..
            } => recall.forget(server, "it has lost its data", cx),
            Step::Fencing(fencing) => fencing.forget(server, cx),
            Step::Promoting(Promotion { followers, .. })
            | Step::Recording(Recording { followers, .. }) => {
                followers.look_at(server, cx.context.now);
            }
            Step::Beginning(_)
            | Step::Waiting { .. }
            | Step::Persisting { .. }
            | Step::Persisted { .. } => {}
        }
    }

    /// Whether it only waits for a majority to run.
    pub(super) fn awaits_majority(&self) -> bool {
        matches!(
            self.step,
            Step::Waiting { ripe: true, .. } | Step::Persisted { .. }
        )
    }
}

impl Perform for Election {
    fn begin(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        let Step::Beginning(start) = &self.step else {
            return Next::Stay;
        };
        let start = start.clone();
        cx.leaders.set(memory.id, None);
        match start {
            Start::AtOnce => {
                self.wait(cx.context.now);
                return self.go_on(memory, cx);
            }
            Start::Exchanging(exchange) => {
                self.exchange = Some(*exchange);
                self.wait(cx.context.now);
                return self.go_on(memory, cx);
            }
            Start::Later => {
                self.await_next_attempt(memory, cx);
            }
            Start::AfterFailure(reason) => {
                let earliest = self.await_next_attempt(memory, cx);
                failed(reason, earliest, memory, cx);
            }
        }
        Next::Stay
    }

    fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        match &mut self.step {
            Step::Recalling(recall)
            | Step::Persisting {
                recall: Some(recall),
                ..
            } => {
                let Some(shard) = memory.metadata(cx) else {
                    return Next::Stay;
                };
                let _ = recall.answered(request, result, &voters(&shard), memory, cx);
                self.recalled(memory, cx)
            }
            Step::Fencing(fencing) => {
                let round = fencing.answered(request, result, memory, cx);
                self.fenced(round, memory, cx)
            }
            Step::Promoting(promotion) if promotion.is_asked(request) => {
                match promotion.answered(result, memory, cx) {
                    Ok(recording) => {
                        if let Some(recording) = recording {
                            self.step = Step::Recording(recording);
                        }
                        Next::Stay
                    }
                    Err(error) => Next::Elect(Start::AfterFailure(error.to_string())),
                }
            }
            // Before the leader is stored there is only the answer to keep.
            Step::Promoting(Promotion { followers, .. })
            | Step::Recording(Recording { followers, .. }) => {
                let _ = followers.answered(request, result, memory, cx);
                Next::Stay
            }
            Step::Beginning(_)
            | Step::Waiting { .. }
            | Step::Persisting { .. }
            | Step::Persisted { .. } => Next::Stay,
        }
    }

    fn persisted(
        &mut self,
        durable: Durable<Intent>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        match *durable.fact() {
            Intent::Fence(term) => self.term_persisted(durable.map(|_| term), memory, cx),
            Intent::Promote(term) => self.beginning_persisted(term, memory, cx),
            Intent::Announce(term) => self.leader_persisted(durable.map(|_| term), memory, cx),
            Intent::Delete | Intent::Leave => Next::Stay,
        }
    }

    fn time_passed(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        match &mut self.step {
            Step::Waiting { .. } | Step::Persisted { .. } => self.go_on(memory, cx),
            Step::Recalling(recall) => {
                let Some(shard) = memory.metadata(cx) else {
                    return Next::Stay;
                };
                recall.ask_again(&voters(&shard), memory, cx);
                self.recalled(memory, cx)
            }
            Step::Fencing(fencing) => {
                let round = fencing.time_passed(memory, cx);
                self.fenced(round, memory, cx)
            }
            Step::Beginning(_)
            | Step::Persisting { .. }
            | Step::Promoting(_)
            | Step::Recording(_) => Next::Stay,
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        match &self.step {
            Step::Waiting {
                earliest,
                ripe: false,
            } => Some(*earliest),
            Step::Recalling(recall) => recall.deadline(),
            Step::Fencing(fencing) => fencing.deadline(),
            Step::Beginning(_)
            | Step::Waiting { .. }
            | Step::Persisting { .. }
            | Step::Persisted { .. }
            | Step::Promoting(_)
            | Step::Recording(_) => None,
        }
    }

    fn server_running(
        &mut self,
        server: &ServerId,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        // It may have another disk now.
        memory.undecided.remove(server);
        match &mut self.step {
            Step::Fencing(fencing) => fencing.ask_too(server, memory, cx),
            Step::Recalling(recall)
            | Step::Persisting {
                recall: Some(recall),
                ..
            } => {
                let shard = memory.metadata(cx);
                let voters = shard.as_ref().map(|shard| voters(shard));
                let voters = voters.into_iter().flatten();
                for voter in voters.filter(|voter| voter.id() == *server) {
                    recall.ask_too(voter, memory, cx);
                }
                return self.recalled(memory, cx);
            }
            Step::Beginning(_)
            | Step::Waiting { .. }
            | Step::Persisting { .. }
            | Step::Persisted { .. }
            | Step::Promoting(_)
            | Step::Recording(_) => return self.go_on(memory, cx),
        }
        Next::Stay
    }

    fn server_unavailable(
        &mut self,
        server: &ServerId,
        reason: &str,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        match &mut self.step {
            // It won't answer: it is not waited for.
            Step::Recalling(recall)
            | Step::Persisting {
                recall: Some(recall),
                ..
            } => {
                recall.forget(server, reason, cx);
                self.recalled(memory, cx)
            }
            Step::Fencing(fencing) => {
                let round = fencing.give_up_on(server, reason, memory, cx);
                self.fenced(round, memory, cx)
            }
            Step::Promoting(Promotion { leader, .. })
            | Step::Recording(Recording { leader, .. })
                if leader.id() == *server =>
            {
                memory.could_not_lead(server);
                let reason = format!("its new leader {server} is unavailable: {reason}");
                Next::Elect(Start::AfterFailure(reason))
            }
            Step::Promoting(promotion) => {
                promotion.followers.look_at(server, cx.context.now);
                match promotion.without(server, reason) {
                    Ok(()) => Next::Stay,
                    Err(reason) => {
                        memory.could_not_lead(&promotion.leader.id());
                        Next::Elect(Start::AfterFailure(reason))
                    }
                }
            }
            Step::Recording(Recording { followers, .. }) => {
                followers.look_at(server, cx.context.now);
                Next::Stay
            }
            Step::Beginning(_)
            | Step::Waiting { .. }
            | Step::Persisting { .. }
            | Step::Persisted { .. } => Next::Stay,
        }
    }

    fn doubted(&mut self, _: Option<&ServerId>, _: &Memory, _: &ShardContext<'_>) -> Next {
        self.doubtful = true;
        Next::Stay
    }

    fn is_settled(&self) -> bool {
        false
    }

    fn in_sync(&self) -> usize {
        0
    }

    fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        match &mut self.step {
            Step::Recalling(recall)
            | Step::Persisting {
                recall: Some(recall),
                ..
            } => recall.cancel(cx),
            Step::Fencing(fencing) => fencing.cancel(cx),
            Step::Promoting(promotion) => promotion.cancel(cx),
            Step::Recording(recording) => recording.followers.cancel(cx),
            Step::Beginning(_)
            | Step::Waiting { .. }
            | Step::Persisting { .. }
            | Step::Persisted { .. } => {}
        }
    }
}
