//! Verification: a leader that answers as leader, in the stored term, is left alone.

use std::time::Duration;

use super::context::ShardContext;
use super::duty::{Next, Perform, Start};
use super::followers::Followers;
use super::intent::Intent;
use super::memory::Memory;
use crate::backoff::Backoff;
use crate::call::{Answer, CallError, CallErrorKind, ReplicaRole};
use crate::context::Context;
use crate::id::{RequestId, ServerId, Timestamp};
use crate::ledger::Durable;
use crate::report::Report;
use crate::server::Reach;

/// So many answers in a row are taken to be lost. Then one is waited for to the end, for only a failed one tells
/// anything of the leader.
const LOST_AT_MOST: u32 = 5;

/// The leader is being asked whether it leads.
#[derive(Clone, Debug)]
pub(super) struct Verification {
    request: Option<RequestId>,
    due: Option<Timestamp>,
    /// Since when no answer has come.
    failing: Option<Timestamp>,
    backoff: Backoff,
    /// It is to be asked once more: a member has been restarted since.
    again: bool,
    /// When it was asked last.
    asked: Timestamp,
    /// From then on the answer is taken to be lost: what is between the leader and us broke since it was asked.
    lost: Option<Timestamp>,
    /// How many were taken to be lost in a row.
    given_up: u32,
    followers: Followers,
}

impl Verification {
    pub(super) fn new(followers: Followers, due: Option<Timestamp>) -> Self {
        Self {
            request: None,
            due,
            failing: None,
            backoff: Backoff::default(),
            again: false,
            asked: Timestamp::default(),
            lost: None,
            given_up: 0,
            followers,
        }
    }

    /// Whether it has failed for as long as makes a server unavailable, though its health says
    /// otherwise.
    fn fails_for_too_long(&mut self, context: &Context) -> bool {
        let now = context.now;
        let since = *self.failing.get_or_insert(now);
        now.since(since) >= patience(context)
    }

    fn ask(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) -> Next {
        let shard = memory.metadata(cx);
        let Some(leader) = shard.as_ref().and_then(|shard| shard.leader.as_ref()) else {
            return Next::Stay;
        };
        if cx.reach(leader) == Reach::Unavailable {
            return Next::Elect(Start::AtOnce);
        }
        self.request = Some(memory.ask_status(leader, cx));
        self.due = None;
        self.asked = cx.context.now;
        self.again = false;
        self.lost = None;
        Next::Stay
    }

    /// What was asked may have been asked of a process, or over a connection, that is not there any more.
    fn doubt_the_answer(&mut self, context: &Context) {
        // Just after a connection broke the next one may have been there already.
        let is_late = context.now.since(self.asked) >= context.timing.reprobe_every;
        if self.request.is_some() && is_late && self.given_up < LOST_AT_MOST {
            self.lost = Some(self.asked.after(patience(context)));
        }
    }

    fn verified(
        &mut self,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        let Some(shard) = memory.metadata(cx) else {
            return Next::Stay;
        };
        match result {
            Ok(Answer::Status(status)) => {
                memory.note(status.term, cx);
                if status.role != ReplicaRole::Leader || status.term != shard.term {
                    return Next::Elect(Start::AtOnce);
                }
                self.failing = None;
                if std::mem::take(&mut self.again) {
                    return self.ask(memory, cx);
                }
                cx.context.report(Report::ShardVerified {
                    namespace: memory.namespace.clone(),
                    shard: memory.id,
                });
                self.followers.committed(status.commit_offset);
                memory.leads(status.term, status.head_offset);
                let committed = status.commit_offset.min(status.head_offset);
                memory.committed = memory.committed.max(committed);
                Next::Lead(std::mem::take(&mut self.followers))
            }
            // It does not lead what it does not have.
            Err(error)
                if matches!(
                    error.kind,
                    CallErrorKind::NotMember | CallErrorKind::NotInitialized
                ) =>
            {
                Next::Elect(Start::AtOnce)
            }
            // One lost packet is no cause.
            Ok(_) | Err(_) => {
                if self.fails_for_too_long(cx.context) {
                    return Next::Elect(Start::Later);
                }
                let timing = &cx.context.timing;
                let (first, most) = (timing.reconnect_first, timing.reconnect_most);
                self.due = Some(cx.context.wait(&mut self.backoff, first, most));
                Next::Stay
            }
        }
    }
}

/// How long a server may fail before it is taken to be unavailable.
fn patience(context: &Context) -> Duration {
    context.timing.probe_every * context.timing.probe_failures
}

impl Perform for Verification {
    fn begin(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        let shard = memory.metadata(cx);
        if let Some(leader) = shard.as_ref().and_then(|shard| shard.leader.as_ref()) {
            cx.leaders.set(memory.id, Some(leader.id()));
        }
        if self.due.is_some() {
            return Next::Stay;
        }
        self.ask(memory, cx)
    }

    fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        if self.request == Some(request) {
            self.request = None;
            self.lost = None;
            self.given_up = 0;
            return self.verified(result, memory, cx);
        }
        // While nobody is known to lead there is only the answer to keep.
        let _ = self.followers.answered(request, result, memory, cx);
        Next::Stay
    }

    fn persisted(&mut self, _: Durable<Intent>, _: &mut Memory, _: &mut ShardContext<'_>) -> Next {
        Next::Stay
    }

    fn time_passed(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        if self.due.is_some_and(|due| due <= cx.context.now) {
            return self.ask(memory, cx);
        }
        if self.lost.take_if(|at| *at <= cx.context.now).is_some()
            && let Some(lost) = self.request.take()
        {
            cx.context.cancel(lost);
            self.given_up += 1;
            return self.ask(memory, cx);
        }
        Next::Stay
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.due.or(self.lost)
    }

    fn server_running(
        &mut self,
        server: &ServerId,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        self.again |= self.followers.hurry(server, cx.context) && self.request.is_some();
        if memory.is_led_by(server, cx) {
            self.doubt_the_answer(cx.context);
        }
        if self.due.is_some() {
            return self.ask(memory, cx);
        }
        Next::Stay
    }

    fn server_unavailable(
        &mut self,
        server: &ServerId,
        _: &str,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        if memory.is_led_by(server, cx) {
            return Next::Elect(Start::AtOnce);
        }
        self.followers.look_at(server, cx.context.now);
        Next::Stay
    }

    fn doubted(
        &mut self,
        broken: Option<&ServerId>,
        memory: &Memory,
        cx: &ShardContext<'_>,
    ) -> Next {
        self.followers.doubt();
        self.again |= self.request.is_some();
        if broken.is_some_and(|broken| memory.is_led_by(broken, cx)) {
            self.doubt_the_answer(cx.context);
        }
        Next::Stay
    }

    fn is_settled(&self) -> bool {
        true
    }

    fn in_sync(&self) -> usize {
        self.followers.in_sync() + 1
    }

    fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        if let Some(request) = self.request.take() {
            cx.context.cancel(request);
        }
        self.followers.cancel(cx);
    }
}
