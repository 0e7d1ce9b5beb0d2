//! A shard that leads, or is about to: requests to its leader, and answers of its followers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use stepdown_core::call::{AddFollower, BecomeLeader, EntryId, ReplicaRole};
use stepdown_core::{ShardId, Term};

use super::context::{At, Context};
use super::cursor::{CursorKey, CursorState};
use super::lead::Lead;
use super::leader::{Busy, LeaderObject};
use super::message::{Body, Message};
use super::request::{Refusal, Reply, Token};
use super::shard::{After, Object, Replica};
use super::tail::push;

impl Replica {
    pub(super) fn become_leader(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        request: &BecomeLeader,
    ) -> Result<Option<Reply>, Refusal> {
        if !matches!(self.object, Object::Leader(_)) {
            if self.locked {
                return Err(Refusal::ResourceUnavailable);
            }
            self.close_follower(context);
            self.object = Object::Leader(LeaderObject::new(self.role_when_opened()));
        }
        self.settle(context);
        let Some((leader, mut at)) = self.as_leader(context) else {
            return Err(Refusal::InvalidStatus);
        };
        if leader.closed {
            return Err(Refusal::ResourceUnavailable);
        }
        if leader.role != ReplicaRole::Fenced {
            return Err(Refusal::InvalidStatus);
        }
        if request.term != at.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        let head = at.durable.head();
        let earlier = leader.lead.take();
        let lead = leader.lead.insert(Lead {
            replication_factor: request.replication_factor,
            election_head: head,
            cursors: BTreeMap::new(),
            committed: at.durable.commit_offset,
            has_written: false,
            appends: VecDeque::new(),
        });
        let mut refusal = None;
        for (peer, follower_head) in &request.follower_maps {
            let key = CursorKey::follower(peer, at.id);
            // Real ones take them in any order, and stop at the first that can't be.
            if let Err(why) = lead.attach(&mut at, key, *follower_head) {
                refusal = Some(why);
            }
        }
        if let Some(earlier) = earlier {
            lead.yield_to(&earlier);
        }
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        leader.busy = Some(Busy::Becoming(token));
        leader.advance(&mut at);
        Ok(None)
    }

    pub(super) fn add_follower(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        request: &AddFollower,
    ) -> Result<Option<Reply>, Refusal> {
        let key = CursorKey::follower(&request.follower, self.id);
        self.add_cursor(context, token, request, key)
    }

    pub(super) fn add_observer(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        request: &AddFollower,
        target: Option<ShardId>,
    ) -> Result<Option<Reply>, Refusal> {
        let key = CursorKey {
            peer: request.follower.clone(),
            target: target.unwrap_or(self.id),
            observer: true,
        };
        self.add_cursor(context, token, request, key)
    }

    fn add_cursor(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        request: &AddFollower,
        key: CursorKey,
    ) -> Result<Option<Reply>, Refusal> {
        let (leader, mut at) = self.as_leader(context).ok_or(Refusal::NotLeader)?;
        if request.term != at.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        let lead = leader.lead_as_leader().ok_or(Refusal::NotLeader)?;
        if lead.cursors.contains_key(&key) {
            return Ok(Some(Reply::FollowerAdded));
        }
        if !key.observer && lead.is_full() {
            return Err(Refusal::AllFollowersAttached);
        }
        lead.attach(&mut at, key.clone(), request.head)?;
        leader.busy = Some(Busy::Adding(token, key));
        leader.advance(&mut at);
        Ok(None)
    }

    pub(super) fn remove_observer(
        &mut self,
        context: &mut Context<'_>,
        term: Term,
        follower: &Arc<str>,
        target: ShardId,
    ) -> Result<Reply, Refusal> {
        let Object::Leader(leader) = &mut self.object else {
            return Err(Refusal::NotLeader);
        };
        if term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        let key = CursorKey {
            peer: follower.clone(),
            target,
            observer: true,
        };
        let lead = leader.lead.as_mut();
        if lead.is_some_and(|lead| lead.cursors.remove(&key).is_some()) {
            let mut at = At {
                id: self.id,
                durable: &mut self.durable,
                context,
            };
            at.send(follower, target, Body::Close);
        }
        Ok(Reply::ObserverRemoved)
    }

    pub(super) fn freeze(&mut self, term: Term, frozen: bool) -> Result<Reply, Refusal> {
        let Object::Leader(leader) = &mut self.object else {
            return Err(Refusal::NotLeader);
        };
        if leader.closed {
            return Err(Refusal::ResourceUnavailable);
        }
        if term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        if leader.role != ReplicaRole::Leader {
            return Err(Refusal::InvalidStatus);
        }
        leader.frozen = frozen;
        Ok(Reply::Frozen {
            head_offset: self.durable.head().offset,
        })
    }

    pub(super) fn append(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
    ) -> Result<Option<Reply>, Refusal> {
        let unsynced = self.lags().then(|| self.unsynced());
        let (leader, mut at) = self.as_leader(context).ok_or(Refusal::NotLeader)?;
        if leader.frozen {
            return Err(Refusal::NotLeader);
        }
        let lead = leader.lead_as_leader().ok_or(Refusal::NotLeader)?;
        at.context.touch(at.id, at.durable);
        if at.durable.head() == EntryId::NONE {
            // It goes by its log alone: offsets begin anew, below what is committed.
            at.durable.log.truncate(-1);
            at.durable.first = 0;
        }
        if let Some(unsynced) = unsynced {
            let (term, head) = (at.durable.term, at.durable.log.head().offset);
            let offset = head.saturating_add(unsynced).saturating_add(1);
            lead.appends.push_back((token, EntryId { term, offset }));
            push(&mut self.tail, term);
            return Ok(None);
        }
        at.durable.log.append(at.durable.term, 1);
        lead.has_written = true;
        lead.appends.push_back((token, at.durable.log.head()));
        lead.feed(&mut at);
        leader.advance(&mut at);
        Ok(None)
    }

    /// Handles a follower's answer.
    pub(super) fn lead_on(&mut self, context: &mut Context<'_>, message: Message) -> After {
        let Some((leader, mut at)) = self.as_leader(context) else {
            return After::Keep;
        };
        let (true, Some(lead)) = (message.term == at.durable.term, &mut leader.lead) else {
            return After::Keep;
        };
        let committed = lead.committed;
        let Some((key, cursor)) = lead.cursor_of(&message) else {
            return After::Keep;
        };
        match message.body {
            Body::Appended { offset } => cursor.appended(offset, &at.durable.log),
            Body::AppendRefused { refusal } => cursor.append_refused(&refusal),
            Body::Truncated { head } => cursor.truncated(&mut at, &key, committed, head),
            Body::TruncateRefused { refusal } => {
                if matches!(cursor.state, CursorState::Truncating(_)) {
                    lead.cursors.remove(&key);
                    leader.fail(&mut at, &key, refusal);
                }
            }
            Body::Append { .. } | Body::Snapshot { .. } | Body::Truncate { .. } | Body::Close => {}
        }
        leader.advance(&mut at);
        After::Keep
    }

    /// Sends again to those followers that `choose` picks by address and by whether they owe an
    /// answer.
    pub(super) fn resend(
        &mut self,
        context: &mut Context<'_>,
        choose: impl Fn(&str, bool) -> bool,
    ) -> After {
        let Some((leader, mut at)) = self.as_leader(context) else {
            return After::Keep;
        };
        let Some(lead) = &mut leader.lead else {
            return After::Keep;
        };
        for (key, cursor) in &mut lead.cursors {
            if choose(&key.peer, cursor.state != CursorState::Idle) {
                cursor.is_open = false;
                cursor.send(&mut at, key, lead.committed);
            }
        }
        After::Keep
    }

    fn as_leader<'a, 'c, 'o>(
        &'a mut self,
        context: &'a mut Context<'o>,
    ) -> Option<(&'a mut LeaderObject, At<'c, 'o>)>
    where
        'a: 'c,
    {
        match &mut self.object {
            Object::Leader(leader) => Some((
                leader,
                At {
                    id: self.id,
                    durable: &mut self.durable,
                    context,
                },
            )),
            Object::Follower(_) | Object::Closed => None,
        }
    }
}
