//! The data servers: they do what they are asked, unless they are told to fail.

use std::collections::BTreeSet;

use super::World;
use crate::call::{
    Answer, Binding, Call, CallError, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus,
};
use crate::cluster::DataServerIdentity;
use crate::{Effect, Event, ShardId, Term};

impl World {
    pub(crate) fn calls(&self, kind: &str) -> usize {
        self.log
            .iter()
            .filter(|effect| matches!(effect, Effect::Call { call, .. } if name(call) == kind))
            .count()
    }

    /// A server's health watch breaks.
    pub(crate) fn break_watch(&mut self, server: &str) {
        let (tenure, request) = (self.tenure(), *self.watches.get(server).unwrap());
        self.feed(Event::HealthWatchEnded {
            tenure,
            request,
            error: error(CallErrorKind::Unreachable),
        });
    }

    /// A server says that it does not serve, and fails these calls from now on.
    pub(crate) fn lose(&mut self, server: &str, failing: &[&'static str]) {
        self.cut_off(server, failing);
        self.observe(server, false);
    }

    /// A server is away from now on.
    pub(crate) fn take_away(&mut self, server: &str) {
        let all = [
            "CheckHealth",
            "GetStatus",
            "NewTerm",
            "BecomeLeader",
            "Handshake",
            "DeleteShard",
        ];
        self.lose(server, &all);
        self.break_watch(server);
    }

    /// These calls do not reach a server from now on.
    pub(crate) fn cut_off(&mut self, server: &str, failing: &[&'static str]) {
        for call in failing {
            self.failing
                .insert((server.to_owned(), call), CallErrorKind::Unreachable);
        }
    }

    /// A server's health watch says whether it serves.
    pub(crate) fn observe(&mut self, server: &str, serving: bool) {
        let (tenure, request) = (self.tenure(), *self.watches.get(server).unwrap());
        self.feed(Event::HealthObserved {
            tenure,
            request,
            serving,
        });
    }

    pub(super) fn call(
        &mut self,
        server: &DataServerIdentity,
        call: &Call,
    ) -> Result<Answer, CallError> {
        if let Some(kind) = self.failing.get(&(server.internal.to_string(), name(call))) {
            return Err(error(*kind));
        }
        if let Call::NewTerm(call) = call {
            self.closed
                .remove(&(server.internal.to_string(), call.shard));
        }
        Ok(match call {
            // As a leader refuses it that has no cursor for it.
            Call::AddFollower(call)
                if call.head.term > call.term && self.unfed.contains(&*call.follower) =>
            {
                return Err(error(CallErrorKind::InvalidTerm));
            }
            Call::AddFollower(call) => {
                self.unfed.remove(&*call.follower);
                Answer::FollowerAdded
            }
            Call::BecomeLeader(call) => {
                let address = server.internal.to_string();
                if let Some(status) = self.leading.get(&address) {
                    self.replicas.insert(address, *status);
                } else {
                    self.led.insert((call.shard, call.term, address));
                }
                if self.leading_unheard.contains(&*server.internal) {
                    return Err(error(CallErrorKind::TimedOut));
                }
                Answer::BecameLeader
            }
            Call::CheckHealth => Answer::Health {
                serving: !self.not_serving.contains(&*server.internal),
            },
            Call::DeleteShard(call) => {
                let replica = (server.internal.to_string(), call.shard);
                self.fenced.remove(&replica);
                Answer::ShardDeleted
            }
            Call::GetStatus { shard } => Answer::Status(self.replica(server, *shard)?),
            Call::Handshake => {
                let ours = !self.mismatched.contains(&*server.internal);
                let binding = if !ours {
                    Binding::Mismatch
                } else if self.bound.insert(server.internal.to_string()) {
                    Binding::Bound
                } else {
                    Binding::AlreadyBound
                };
                Answer::Handshaken {
                    binding,
                    features: BTreeSet::new(),
                }
            }
            Call::NewTerm(call) if call.term == Term::NEVER => {
                let is_new = self.is_stranger(server, call.shard);
                return Err(error(
                    if is_new || self.forgetful.contains(&*server.internal) {
                        CallErrorKind::InvalidStatus
                    } else {
                        CallErrorKind::InvalidTerm
                    },
                ));
            }
            Call::NewTerm(call) => {
                self.forgetful.remove(&*server.internal);
                let replica = (server.internal.to_string(), call.shard);
                let fenced = self.fenced.entry(replica).or_insert((call.term, i64::MAX));
                if fenced.0 != call.term {
                    *fenced = (call.term, i64::MAX);
                }
                if self.overrun.contains(&*server.internal) {
                    return Err(error(CallErrorKind::Other));
                }
                let head = self.heads.get(&*server.internal).copied();
                Answer::Fenced(head.unwrap_or(EntryId::NONE))
            }
            Call::Truncate(call) => {
                if !self.overrun.remove(&*server.internal) && self.syncing.remove(&*server.internal)
                {
                    self.overrun.insert(server.internal.to_string());
                }
                let replica = (server.internal.to_string(), call.shard);
                self.fenced.insert(replica, (call.term, call.head.offset));
                Answer::Truncated(call.head)
            }
        })
    }

    /// Whether a server was never told of a shard.
    fn is_stranger(&self, server: &DataServerIdentity, id: ShardId) -> bool {
        let documents = self.stored.iter().map(|(_, document)| &document.status);
        let mut shards = documents.flat_map(|status| status.shards());
        let shard = shards.find(|(_, found, _)| *found == id);
        let is_known = shard.is_some_and(|(_, _, shard)| {
            let others = shard.removed_nodes.iter();
            let others = others.chain(&shard.pending_delete_shard_nodes);
            let mut all = shard.ensemble.iter().chain(others);
            all.any(|it| it.id() == server.id())
        });
        let replica = (server.internal.to_string(), id);
        let is_known = is_known || self.known.contains(&*server.internal);
        !is_known && !self.fenced.contains_key(&replica)
    }

    /// What a test says of a replica, unless it was fenced, or cut off, since.
    fn since_fenced(&self, replica: &(String, ShardId), status: ReplicaStatus) -> ReplicaStatus {
        let status = match self.fenced.get(replica) {
            Some((term, _)) if *term > status.term && !status.has_forgotten() => ReplicaStatus {
                term: *term,
                role: ReplicaRole::Fenced,
                ..status
            },
            Some(_) | None => status,
        };
        match self.fenced.get(replica) {
            // It is open as one that follows by then.
            Some((term, end))
                if *term == status.term
                    && *end < i64::MAX
                    && status.role == ReplicaRole::Fenced =>
            {
                ReplicaStatus {
                    head_offset: *end,
                    ..status
                }
            }
            Some(_) | None => status,
        }
    }

    /// A replica that is what the document says; followers are idle.
    fn replica(
        &self,
        server: &DataServerIdentity,
        id: ShardId,
    ) -> Result<ReplicaStatus, CallError> {
        let replica = (server.internal.to_string(), id);
        let is_none = self.forgetful.contains(&*server.internal) || self.is_stranger(server, id);
        if is_none || self.closed.contains(&replica) {
            return Err(error(CallErrorKind::NotMember));
        }
        let shard = self
            .stored
            .iter()
            .flat_map(|(_, document)| document.status.shards());
        let shard = shard.into_iter().find(|(_, found, _)| *found == id);
        let (_, _, shard) = shard.ok_or_else(|| error(CallErrorKind::NotMember))?;
        let led = (id, shard.term, server.internal.to_string());
        // Until that is stored, it is what it was made; from then on a test may say otherwise.
        let was_made_to_lead = shard.leader.is_none() && self.led.contains(&led);
        if let Some(status) = self.replicas.get(&*server.internal)
            && !was_made_to_lead
        {
            return Ok(self.since_fenced(&replica, *status));
        }
        let is_stored = shard
            .leader
            .as_ref()
            .is_some_and(|leader| leader.internal == server.internal);
        let leads = is_stored || was_made_to_lead;
        let role = if leads {
            ReplicaRole::Leader
        } else {
            ReplicaRole::Fenced
        };
        let status = ReplicaStatus {
            term: shard.term,
            role,
            head_offset: -1,
            commit_offset: -1,
        };
        Ok(self.since_fenced(&replica, status))
    }
}

pub(crate) fn error(kind: CallErrorKind) -> CallError {
    CallError {
        kind,
        message: "told to fail".to_owned(),
    }
}

pub(crate) fn name(call: &Call) -> &'static str {
    match call {
        Call::AddFollower(_) => "AddFollower",
        Call::BecomeLeader(_) => "BecomeLeader",
        Call::CheckHealth => "CheckHealth",
        Call::DeleteShard(_) => "DeleteShard",
        Call::GetStatus { .. } => "GetStatus",
        Call::Handshake => "Handshake",
        Call::NewTerm(_) => "NewTerm",
        Call::Truncate(_) => "Truncate",
    }
}
