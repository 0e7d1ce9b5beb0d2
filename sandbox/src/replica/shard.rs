//! One shard of a server: what is durable of it, and as what it is open.

use std::collections::VecDeque;
use std::sync::Arc;

use stepdown_core::call::{ReplicaRole, ReplicaStatus};
use stepdown_core::{ShardId, Term};

use super::context::Context;
use super::cursor::{Cursor, CursorKey, CursorState};
use super::durable::DurableShard;
use super::leader::LeaderObject;
use super::log::{Log, Run};
use super::request::{Request, Token};

/// What becomes of the shard once a request is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    Delete,
}

#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) id: ShardId,
    pub(super) durable: DurableShard,
    pub(super) object: Object,
    /// A deletion was refused while it was closed: nobody can open it until the process ends.
    pub(super) locked: bool,
    pub(super) waiting: VecDeque<(Token, Request)>,
    /// What was appended and is not synced, in the terms of its entries. A follower has it last; a
    /// leader feeds nobody with it.
    pub(super) tail: Vec<Run>,
    pub(super) sync: Syncing,
    /// The next `NewTerm` can't read where the log ends.
    pub(super) is_garbled: bool,
}

/// What a sync of the log is about that takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syncing {
    /// There is none.
    Idle,
    /// Whatever is appended meanwhile is not in it, and is neither told of nor acknowledged.
    Slow,
    /// The stream has ended meanwhile: what it brought is told of once this is over, if it is in it.
    Left,
    /// It was cut off meanwhile.
    Cut,
    /// That one is over: what it takes for synced it does not have, and can't tell its head.
    Overrun,
}

/// As what a shard is open.
#[derive(Clone, Debug)]
pub(super) enum Object {
    /// Not at all: nobody has asked for it since the process began.
    Closed,
    Follower(FollowerObject),
    Leader(LeaderObject),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FollowerObject {
    pub(super) role: ReplicaRole,
    /// What must come after this; what comes up to this it has.
    pub(super) last: i64,
    /// Whose replication stream is open. There is room for one.
    pub(super) stream: Option<Stream>,
    /// Whose snapshot it took last, and in which term.
    pub(super) fed: Option<(Arc<str>, Term)>,
}

/// A leader's open stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) peer: Arc<str>,
    /// The leader's shard.
    pub(super) source: ShardId,
    pub(super) term: Term,
}

impl Replica {
    /// As it is on disk.
    pub(super) fn closed(id: ShardId, mut durable: DurableShard) -> Self {
        durable.commit_offset = durable.flushed;
        Self {
            id,
            durable,
            object: Object::Closed,
            locked: false,
            waiting: VecDeque::new(),
            tail: Vec::new(),
            sync: Syncing::Idle,
            is_garbled: false,
        }
    }

    pub(super) fn unknown(id: ShardId, namespace: Arc<str>) -> Self {
        let durable = DurableShard {
            namespace,
            term: Term::NEVER,
            log: Log::default(),
            first: 0,
            commit_offset: -1,
            flushed: -1,
        };
        Self::closed(id, durable)
    }

    /// The requests that waited and need wait no longer.
    pub(super) fn take_ready(&mut self) -> VecDeque<(Token, Request)> {
        if self.busy() {
            VecDeque::new()
        } else {
            std::mem::take(&mut self.waiting)
        }
    }

    pub(super) fn awaits(&self, token: Token) -> bool {
        self.waiting.iter().any(|(waiting, _)| *waiting == token)
            || matches!(&self.object, Object::Leader(leader) if leader.awaits(token))
    }

    pub(super) fn cancel(&mut self, token: Token) -> After {
        self.waiting.retain(|(waiting, _)| *waiting != token);
        if let Object::Leader(leader) = &mut self.object {
            leader.cancel(token);
        }
        After::Keep
    }

    pub(super) fn status(&self) -> Option<ReplicaStatus> {
        let (role, head_offset, commit_offset) = match &self.object {
            Object::Closed => return None,
            Object::Follower(follower) => {
                (follower.role, follower.last, self.durable.commit_offset)
            }
            Object::Leader(leader) => match &leader.lead {
                Some(lead) => (leader.role, self.durable.head().offset, lead.committed),
                None => (leader.role, -1, -1),
            },
        };
        Some(ReplicaStatus {
            term: self.durable.term,
            role,
            head_offset,
            commit_offset,
        })
    }

    pub(super) fn leads(&self) -> Option<Term> {
        match &self.object {
            Object::Leader(leader) if leader.role == ReplicaRole::Leader => Some(self.durable.term),
            Object::Leader(_) | Object::Follower(_) | Object::Closed => None,
        }
    }

    pub(super) fn busy(&self) -> bool {
        matches!(&self.object, Object::Leader(leader) if leader.busy.is_some())
    }

    /// Ends a request that has taken too long.
    pub(super) fn expire(&mut self, token: Token) -> After {
        if let Object::Leader(leader) = &mut self.object {
            leader.expire(token);
        }
        After::Keep
    }

    /// The followers that owe an answer.
    pub(super) fn owing(&self) -> impl Iterator<Item = &Arc<str>> {
        self.cursors()
            .filter(|(_, cursor)| cursor.state != CursorState::Idle)
            .map(|(key, _)| &key.peer)
    }

    /// Whether a server's stream is open here.
    pub(super) fn is_fed_by(&self, peer: &str) -> bool {
        match &self.object {
            Object::Follower(follower) => {
                let stream = follower.stream.as_ref();
                stream.is_some_and(|stream| *stream.peer == *peer)
            }
            Object::Leader(_) | Object::Closed => false,
        }
    }

    /// The stream that is open here has ended. What is not synced stays so.
    pub(super) fn end_stream(&mut self) -> After {
        if let Object::Follower(follower) = &mut self.object {
            follower.stream = None;
            self.leave_sync();
        }
        After::Keep
    }

    pub(super) fn garble(&mut self) -> After {
        self.is_garbled = true;
        After::Keep
    }

    pub(super) fn outrun(&mut self) {
        if let Object::Leader(LeaderObject {
            lead: Some(lead), ..
        }) = &mut self.object
        {
            lead.cursors.retain(|_, cursor| cursor.is_open);
        }
    }

    pub(super) fn know_committed(&mut self, offset: i64) -> bool {
        match &self.object {
            Object::Follower(follower) => {
                let may = offset == self.durable.commit_offset
                    || (self.durable.flushed..=follower.last).contains(&offset);
                if may {
                    self.durable.commit_offset = offset;
                }
                may
            }
            Object::Leader(_) | Object::Closed => {
                let status = self.status();
                status.is_none_or(|status| status.commit_offset == offset)
            }
        }
    }

    /// Drops all of the log that is committed but its last entry, as the log's age does.
    pub(super) fn trim(&mut self, context: &mut Context<'_>) -> After {
        let durable = &mut self.durable;
        let first = durable.commit_offset.min(durable.log.head().offset);
        if first > durable.first {
            context.touch(self.id, durable);
            durable.first = first;
            durable.flushed = durable.commit_offset;
        }
        After::Keep
    }

    pub(super) fn feeds(&self, peer: &str) -> bool {
        self.cursors().any(|(key, _)| *key.peer == *peer)
    }

    pub(super) fn role_when_opened(&self) -> ReplicaRole {
        if self.durable.term == Term::NEVER {
            ReplicaRole::NotMember
        } else {
            ReplicaRole::Fenced
        }
    }
    fn cursors(&self) -> impl Iterator<Item = (&CursorKey, &Cursor)> {
        let lead = match &self.object {
            Object::Leader(leader) => leader.lead.as_ref(),
            Object::Follower(_) | Object::Closed => None,
        };
        lead.into_iter().flat_map(|lead| &lead.cursors)
    }
}
