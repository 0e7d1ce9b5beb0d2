//! One shard of a server: what is durable of it, and as what it is open.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stepdown_core::call::{EntryId, NewTerm, ReplicaRole, ReplicaStatus};
use stepdown_core::{ShardId, Term};

use super::leader::LeaderObject;
use super::log::Log;
use super::message::{Body, Message};
use super::model::Output;
use super::request::{Refusal, Reply, Request, Token};

/// What a server keeps of a shard on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurableShard {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its term.
    pub term: Term,
    /// Its log.
    pub log: Log,
    /// How far the log is known to be committed. It alone is no reason to write.
    pub commit_offset: i64,
}

/// Where a shard's outputs and before-images go.
pub(super) struct Context<'a> {
    pub(super) address: &'a Arc<str>,
    pub(super) outputs: &'a mut VecDeque<Output>,
    pub(super) before: Option<&'a mut BTreeMap<ShardId, Option<DurableShard>>>,
}

impl Context<'_> {
    pub(super) fn reply(&mut self, token: Token, result: Result<Reply, Refusal>) {
        self.outputs.push_back(Output::Reply { token, result });
    }

    pub(super) fn send(&mut self, to: Arc<str>, message: Message) {
        self.outputs.push_back(Output::Send { to, message });
    }

    /// Answers a leader's message.
    pub(super) fn answer(&mut self, message: &Message, body: Body) {
        let answer = Message {
            from: self.address.clone(),
            namespace: message.namespace.clone(),
            source: message.source,
            target: message.target,
            term: message.term,
            body,
        };
        self.send(message.from.clone(), answer);
    }

    /// Refuses a leader's message.
    pub(super) fn refuse(&mut self, message: &Message, refusal: Refusal, head: EntryId) {
        let body = match message.body {
            Body::Append { .. } => Body::AppendRefused { refusal, head },
            Body::Truncate { .. } => Body::TruncateRefused { refusal },
            Body::Appended { .. }
            | Body::AppendRefused { .. }
            | Body::Truncated { .. }
            | Body::TruncateRefused { .. } => return,
        };
        self.answer(message, body);
    }

    /// Notes that the shard is about to change.
    pub(super) fn touch(&mut self, id: ShardId, durable: &DurableShard) {
        if let Some(before) = &mut self.before {
            before
                .entry(id)
                .or_insert_with(|| (durable.term != Term::NEVER).then(|| durable.clone()));
        }
    }
}

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
    waiting: VecDeque<(Token, Request)>,
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

    /// Handles a request, or lets it wait while the shard is becoming a leader's.
    pub(super) fn handle(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        request: Request,
    ) -> After {
        if self.busy() {
            self.waiting.push_back((token, request));
            return After::Keep;
        }
        let result = match request {
            Request::AddFollower(request) => self.add_follower(context, token, &request),
            Request::AddObserver { follower, target } => {
                self.add_observer(context, token, &follower, target)
            }
            Request::Append { .. } => self.append(context, token),
            Request::BecomeLeader(request) => self.become_leader(context, token, &request),
            Request::DeleteShard { term, .. } => {
                return match self.delete(context, term) {
                    Ok(()) => {
                        context.reply(token, Ok(Reply::Deleted));
                        After::Delete
                    }
                    Err(refusal) => {
                        context.reply(token, Err(refusal));
                        After::Keep
                    }
                };
            }
            Request::FreezeShard { term, frozen, .. } => self.freeze(term, frozen).map(Some),
            Request::GetInfo | Request::GetStatus { .. } => self
                .status()
                .map(|status| Some(Reply::Status(status)))
                .ok_or(Refusal::NotMember),
            Request::NewTerm(request) => self.new_term(context, &request).map(Some),
            Request::RemoveObserver {
                term,
                follower,
                target,
                ..
            } => self.remove_observer(term, &follower, target).map(Some),
        };
        if let Some(result) = result.transpose() {
            context.reply(token, result);
        }
        After::Keep
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

    fn new_term(&mut self, context: &mut Context<'_>, request: &NewTerm) -> Result<Reply, Refusal> {
        let current = self.durable.term;
        self.open_unless_open();
        if request.term < current {
            return Err(Refusal::InvalidTerm);
        }
        match &mut self.object {
            Object::Leader(leader)
                if request.term == current && leader.role != ReplicaRole::Fenced =>
            {
                return Err(Refusal::InvalidStatus);
            }
            Object::Leader(leader) => {
                leader.end(context);
                *leader = LeaderObject::new(ReplicaRole::Fenced);
            }
            Object::Follower(_) | Object::Closed => {
                self.object = Object::Follower(FollowerObject {
                    role: ReplicaRole::Fenced,
                    appended: false,
                });
            }
        }
        if request.term != current {
            context.touch(self.id, &self.durable);
            self.durable.term = request.term;
        }
        Ok(Reply::Fenced(self.durable.log.head()))
    }

    fn delete(&mut self, context: &mut Context<'_>, term: Term) -> Result<(), Refusal> {
        if term < self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        if let Object::Leader(leader) = &mut self.object {
            leader.end(context);
        }
        context.touch(self.id, &self.durable);
        Ok(())
    }

    /// Opens a closed shard as a leader object.
    fn open_unless_open(&mut self) {
        if matches!(self.object, Object::Closed) {
            self.object = Object::Leader(LeaderObject::new(self.role_when_opened()));
        }
    }

    pub(super) fn role_when_opened(&self) -> ReplicaRole {
        if self.durable.term == Term::NEVER {
            ReplicaRole::NotMember
        } else {
            ReplicaRole::Fenced
        }
    }
}
