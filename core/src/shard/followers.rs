//! Followers that were not there when their leader was elected are brought back one by one.

use super::{Desk, Phase, ShardController};
use crate::backoff::Backoff;
use crate::call::{
    AddFollower, Answer, Call, CallError, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus,
};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::tools::Tools;

/// One follower, as far as its leader is concerned.
#[derive(Debug)]
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

    /// Look again, even if it has joined.
    pub(super) fn doubt(&mut self) {
        if self.state == State::Joined {
            self.state = State::Due(Timestamp::default());
        }
    }

    pub(super) fn cancel(&self, tools: &mut Tools) {
        if let Some(request) = self.request() {
            tools.cancel(request);
        }
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

    fn request(&self) -> Option<RequestId> {
        match self.state {
            State::Asked(request) | State::Fencing(request) | State::Joining(request) => {
                Some(request)
            }
            State::Joined | State::Due(_) | State::Unfenced | State::Fenced(_) => None,
        }
    }

    fn retry(&mut self, tools: &mut Tools) {
        let (first, most) = (tools.timing.follower_first, tools.timing.follower_most);
        self.state = State::Due(tools.wait(&mut self.backoff, first, most));
    }

    fn has_joined(&mut self) {
        self.state = State::Joined;
        self.joined_before = true;
        self.refusals = 0;
        self.backoff.reset();
    }
}

/// What a follower's answer means for the shard.
enum Meaning {
    /// Go on with the follower.
    GoOn,
    /// A replica is in a higher term, or two lead in one: elect.
    Elect(Term),
    /// The leader's answer says that it may not lead: ask it.
    VerifyLeader,
}

impl ShardController {
    /// Takes every follower one step further.
    pub(super) fn drive_followers(&mut self, desk: &mut Desk<'_>) {
        let Some(shard) = self.metadata(desk) else {
            return;
        };
        let Some(leader) = &shard.leader else { return };
        let mut followers = std::mem::take(&mut self.followers);
        for follower in &mut followers {
            let server = &follower.identity;
            let is_due = match follower.state {
                State::Due(at) => at <= desk.tools.now,
                State::Unfenced => true,
                State::Joined
                | State::Asked(_)
                | State::Fencing(_)
                | State::Fenced(_)
                | State::Joining(_) => false,
            };
            if is_due && desk.is_foreign(server) {
                follower.retry(desk.tools);
                continue;
            }
            follower.state = match follower.state {
                State::Due(at) if at <= desk.tools.now => {
                    State::Asked(self.call(server, Call::GetStatus { shard: self.id }, desk))
                }
                State::Unfenced => State::Fencing(self.send_new_term(shard.term, server, desk)),
                State::Fenced(head) => {
                    let call = Call::AddFollower(AddFollower {
                        namespace: self.namespace.clone(),
                        shard: self.id,
                        term: shard.term,
                        follower: server.internal.clone(),
                        head,
                    });
                    State::Joining(self.call(leader, call, desk))
                }
                other @ (State::Joined
                | State::Due(_)
                | State::Asked(_)
                | State::Fencing(_)
                | State::Joining(_)) => other,
            };
        }
        self.followers = followers;
    }

    pub(super) fn followers_deadline(&self) -> Option<Timestamp> {
        let due = self
            .followers
            .iter()
            .filter_map(|follower| match follower.state {
                State::Due(at) => Some(at),
                State::Joined
                | State::Asked(_)
                | State::Unfenced
                | State::Fencing(_)
                | State::Fenced(_)
                | State::Joining(_) => None,
            });
        due.min()
    }

    /// A follower's server is back: don't wait any longer.
    pub(super) fn hurry_follower(&mut self, server: &ServerId, desk: &mut Desk<'_>) {
        for follower in &mut self.followers {
            if matches!(follower.state, State::Due(_)) && follower.identity.id() == *server {
                follower.state = State::Due(desk.tools.now);
                follower.backoff.reset();
            }
        }
        self.drive_followers(desk);
    }

    pub(super) fn follower_answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        desk: &mut Desk<'_>,
    ) {
        let Some(shard) = self.metadata(desk) else {
            return;
        };
        let follower = self
            .followers
            .iter_mut()
            .find(|follower| follower.request() == Some(request));
        let Some(follower) = follower else { return };
        let meaning = match follower.state {
            State::Asked(_) => asked(follower, result, &shard, desk.tools),
            State::Fencing(_) => {
                let outrun = fenced(follower, result, desk.tools);
                let server = outrun.then(|| follower.identity.clone());
                if let Some(server) = server {
                    self.learn(&server, desk);
                }
                Meaning::GoOn
            }
            State::Joining(_) => joined(follower, result, &shard, desk.tools),
            State::Joined | State::Due(_) | State::Unfenced | State::Fenced(_) => Meaning::GoOn,
        };
        // Before the leader is stored there is only the answer to keep.
        if !matches!(self.phase, Phase::Steady) {
            return;
        }
        match meaning {
            Meaning::GoOn => self.drive_followers(desk),
            Meaning::VerifyLeader => self.verify(desk),
            Meaning::Elect(term) => {
                self.note(term);
                self.elect_again(desk);
            }
        }
    }
}

fn asked(
    follower: &mut Follower,
    result: Result<Answer, CallError>,
    shard: &ShardMetadata,
    tools: &mut Tools,
) -> Meaning {
    match result {
        Ok(Answer::Status(status)) if is_ahead(&status, shard) => {
            follower.retry(tools);
            return Meaning::Elect(status.term);
        }
        Ok(Answer::Status(status)) if status.term == shard.term => match status.role {
            ReplicaRole::Follower => follower.has_joined(),
            // A follower stays fenced until its first append: it may only be idle.
            ReplicaRole::Fenced if follower.joined_before => follower.has_joined(),
            ReplicaRole::Fenced | ReplicaRole::NotMember | ReplicaRole::Leader => {
                follower.state = State::Unfenced;
            }
        },
        Ok(Answer::Status(_)) => follower.state = State::Unfenced,
        Err(error) if error.kind == CallErrorKind::NotMember => follower.state = State::Unfenced,
        Ok(_) | Err(_) => follower.retry(tools),
    }
    Meaning::GoOn
}

/// Whether the replica is in a higher term, or leads beside the stored leader.
fn is_ahead(status: &ReplicaStatus, shard: &ShardMetadata) -> bool {
    status.term > shard.term || (status.term == shard.term && status.role == ReplicaRole::Leader)
}

/// Returns whether the replica is in a higher term.
fn fenced(follower: &mut Follower, result: Result<Answer, CallError>, tools: &mut Tools) -> bool {
    match result {
        Ok(Answer::Fenced(head)) => {
            follower.state = State::Fenced(head);
            false
        }
        Ok(_) => {
            follower.retry(tools);
            false
        }
        Err(error) => {
            follower.retry(tools);
            error.kind == CallErrorKind::InvalidTerm
        }
    }
}

fn joined(
    follower: &mut Follower,
    result: Result<Answer, CallError>,
    shard: &ShardMetadata,
    tools: &mut Tools,
) -> Meaning {
    match result {
        Ok(Answer::FollowerAdded) => {
            follower.has_joined();
            Meaning::GoOn
        }
        Ok(_) => {
            follower.retry(tools);
            Meaning::GoOn
        }
        Err(error) => {
            follower.retry(tools);
            match error.kind {
                // The first time the leader may have moved on. If it has not, then the follower's
                // log ends in a later term than the leader's began with: only an election in which
                // it takes part brings it back.
                CallErrorKind::InvalidTerm if follower.refusals > 0 => Meaning::Elect(shard.term),
                CallErrorKind::InvalidTerm => {
                    follower.refusals = follower.refusals.saturating_add(1);
                    Meaning::VerifyLeader
                }
                CallErrorKind::InvalidStatus
                | CallErrorKind::NotLeader
                | CallErrorKind::NotMember => Meaning::VerifyLeader,
                CallErrorKind::NotInitialized
                | CallErrorKind::Refused
                | CallErrorKind::Unimplemented
                | CallErrorKind::TimedOut
                | CallErrorKind::Unreachable
                | CallErrorKind::Other => Meaning::GoOn,
            }
        }
    }
}
