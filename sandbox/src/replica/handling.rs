//! What a shard does at a request: it waits, fences, forgets, or leads.

use stepdown_core::Term;
use stepdown_core::call::{NewTerm, ReplicaRole};

use super::context::{At, Context};
use super::leader::LeaderObject;
use super::request::{Refusal, Reply, Request, Token};
use super::shard::{After, Object, Replica, Syncing};

impl Replica {
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
            Request::Truncate(request) => {
                self.cut_off(context, request.term, request.head).map(Some)
            }
            Request::RemoveObserver {
                term,
                follower,
                target,
                ..
            } => self
                .remove_observer(context, term, &follower, target)
                .map(Some),
        };
        if let Some(result) = result.transpose() {
            context.reply(token, result);
        }
        After::Keep
    }

    fn new_term(&mut self, context: &mut Context<'_>, request: &NewTerm) -> Result<Reply, Refusal> {
        let current = self.durable.term;
        self.open_unless_open();
        if self.locked || matches!(&self.object, Object::Leader(leader) if leader.closed) {
            return Err(Refusal::ResourceUnavailable);
        }
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
                leader.end(&mut At {
                    id: self.id,
                    durable: &mut self.durable,
                    context,
                });
                *leader = LeaderObject::new(ReplicaRole::Fenced);
            }
            Object::Follower(follower) => {
                follower.role = ReplicaRole::Fenced;
                self.hang_up(context);
            }
            Object::Closed => {}
        }
        let durable = &mut self.durable;
        if (request.term, durable.flushed) != (current, durable.commit_offset) {
            context.touch(self.id, durable);
            durable.term = request.term;
            durable.flushed = durable.commit_offset;
        }
        // What a leader is about to sync is synced soon; what follows waits for another stream.
        if !matches!(self.object, Object::Leader(_)) {
            self.leave_sync();
        }
        let is_garbled = std::mem::take(&mut self.is_garbled);
        if is_garbled || self.sync == Syncing::Overrun {
            return Err(Refusal::ResourceUnavailable);
        }
        Ok(Reply::Fenced(self.durable.head()))
    }

    fn delete(&mut self, context: &mut Context<'_>, term: Term) -> Result<(), Refusal> {
        if self.locked {
            return Err(Refusal::ResourceUnavailable);
        }
        let refused = term < self.durable.term;
        self.locked = refused && matches!(self.object, Object::Closed);
        if let Object::Leader(leader) = &mut self.object {
            if leader.closed {
                return Err(Refusal::ResourceUnavailable);
            }
            leader.close(&mut At {
                id: self.id,
                durable: &mut self.durable,
                context,
            });
        }
        if refused {
            return Err(Refusal::InvalidTerm);
        }
        self.close_follower(context);
        context.touch(self.id, &self.durable);
        Ok(())
    }

    /// Opens a closed shard as a leader object.
    fn open_unless_open(&mut self) {
        if matches!(self.object, Object::Closed) && !self.locked {
            self.object = Object::Leader(LeaderObject::new(self.role_when_opened()));
        }
    }
}
