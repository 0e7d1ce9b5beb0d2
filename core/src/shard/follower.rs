//! One follower, as far as its leader is concerned: asked what it is, fenced, taken in, caught up.
//!
//! A leader feeds a follower from a place that it keeps, its *cursor*, which only an election or an
//! answer of "not a member" on its own stream sets back. A replica without the shard must therefore
//! never be fenced in a term in which its leader may have a cursor for it: that takes the answer
//! away, and the leader then waits for ever for a log that is not there. It is left to its leader,
//! and if that does not help, to an election, after which the new leader has no cursor for it.
//!
//! In sync is what the leader has said it took in, or whose log reaches the leader's commits. A role
//! says nothing of the log.

use super::context::ShardContext;
use super::memory::Memory;
use crate::backoff::Backoff;
use crate::call::{
    AddFollower, Answer, Call, CallError, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus,
};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::context::Context;
use crate::id::{RequestId, ServerId, Term, Timestamp};

#[derive(Clone, Debug)]
pub(super) struct Follower {
    identity: DataServerIdentity,
    state: State,
    cursor: Cursor,
    backoff: Backoff,
    /// Since when it has been behind, and how far it was then.
    behind: Option<Behind>,
    /// How often in a row its leader has refused it for a term.
    refusals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The leader replicates to it, and it has what the leader had committed.
    InSync,
    /// It is to be asked what it is, at this time.
    Due(Timestamp),
    /// It is being asked what it is.
    Asked(RequestId),
    /// It has to be fenced in the leader's term.
    Unfenced,
    /// It is being fenced.
    Fencing(RequestId),
    /// It is fenced, and this is its head: the leader may take it in.
    Fenced(EntryId),
    /// The leader is taking it in, from this head on.
    Joining(RequestId, EntryId),
}

/// Whether its leader has a cursor for it, in the present term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cursor {
    /// It has: it was told of it when it was elected, or has taken it in since.
    Kept,
    /// It was asked to take it in, and has not answered.
    Asked,
    /// It was elected in an earlier tenure: it may have one.
    Unknown,
    /// It has none.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Behind {
    since: Timestamp,
    head_offset: i64,
}

/// What a follower's answer means for the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Go on with the follower.
    GoOn,
    /// A replica is in a higher term, or two lead in one, or it can't catch up: elect.
    Elect(Term),
    /// The leader's answer says that it may not lead: ask it.
    VerifyLeader,
}

impl Follower {
    /// One that its leader was told of when it was elected.
    pub(super) fn mapped(identity: DataServerIdentity) -> Self {
        Self::with(identity, State::InSync, Cursor::Kept)
    }

    /// One whose `NewTerm` was still on its way when its leader was elected.
    pub(super) fn fencing(identity: DataServerIdentity, request: RequestId) -> Self {
        Self::with(identity, State::Fencing(request), Cursor::None)
    }

    /// One that was not there when its leader was elected.
    pub(super) fn left_out(identity: DataServerIdentity) -> Self {
        Self::with(identity, State::Due(Timestamp::default()), Cursor::None)
    }

    /// One of a leader of an earlier tenure.
    pub(super) fn found(identity: DataServerIdentity) -> Self {
        Self::with(identity, State::Due(Timestamp::default()), Cursor::Unknown)
    }

    fn with(identity: DataServerIdentity, state: State, cursor: Cursor) -> Self {
        Self {
            identity,
            state,
            cursor,
            backoff: Backoff::default(),
            behind: None,
            refusals: 0,
        }
    }

    pub(super) fn is_in_sync(&self) -> bool {
        self.state == State::InSync
    }

    /// Look again, even if it was in sync.
    pub(super) fn doubt(&mut self) {
        if self.state == State::InSync {
            self.state = State::Due(Timestamp::default());
        }
    }

    /// Its server is back, if this is its server: don't wait any longer, nor for what it was asked
    /// before.
    pub(super) fn hurry(&mut self, server: &ServerId, context: &mut Context) {
        if self.identity.id() != *server {
            return;
        }
        match self.state {
            State::Asked(request) | State::Fencing(request) => context.cancel(request),
            State::Due(_) => {}
            State::InSync | State::Unfenced | State::Fenced(_) | State::Joining(..) => return,
        }
        self.state = State::Due(context.now);
        self.backoff.reset();
    }

    /// Its server has lost its data, if this is its server: it is looked at now.
    pub(super) fn emptied(&mut self, server: &ServerId, now: Timestamp) {
        if self.state == State::InSync && self.identity.id() == *server {
            self.state = State::Due(now);
        }
    }

    /// When it is to be asked.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Due(at) => Some(at),
            State::InSync
            | State::Asked(_)
            | State::Unfenced
            | State::Fencing(_)
            | State::Fenced(_)
            | State::Joining(..) => None,
        }
    }

    /// The request that it waits for.
    pub(super) fn request(&self) -> Option<RequestId> {
        match self.state {
            State::Asked(request) | State::Fencing(request) | State::Joining(request, _) => {
                Some(request)
            }
            State::InSync | State::Due(_) | State::Unfenced | State::Fenced(_) => None,
        }
    }

    /// Takes it one step further. A leader that began with no log, `from_nothing`, feeds it all that
    /// it has.
    pub(super) fn drive(
        &mut self,
        leader: &DataServerIdentity,
        term: Term,
        from_nothing: bool,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        let server = &self.identity;
        let is_due = match self.state {
            State::Due(at) => at <= cx.context.now,
            State::Unfenced => true,
            State::InSync
            | State::Asked(_)
            | State::Fencing(_)
            | State::Fenced(_)
            | State::Joining(..) => false,
        };
        if is_due && cx.is_foreign(server) {
            self.retry(cx.context);
            return;
        }
        self.state = match self.state {
            State::Due(at) if at <= cx.context.now => State::Asked(memory.ask_status(server, cx)),
            State::Unfenced => State::Fencing(memory.send_new_term(term, server, cx)),
            State::Fenced(head) => {
                let head = if from_nothing { EntryId::NONE } else { head };
                let call = Call::AddFollower(AddFollower {
                    namespace: memory.namespace.clone(),
                    shard: memory.id,
                    term,
                    follower: server.internal.clone(),
                    head,
                });
                if self.cursor == Cursor::None {
                    self.cursor = Cursor::Asked;
                }
                State::Joining(memory.call(leader, call, cx), head)
            }
            other @ (State::InSync
            | State::Due(_)
            | State::Asked(_)
            | State::Fencing(_)
            | State::Joining(..)) => other,
        };
    }

    /// Takes in the answer that it waits for. The leader had committed up to `committed`.
    pub(super) fn answered(
        &mut self,
        result: Result<Answer, CallError>,
        shard: &ShardMetadata,
        committed: i64,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Meaning {
        match self.state {
            State::Asked(_) => self.asked(result, shard, committed, memory, cx.context),
            State::Fencing(_) => match self.fenced(result, cx.context) {
                Some(CallErrorKind::InvalidTerm) => {
                    memory.learn(&self.identity, cx);
                    Meaning::GoOn
                }
                // It leads in this very term, too.
                Some(CallErrorKind::InvalidStatus) => Meaning::Elect(shard.term),
                Some(_) | None => Meaning::GoOn,
            },
            State::Joining(_, head) => self.added(result, shard, head, committed, cx.context),
            State::InSync | State::Due(_) | State::Unfenced | State::Fenced(_) => Meaning::GoOn,
        }
    }

    fn asked(
        &mut self,
        result: Result<Answer, CallError>,
        shard: &ShardMetadata,
        committed: i64,
        memory: &Memory,
        context: &mut Context,
    ) -> Meaning {
        let status = match result {
            Ok(Answer::Status(status)) => status,
            Err(error) if error.kind == CallErrorKind::NotMember => {
                return self.not_open(shard, context);
            }
            Ok(_) | Err(_) => {
                self.retry(context);
                return Meaning::GoOn;
            }
        };
        if is_ahead(&status, shard) {
            self.retry(context);
            let is_plausible = memory.is_plausible(status.term, shard.term, context);
            return if is_plausible {
                Meaning::Elect(status.term)
            } else {
                Meaning::GoOn
            };
        }
        if status.has_forgotten() {
            return self.forgotten(shard, context);
        }
        if status.term < shard.term {
            // It has not been fenced in this term, or does not know of it any more.
            if self.cursor == Cursor::Kept {
                return self.behind(EntryId::NONE.offset, shard, context);
            }
            self.state = State::Unfenced;
            return Meaning::GoOn;
        }
        match (status.role, self.cursor) {
            (ReplicaRole::NotMember, _) => self.forgotten(shard, context),
            // Nobody feeds it, or that is not known: fenced again it can be taken in, again.
            (_, Cursor::None | Cursor::Asked) | (ReplicaRole::Fenced, Cursor::Unknown) => {
                self.state = State::Unfenced;
                Meaning::GoOn
            }
            // A follower stays fenced until its first append: it may only be idle.
            (
                ReplicaRole::Fenced | ReplicaRole::Follower | ReplicaRole::Leader,
                Cursor::Kept | Cursor::Unknown,
            ) => self.judge(status.head_offset, committed, shard, context),
        }
    }

    /// The replica is not open: its server was restarted, or has lost its disk, which looks alike.
    fn not_open(&mut self, shard: &ShardMetadata, context: &mut Context) -> Meaning {
        match self.cursor {
            Cursor::None => {
                self.state = State::Unfenced;
                Meaning::GoOn
            }
            Cursor::Kept | Cursor::Asked | Cursor::Unknown => {
                self.behind(EntryId::NONE.offset, shard, context)
            }
        }
    }

    /// The replica is open, and has never been fenced: its server has lost its disk. Its leader
    /// tries in vain to feed it; a new leader, which has no cursor for it, can.
    fn forgotten(&mut self, shard: &ShardMetadata, context: &mut Context) -> Meaning {
        if self.cursor == Cursor::None {
            self.state = State::Unfenced;
            return Meaning::GoOn;
        }
        self.retry(context);
        Meaning::Elect(shard.term)
    }

    fn judge(
        &mut self,
        head_offset: i64,
        committed: i64,
        shard: &ShardMetadata,
        context: &mut Context,
    ) -> Meaning {
        if head_offset >= committed {
            self.has_caught_up();
            return Meaning::GoOn;
        }
        self.behind(head_offset, shard, context)
    }

    /// It is left to its leader, for as long as it comes nearer.
    fn behind(
        &mut self,
        head_offset: i64,
        shard: &ShardMetadata,
        context: &mut Context,
    ) -> Meaning {
        self.retry(context);
        let since = context.now;
        match self.behind {
            Some(behind) if head_offset <= behind.head_offset => {
                if since.since(behind.since) >= context.timing.catch_up {
                    return Meaning::Elect(shard.term);
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
        context: &mut Context,
    ) -> Option<CallErrorKind> {
        if let Ok(Answer::Fenced(head)) = result {
            self.state = State::Fenced(head);
            return None;
        }
        self.retry(context);
        result.err().map(|error| error.kind)
    }

    fn added(
        &mut self,
        result: Result<Answer, CallError>,
        shard: &ShardMetadata,
        head: EntryId,
        committed: i64,
        context: &mut Context,
    ) -> Meaning {
        let error = match result {
            Ok(Answer::FollowerAdded) => {
                // Also the answer for a follower that it had before, whatever has become of that.
                self.refusals = 0;
                if std::mem::replace(&mut self.cursor, Cursor::Kept) != Cursor::Unknown {
                    self.has_caught_up();
                    return Meaning::GoOn;
                }
                return self.judge(head.offset, committed, shard, context);
            }
            Ok(_) => {
                self.retry(context);
                return Meaning::GoOn;
            }
            Err(error) => error,
        };
        self.retry(context);
        match error.kind {
            // The first time the leader may have moved on. If it has not, then the follower's log
            // ends in a later term than the leader's began with: only an election in which it takes
            // part brings it back.
            CallErrorKind::InvalidTerm if self.refusals > 0 => Meaning::Elect(shard.term),
            CallErrorKind::InvalidTerm => {
                self.refusals = self.refusals.saturating_add(1);
                Meaning::VerifyLeader
            }
            CallErrorKind::InvalidStatus | CallErrorKind::NotLeader | CallErrorKind::NotMember => {
                Meaning::VerifyLeader
            }
            CallErrorKind::NotInitialized
            | CallErrorKind::Refused
            | CallErrorKind::Unimplemented
            | CallErrorKind::TimedOut
            | CallErrorKind::Unreachable
            | CallErrorKind::Other => Meaning::GoOn,
        }
    }

    fn has_caught_up(&mut self) {
        self.state = State::InSync;
        self.behind = None;
        self.refusals = 0;
        self.backoff.reset();
    }

    fn retry(&mut self, context: &mut Context) {
        let (first, most) = (context.timing.follower_first, context.timing.follower_most);
        self.state = State::Due(context.wait(&mut self.backoff, first, most));
    }
}

/// Whether the replica is in a higher term, or leads beside the stored leader.
fn is_ahead(status: &ReplicaStatus, shard: &ShardMetadata) -> bool {
    status.term > shard.term || (status.term == shard.term && status.role == ReplicaRole::Leader)
}
