//! One follower, as far as its leader is concerned: asked what it is, fenced, taken in.

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
    backoff: Backoff,
    /// Whether this tenure has seen its leader take it in.
    joined_before: bool,
    /// How often in a row its leader has refused it for a term.
    refusals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The leader replicates to it.
    Joined,
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
    /// The leader is taking it in.
    Joining(RequestId),
}

/// What a follower's answer means for the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Go on with the follower.
    GoOn,
    /// A replica is in a higher term, or two lead in one: elect.
    Elect(Term),
    /// The leader's answer says that it may not lead: ask it.
    VerifyLeader,
}

impl Follower {
    pub(super) fn joined(identity: DataServerIdentity) -> Self {
        Self {
            joined_before: true,
            ..Self::with(identity, State::Joined)
        }
    }

    pub(super) fn fencing(identity: DataServerIdentity, request: RequestId) -> Self {
        Self::with(identity, State::Fencing(request))
    }

    pub(super) fn lost(identity: DataServerIdentity) -> Self {
        Self::with(identity, State::Due(Timestamp::default()))
    }

    fn with(identity: DataServerIdentity, state: State) -> Self {
        Self {
            identity,
            state,
            backoff: Backoff::default(),
            joined_before: false,
            refusals: 0,
        }
    }

    /// Look again, even if it has joined.
    pub(super) fn doubt(&mut self) {
        if self.state == State::Joined {
            self.state = State::Due(Timestamp::default());
        }
    }

    /// Its server is back, if this is its server: don't wait any longer.
    pub(super) fn hurry(&mut self, server: &ServerId, now: Timestamp) {
        if matches!(self.state, State::Due(_)) && self.identity.id() == *server {
            self.state = State::Due(now);
            self.backoff.reset();
        }
    }

    /// When it is to be asked.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Due(at) => Some(at),
            State::Joined
            | State::Asked(_)
            | State::Unfenced
            | State::Fencing(_)
            | State::Fenced(_)
            | State::Joining(_) => None,
        }
    }

    /// The request that it waits for.
    pub(super) fn request(&self) -> Option<RequestId> {
        match self.state {
            State::Asked(request) | State::Fencing(request) | State::Joining(request) => {
                Some(request)
            }
            State::Joined | State::Due(_) | State::Unfenced | State::Fenced(_) => None,
        }
    }

    /// Takes it one step further.
    pub(super) fn drive(
        &mut self,
        leader: &DataServerIdentity,
        term: Term,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        let server = &self.identity;
        let is_due = match self.state {
            State::Due(at) => at <= cx.context.now,
            State::Unfenced => true,
            State::Joined
            | State::Asked(_)
            | State::Fencing(_)
            | State::Fenced(_)
            | State::Joining(_) => false,
        };
        if is_due && cx.is_foreign(server) {
            self.retry(cx.context);
            return;
        }
        self.state = match self.state {
            State::Due(at) if at <= cx.context.now => State::Asked(memory.ask_status(server, cx)),
            State::Unfenced => State::Fencing(memory.send_new_term(term, server, cx)),
            State::Fenced(head) => {
                let call = Call::AddFollower(AddFollower {
                    namespace: memory.namespace.clone(),
                    shard: memory.id,
                    term,
                    follower: server.internal.clone(),
                    head,
                });
                State::Joining(memory.call(leader, call, cx))
            }
            other @ (State::Joined
            | State::Due(_)
            | State::Asked(_)
            | State::Fencing(_)
            | State::Joining(_)) => other,
        };
    }

    /// Takes in the answer that it waits for.
    pub(super) fn answered(
        &mut self,
        result: Result<Answer, CallError>,
        shard: &ShardMetadata,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Meaning {
        match self.state {
            State::Asked(_) => self.asked(result, shard, cx.context),
            State::Fencing(_) => {
                if self.fenced(result, cx.context) {
                    memory.learn(&self.identity, cx);
                }
                Meaning::GoOn
            }
            State::Joining(_) => self.added(result, shard, cx.context),
            State::Joined | State::Due(_) | State::Unfenced | State::Fenced(_) => Meaning::GoOn,
        }
    }

    fn asked(
        &mut self,
        result: Result<Answer, CallError>,
        shard: &ShardMetadata,
        context: &mut Context,
    ) -> Meaning {
        match result {
            Ok(Answer::Status(status)) if is_ahead(&status, shard) => {
                self.retry(context);
                return Meaning::Elect(status.term);
            }
            Ok(Answer::Status(status)) if status.term == shard.term => match status.role {
                ReplicaRole::Follower => self.has_joined(),
                // A follower stays fenced until its first append: it may only be idle.
                ReplicaRole::Fenced if self.joined_before => self.has_joined(),
                ReplicaRole::Fenced | ReplicaRole::NotMember | ReplicaRole::Leader => {
                    self.state = State::Unfenced;
                }
            },
            Ok(Answer::Status(_)) => self.state = State::Unfenced,
            Err(error) if error.kind == CallErrorKind::NotMember => self.state = State::Unfenced,
            Ok(_) | Err(_) => self.retry(context),
        }
        Meaning::GoOn
    }

    /// Returns whether the replica is in a higher term.
    fn fenced(&mut self, result: Result<Answer, CallError>, context: &mut Context) -> bool {
        match result {
            Ok(Answer::Fenced(head)) => {
                self.state = State::Fenced(head);
                false
            }
            Ok(_) => {
                self.retry(context);
                false
            }
            Err(error) => {
                self.retry(context);
                error.kind == CallErrorKind::InvalidTerm
            }
        }
    }

    fn added(
        &mut self,
        result: Result<Answer, CallError>,
        shard: &ShardMetadata,
        context: &mut Context,
    ) -> Meaning {
        let error = match result {
            Ok(Answer::FollowerAdded) => {
                self.has_joined();
                return Meaning::GoOn;
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

    fn has_joined(&mut self) {
        self.state = State::Joined;
        self.joined_before = true;
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
