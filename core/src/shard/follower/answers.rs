//! What a follower's answers mean.

use super::{Behind, Cursor, Follower, Meaning, State};
use crate::call::{Answer, CallError, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus};
use crate::cluster::ShardMetadata;
use crate::context::Context;
use crate::id::{Term, Timestamp};
use crate::shard::context::ShardContext;
use crate::shard::fence::{Fence, Outcome, Was};
use crate::shard::led::Fit;
use crate::shard::memory::Memory;
use crate::shard::recall::was_fenced;

impl Follower {
    /// Takes in the answer that it waits for. The leader had committed up to `committed`.
    pub(in crate::shard) fn answered(
        &mut self,
        result: Result<Answer, CallError>,
        shard: &ShardMetadata,
        committed: i64,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Meaning {
        match self.state {
            State::Asked(_) => self.asked(result, shard, committed, memory, cx),
            State::Probed(_) => self.probed(result, cx.context),
            State::Fencing(_, fence) => match self.fenced(result, shard.term, fence, memory, cx) {
                Some(CallErrorKind::InvalidTerm) => {
                    memory.learn(&self.identity, cx);
                    Meaning::GoOn
                }
                // It leads in this very term, too.
                Some(CallErrorKind::InvalidStatus) => Meaning::Elect,
                Some(_) | None => Meaning::GoOn,
            },
            State::Claimed(_, status) => self.claimed(result, status, memory, cx),
            State::Joining(_, head) => {
                self.added(result, (shard.term, head), committed, memory, cx)
            }
            State::InSync
            | State::Due(_)
            | State::Unclaimed(_)
            | State::Unfenced(_)
            | State::Resting(..)
            | State::Fenced(_) => Meaning::GoOn,
        }
    }

    fn asked(
        &mut self,
        result: Result<Answer, CallError>,
        shard: &ShardMetadata,
        committed: i64,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Meaning {
        let status = match result {
            Ok(Answer::Status(status)) => status,
            Err(error) if error.kind == CallErrorKind::NotMember => {
                return self.not_open(memory, cx);
            }
            Ok(_) | Err(_) => {
                self.retry(cx.context);
                return Meaning::GoOn;
            }
        };
        let is_plausible = memory.note(status.term, cx);
        let context = &mut *cx.context;
        if is_ahead(&status, shard) {
            self.retry(context);
            return if is_plausible {
                Meaning::Elect
            } else {
                Meaning::GoOn
            };
        }
        if status.has_forgotten() {
            self.uncut = false;
            return self.forgotten(context);
        }
        self.is_closed = false;
        if self.uncut {
            return self.behind(EntryId::NONE.offset, context);
        }
        if status.term < shard.term {
            // It has not been fenced in this term, or does not know of it any more.
            if self.cursor == Cursor::Kept {
                return self.behind(EntryId::NONE.offset, context);
            }
            self.state = State::Unfenced(Was::of(&status));
            return Meaning::GoOn;
        }
        match self.cursor {
            // Fenced again it can be taken in, again.
            Cursor::None => self.state = State::Unfenced(Was::of(&status)),
            // Whoever fenced it may not have looked at what it has.
            Cursor::Asked | Cursor::Unknown
                if status.role == ReplicaRole::Fenced || self.unlooked =>
            {
                self.state = State::Unfenced(Was::of(&status));
            }
            // A `NewTerm` would end the stream on which it may be fed.
            Cursor::Asked | Cursor::Unknown => self.state = State::Unclaimed(status),
            // A follower stays fenced until its first append: it may only be idle.
            Cursor::Kept => return self.judge(status.head_offset, committed, context),
        }
        Meaning::GoOn
    }

    /// The leader was asked whether it feeds it.
    fn claimed(
        &mut self,
        result: Result<Answer, CallError>,
        status: ReplicaStatus,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Meaning {
        let context = &mut *cx.context;
        match result {
            Ok(Answer::FollowerAdded) => {
                self.is_taken_in(memory);
                // It may have been cut off since it said what it has.
                self.state = State::Due(context.now);
            }
            Ok(_) => self.retry(context),
            Err(error) => match error.kind {
                // That it was asked to take it in may yet come to it.
                CallErrorKind::InvalidTerm => {
                    self.unheard = true;
                    self.cursor = Cursor::Asked;
                    self.state = if self.doubtful {
                        State::Due(context.now)
                    } else {
                        State::Unfenced(Was::of(&status))
                    };
                }
                // It may have as many others as it can have: then only an election helps.
                CallErrorKind::Other => return self.behind(EntryId::NONE.offset, context),
                CallErrorKind::InvalidStatus
                | CallErrorKind::NotLeader
                | CallErrorKind::NotMember => {
                    self.retry(context);
                    return Meaning::VerifyLeader;
                }
                CallErrorKind::NotInitialized
                | CallErrorKind::Refused
                | CallErrorKind::Unimplemented
                | CallErrorKind::TimedOut
                | CallErrorKind::Unreachable => self.retry(context),
            },
        }
        Meaning::GoOn
    }

    /// The replica is not open: its server was restarted, or has lost its disk, which looks alike.
    /// Where it may be fed, it is left to its leader for a moment, which opens it as a follower; then
    /// it is asked whether it was ever fenced, which opens it as if it were to lead.
    fn not_open(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) -> Meaning {
        // What was on its way to it, when it was to be cut off, has ended with the server that it was.
        self.uncut = false;
        self.state = match self.cursor {
            Cursor::None => State::Unfenced(Was::Opened),
            Cursor::Kept | Cursor::Asked | Cursor::Unknown => {
                if !std::mem::replace(&mut self.is_closed, true) {
                    self.retry(cx.context);
                    return Meaning::GoOn;
                }
                if !memory.is_spared(&self.identity.id(), cx) {
                    // Nobody could be elected without it. The question would open it, and then its
                    // leader could not feed it any more.
                    return self.behind(EntryId::NONE.offset, cx.context);
                }
                State::Probed(memory.send_new_term(Term::NEVER, &self.identity, cx))
            }
        };
        Meaning::GoOn
    }

    fn probed(&mut self, result: Result<Answer, CallError>, context: &mut Context) -> Meaning {
        match was_fenced(&result) {
            Some(false) => self.forgotten(context),
            // Its leader's stream opens it as a follower again.
            Some(true) | None => self.behind(EntryId::NONE.offset, context),
        }
    }

    /// The replica is open, and has never been fenced: its server has lost its disk. Its leader
    /// tries in vain to feed it; a new leader, which has no cursor for it, can.
    fn forgotten(&mut self, context: &mut Context) -> Meaning {
        if self.cursor == Cursor::None {
            self.state = State::Unfenced(Was::New);
            return Meaning::GoOn;
        }
        self.retry(context);
        Meaning::ElectWithout(self.identity.id())
    }

    fn judge(&mut self, head_offset: i64, committed: i64, context: &mut Context) -> Meaning {
        if head_offset >= committed {
            self.has_caught_up();
            return Meaning::GoOn;
        }
        self.behind(head_offset, context)
    }

    /// It is left to its leader, for as long as it comes nearer.
    fn behind(&mut self, head_offset: i64, context: &mut Context) -> Meaning {
        self.retry(context);
        let since = context.now;
        match self.behind {
            Some(behind) if head_offset <= behind.head_offset => {
                if since.since(behind.since) >= context.timing.catch_up {
                    return Meaning::Elect;
                }
            }
            Some(_) | None => self.behind = Some(Behind { since, head_offset }),
        }
        Meaning::GoOn
    }

    /// Returns why it was not fenced, if it was not.
    fn fenced(
        &mut self,
        result: Result<Answer, CallError>,
        term: Term,
        mut fence: Fence,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Option<CallErrorKind> {
        self.uncut |= fence.may_yet_be_cut(&result);
        let outcome = fence.answered(result, &self.identity, memory, cx);
        self.went_on(outcome, term, fence, memory, cx)
    }

    /// What has become of it while it is being fenced. Returns why it was not, if it was not.
    pub(super) fn went_on(
        &mut self,
        outcome: Outcome,
        term: Term,
        fence: Fence,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Option<CallErrorKind> {
        match outcome {
            Outcome::Asks(request) => {
                self.state = State::Fencing(request, fence);
                return None;
            }
            Outcome::Rests(until) => {
                self.state = State::Resting(until, fence);
                return None;
            }
            Outcome::Fenced(_) => self.unlooked = false,
            Outcome::Failed(_) => self.unlooked |= fence.has_cut(),
        }
        if let Outcome::Fenced(head) = outcome
            && head.is_of_a_log_before(term.next())
        {
            // Its leader would take it in, with an entry that it does not have itself.
            let id = self.identity.id();
            let fit = memory.fit(term, head);
            let is_left_out = match fit {
                Fit::Differs | Fit::GivenUp => true,
                Fit::Parted => memory.is_spared_beside(&id, cx),
                Fit::Fits | Fit::Refuses | Fit::Unknown => false,
            };
            if is_left_out {
                memory.leave_out(&id, fit, cx);
                self.retry(cx.context);
            } else {
                self.state = State::Fenced(head);
            }
            return None;
        }
        self.retry(cx.context);
        match outcome {
            Outcome::Failed(error) => Some(error.kind),
            Outcome::Asks(_) | Outcome::Rests(_) | Outcome::Fenced(_) => None,
        }
    }

    fn added(
        &mut self,
        result: Result<Answer, CallError>,
        (term, head): (Term, EntryId),
        committed: i64,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Meaning {
        let error = match result {
            Ok(Answer::FollowerAdded) => {
                // Also the answer for a follower that it had before, whatever has become of that:
                // the log shows whether it has caught up.
                self.is_taken_in(memory);
                if !memory.is_part(term, head) {
                    // How much of it was cut off is seen later.
                    return self.behind(EntryId::NONE.offset, cx.context);
                }
                return self.judge(head.offset, committed, cx.context);
            }
            Ok(_) => {
                self.retry(cx.context);
                return Meaning::GoOn;
            }
            Err(error) => error,
        };
        self.unheard |= error.kind.is_unheard();
        if !self.unheard && self.cursor == Cursor::Asked {
            self.cursor = Cursor::None;
        }
        self.retry(cx.context);
        match error.kind {
            // The first time the leader may have moved on. If it has not, then the follower's log
            // ends in a later term than the leader's began with: only an election in which it takes
            // part brings it back. Where it lacks what is committed, it could not lead, and does not
            // follow while the leader's log ends no later: that was tried when the leader was made,
            // or is of no use where nobody else could follow.
            CallErrorKind::InvalidTerm if self.refusals > 0 => {
                let fit = memory.fit(term, head);
                if !fit.is_possible() {
                    memory.leave_out(&self.identity.id(), fit, cx);
                    return Meaning::VerifyLeader;
                }
                let lacks = head.offset < committed || memory.is_left(head, -1);
                let is_made_here = memory.has_made_a_leader;
                let waits = is_made_here || !memory.is_spared(&self.identity.id(), cx);
                let is_passed_over = memory.has_failed(&self.identity.id());
                let has_written = memory.ends_at > memory.ended_at_first;
                if (is_passed_over || lacks && waits) && !has_written {
                    Meaning::VerifyLeader
                } else if cx.is_away(&self.identity) {
                    // It would not be asked.
                    Meaning::GoOn
                } else {
                    Meaning::Elect
                }
            }
            CallErrorKind::InvalidTerm => {
                self.refusals = self.refusals.saturating_add(1);
                Meaning::VerifyLeader
            }
            CallErrorKind::InvalidStatus | CallErrorKind::NotLeader | CallErrorKind::NotMember => {
                Meaning::VerifyLeader
            }
            CallErrorKind::Other => {
                if memory.fit(term, head) == Fit::Refuses {
                    memory.leave_out(&self.identity.id(), Fit::Refuses, cx);
                }
                Meaning::GoOn
            }
            CallErrorKind::NotInitialized
            | CallErrorKind::Refused
            | CallErrorKind::Unimplemented
            | CallErrorKind::TimedOut
            | CallErrorKind::Unreachable => Meaning::GoOn,
        }
    }

    fn is_taken_in(&mut self, memory: &mut Memory) {
        self.refusals = 0;
        self.behind = None;
        self.cursor = Cursor::Kept;
        memory.left_out.remove(&self.identity.id());
        memory.failed.remove(&self.identity.id());
    }

    fn has_caught_up(&mut self) {
        self.state = if std::mem::take(&mut self.doubtful) {
            State::Due(Timestamp::default())
        } else {
            State::InSync
        };
        self.behind = None;
        self.refusals = 0;
        self.backoff.reset();
    }

    pub(super) fn retry(&mut self, context: &mut Context) {
        let (first, most) = (context.timing.follower_first, context.timing.follower_most);
        self.state = State::Due(context.wait(&mut self.backoff, first, most));
    }
}

/// Whether the replica is in a higher term, or leads beside the stored leader.
fn is_ahead(status: &ReplicaStatus, shard: &ShardMetadata) -> bool {
    status.term > shard.term || (status.term == shard.term && status.role == ReplicaRole::Leader)
}
