//! One follower, as far as its leader is concerned: asked what it is, fenced, taken in, caught up.
//!
//! A leader feeds a follower from a place that it keeps, its *cursor*, which only an election or an
//! answer of "not a member" on its own stream sets back. A replica without the shard must therefore
//! never be fenced in a term in which its leader may have a cursor for it: that takes the answer
//! away, and the leader then waits for ever for a log that is not there. It is left to its leader,
//! and if that does not help, to an election, after which the new leader has no cursor for it.
//!
//! In sync is what the leader feeds, as it has said itself, and whose log reaches the leader's commits. A
//! role says nothing of the log: a replica that something was cut off is a follower, whoever feeds it,
//! and may keep what its leader does not have.

mod answers;

use super::context::ShardContext;
use super::fence::{Fence, Was};
use super::memory::Memory;
use crate::backoff::Backoff;
use crate::call::{AddFollower, Call, EntryId, ReplicaStatus};
use crate::cluster::DataServerIdentity;
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
    /// It was not open when it was asked last, since its server is there.
    is_closed: bool,
    /// How often in a row its leader has refused it for a term.
    refusals: u32,
    /// It has become doubtful since what is under way was sent.
    doubtful: bool,
    /// It was to be cut off, and nothing was heard of that: it might be later, in this term, so it is not
    /// taken in before the next one.
    uncut: bool,
    /// Something was cut off it, and it was not fenced since: it may take for synced what it does not have.
    unlooked: bool,
    /// Nothing was heard of its leader since that was asked to take it in.
    unheard: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The leader replicates to it, and it has what the leader had committed.
    InSync,
    /// It is to be asked what it is, at this time.
    Due(Timestamp),
    /// It is being asked what it is.
    Asked(RequestId),
    /// It is not open, and being asked whether it was ever fenced.
    Probed(RequestId),
    /// It is this, in the leader's term: the leader has to be asked whether it feeds it.
    Unclaimed(ReplicaStatus),
    /// The leader is being asked whether it feeds it.
    Claimed(RequestId, ReplicaStatus),
    /// It has to be fenced in the leader's term.
    Unfenced(Was),
    /// It is being fenced.
    Fencing(RequestId, Fence),
    /// It is given a moment, until this time, and then fenced again.
    Resting(Timestamp, Fence),
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
    /// It was asked to take it in, and has not answered: that may yet come to it.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Go on with the follower.
    GoOn,
    /// A replica is in a higher term, or two lead in one, or it can't catch up: elect.
    Elect,
    /// This one has lost its disk, and only a new leader can feed it: elect, if that can be done
    /// without it.
    ElectWithout(ServerId),
    /// The leader's answer says that it may not lead: ask it.
    VerifyLeader,
}

impl Follower {
    /// One that its leader was told of when it was elected; whether it had the leader's whole log
    /// then. If not, it is looked at soon.
    pub(super) fn mapped(identity: DataServerIdentity, is_whole: bool) -> Self {
        let state = if is_whole {
            State::InSync
        } else {
            State::Due(Timestamp::default())
        };
        Self::with(identity, state, Cursor::Kept)
    }

    /// One whose `NewTerm` was still on its way when its leader was elected.
    pub(super) fn fencing(identity: DataServerIdentity, request: RequestId, fence: Fence) -> Self {
        Self::with(identity, State::Fencing(request, fence), Cursor::None)
    }

    /// One that was given a moment when its leader was elected, until this time.
    pub(super) fn resting(identity: DataServerIdentity, until: Timestamp, fence: Fence) -> Self {
        Self::with(identity, State::Resting(until, fence), Cursor::None)
    }

    /// One that was not there when its leader was elected, or was not needed. It is asked at this
    /// time.
    pub(super) fn left_out(identity: DataServerIdentity, at: Timestamp) -> Self {
        Self::with(identity, State::Due(at), Cursor::None)
    }

    /// Something may yet be cut off it in this term.
    pub(super) fn uncut(self) -> Self {
        Self {
            uncut: true,
            ..self
        }
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
            is_closed: false,
            refusals: 0,
            doubtful: false,
            uncut: false,
            unlooked: false,
            unheard: false,
        }
    }

    pub(super) fn is(&self, server: &ServerId) -> bool {
        self.identity.id() == *server
    }

    pub(super) fn is_in_sync(&self) -> bool {
        self.state == State::InSync
    }

    /// Look again, even if it was in sync.
    pub(super) fn doubt(&mut self) {
        self.distrust(Timestamp::default());
    }

    /// Its server is back, if this is its server: don't wait any longer, nor for what it was asked
    /// before. Returns whether it is to be asked.
    pub(super) fn hurry(&mut self, server: &ServerId, context: &mut Context) -> bool {
        if self.identity.id() != *server {
            return false;
        }
        match self.state {
            State::Asked(request) | State::Probed(request) | State::Claimed(request, _) => {
                context.cancel(request);
            }
            State::Fencing(request, fence) => {
                self.uncut |= fence.is_cutting();
                self.unlooked |= fence.has_cut();
                context.cancel(request);
            }
            State::Resting(_, fence) => self.unlooked |= fence.has_cut(),
            // In sync by what it said before it was away, or by what was committed then; or to be fenced,
            // though it may have lost its disk since.
            State::Due(_) | State::InSync | State::Unclaimed(_) | State::Unfenced(_) => {}
            State::Fenced(_) | State::Joining(..) => {
                self.doubtful = true;
                return false;
            }
        }
        self.state = State::Due(context.now);
        self.behind = None;
        self.is_closed = false;
        self.backoff.reset();
        true
    }

    /// Its server has lost its data, or is away, if this is its server: it is looked at again.
    pub(super) fn look_at(&mut self, server: &ServerId, now: Timestamp) {
        if self.identity.id() == *server {
            self.distrust(now);
        }
    }

    fn distrust(&mut self, at: Timestamp) {
        match self.state {
            State::InSync | State::Unfenced(_) => self.state = State::Due(at),
            State::Due(_) => {}
            State::Asked(_)
            | State::Probed(_)
            | State::Unclaimed(_)
            | State::Claimed(..)
            | State::Fencing(..)
            | State::Resting(..)
            | State::Fenced(_)
            | State::Joining(..) => self.doubtful = true,
        }
    }

    /// When it is to be asked.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Due(at) | State::Resting(at, _) => Some(at),
            State::InSync
            | State::Asked(_)
            | State::Probed(_)
            | State::Unclaimed(_)
            | State::Claimed(..)
            | State::Unfenced(_)
            | State::Fencing(..)
            | State::Fenced(_)
            | State::Joining(..) => None,
        }
    }

    /// The request that it waits for.
    pub(super) fn request(&self) -> Option<RequestId> {
        match self.state {
            State::Asked(request)
            | State::Probed(request)
            | State::Claimed(request, _)
            | State::Fencing(request, _)
            | State::Joining(request, _) => Some(request),
            State::InSync
            | State::Due(_)
            | State::Unclaimed(_)
            | State::Unfenced(_)
            | State::Resting(..)
            | State::Fenced(_) => None,
        }
    }

    /// Takes it one step further.
    pub(super) fn drive(
        &mut self,
        leader: &DataServerIdentity,
        term: Term,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) {
        if let State::Resting(until, mut fence) = self.state
            && until <= cx.context.now
        {
            let outcome = fence.rested(&self.identity, memory, cx);
            // Why it can't be fenced is nothing to its leader yet.
            let _ = self.went_on(outcome, term, fence, memory, cx);
            return;
        }
        let server = &self.identity;
        let is_due = match self.state {
            State::Due(at) => at <= cx.context.now,
            State::Unfenced(_) => true,
            State::InSync
            | State::Asked(_)
            | State::Probed(_)
            | State::Unclaimed(_)
            | State::Claimed(..)
            | State::Fencing(..)
            | State::Resting(..)
            | State::Fenced(_)
            | State::Joining(..) => false,
        };
        if is_due && cx.is_foreign(server) {
            self.retry(cx.context);
            return;
        }
        let add = |head| {
            Call::AddFollower(AddFollower {
                namespace: memory.namespace.clone(),
                shard: memory.id,
                term,
                follower: server.internal.clone(),
                head,
            })
        };
        self.state = match self.state {
            State::Due(at) if at <= cx.context.now => {
                self.doubtful = false;
                State::Asked(memory.ask_status(server, cx))
            }
            State::Unclaimed(status) => {
                // A leader that feeds it says so, whatever the head. Another one refuses a head of a
                // later term than its own, before it does anything.
                let offset = status.head_offset;
                let call = add(EntryId {
                    term: term.next(),
                    offset,
                });
                State::Claimed(memory.call(leader, call, cx), status)
            }
            State::Unfenced(was) => {
                let (request, fence) = Fence::begin(term, was, server, memory, cx);
                State::Fencing(request, fence)
            }
            State::Fenced(head) => {
                if self.cursor == Cursor::None {
                    self.cursor = Cursor::Asked;
                }
                State::Joining(memory.call(leader, add(head), cx), head)
            }
            other @ (State::InSync
            | State::Due(_)
            | State::Asked(_)
            | State::Probed(_)
            | State::Claimed(..)
            | State::Fencing(..)
            | State::Resting(..)
            | State::Joining(..)) => other,
        };
    }
}
