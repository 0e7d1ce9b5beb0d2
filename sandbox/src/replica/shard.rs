//! One shard of a server: what is durable of it, and as what it is open.

use std::collections::VecDeque;
use std::sync::Arc;

use stepdown_core::call::{ReplicaRole, ReplicaStatus};
use stepdown_core::{ShardId, Term};

use super::cursor::{Cursor, CursorKey, CursorState};
use super::durable::DurableShard;
use super::leader::LeaderObject;
use super::log::Log;
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
    pub(super) waiting: VecDeque<(Token, Request)>,
}

/// As what a shard is open.
#[derive(Clone, Debug)]
pub(super) enum Object {
    /// Not at all: nobody has asked for it since the process began.
    Closed,
    Follower(FollowerObject),
    Leader(LeaderObject),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FollowerObject {
    pub(super) role: ReplicaRole,
    /// Whether the leader has sent entries: from then on, nothing may be truncated.
    pub(super) appended: bool,
}

impl Replica {
    pub(super) fn closed(id: ShardId, durable: DurableShard) -> Self {
        Self {
            id,
            durable,
            object: Object::Closed,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn unknown(id: ShardId, namespace: Arc<str>) -> Self {
        let durable = DurableShard {
            namespace,
            term: Term::NEVER,
            log: Log::default(),
            commit_offset: -1,
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
            Object::Follower(follower) => (
                follower.role,
                self.durable.log.head().offset,
                self.durable.commit_offset,
            ),
            Object::Leader(leader) if leader.lead.is_some() => (
                leader.role,
                self.durable.log.head().offset,
                self.durable.commit_offset,
            ),
            Object::Leader(leader) => (leader.role, -1, -1),
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

    /// Whether a follower owes an answer.
    pub(super) fn owed(&self) -> bool {
        self.cursors()
            .any(|(_, cursor)| cursor.state != CursorState::Idle)
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
