//! A shard that follows: appends, snapshots and truncations of its leader.

use std::sync::Arc;

use stepdown_core::Term;
use stepdown_core::call::{EntryId, ReplicaRole};

use super::context::{At, Context};
use super::log::{Log, Run};
use super::message::{Body, Message};
use super::request::Refusal;
use super::shard::{After, FollowerObject, Object, Replica, Stream};

impl Replica {
    /// Handles a leader's message.
    pub(super) fn follow(&mut self, context: &mut Context<'_>, message: Message) -> After {
        let (from, term) = (&message.from, message.term);
        let result = match &message.body {
            Body::Append {
                previous,
                entries,
                commit_offset,
            } => self.streamed(context, from, term, |replica, context| {
                replica.append_entries(context, term, *previous, entries, *commit_offset)
            }),
            Body::Snapshot { entries } => self.streamed(context, from, term, |replica, context| {
                replica.replace(context, term, entries)
            }),
            Body::Truncate { to } => self
                .open_as_follower(context, term)
                .and_then(|()| self.truncate(context, term, *to)),
            Body::Close => {
                if self.stream_of(from, term) {
                    self.end_stream();
                }
                return After::Keep;
            }
            Body::Appended { .. }
            | Body::AppendRefused { .. }
            | Body::Truncated { .. }
            | Body::TruncateRefused { .. } => return After::Keep,
        };
        match result {
            Ok(body) => context.answer(&message, body),
            Err(refusal) => context.refuse(&message, refusal),
        }
        After::Keep
    }

    /// Does what a leader's stream asks. It is the only one, and ends at the first refusal.
    fn streamed(
        &mut self,
        context: &mut Context<'_>,
        from: &Arc<str>,
        term: Term,
        work: impl FnOnce(&mut Self, &mut Context<'_>) -> Result<Body, Refusal>,
    ) -> Result<Body, Refusal> {
        self.open_as_follower(context, term)?;
        if let Object::Follower(follower) = &self.object
            && let Some(stream) = &follower.stream
            && stream.peer != *from
        {
            return Err(Refusal::ResourceConflict);
        }
        let result = work(self, context);
        if let Object::Follower(follower) = &mut self.object {
            follower.stream = result.is_ok().then(|| Stream {
                peer: from.clone(),
                term,
            });
        }
        result
    }

    fn stream_of(&self, peer: &Arc<str>, term: Term) -> bool {
        match &self.object {
            Object::Follower(follower) => {
                let stream = follower.stream.as_ref();
                stream.is_some_and(|stream| stream.peer == *peer && stream.term == term)
            }
            Object::Leader(_) | Object::Closed => false,
        }
    }

    fn open_as_follower(&mut self, context: &mut Context<'_>, term: Term) -> Result<(), Refusal> {
        match &mut self.object {
            Object::Follower(_) => return Ok(()),
            Object::Leader(_) if term != self.durable.term => return Err(Refusal::InvalidTerm),
            Object::Leader(leader) => leader.end(&mut At {
                id: self.id,
                durable: &mut self.durable,
                context,
            }),
            Object::Closed => {}
        }
        self.object = Object::Follower(FollowerObject {
            role: self.role_when_opened(),
            stream: None,
        });
        Ok(())
    }

    fn append_entries(
        &mut self,
        context: &mut Context<'_>,
        term: Term,
        previous: EntryId,
        entries: &[Run],
        commit_offset: i64,
    ) -> Result<Body, Refusal> {
        let Object::Follower(follower) = &mut self.object else {
            return Err(Refusal::InvalidStatus);
        };
        if follower.role == ReplicaRole::NotMember {
            return Err(Refusal::NotMember);
        }
        if term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        if entries.is_empty() {
            // It opens the stream, or advertises. Nothing is compared.
            let known = previous.offset.min(self.durable.log.head().offset);
            self.commit(commit_offset.min(known));
            return Ok(Body::Appended { offset: -1 });
        }
        // Whatever becomes of the entries.
        follower.role = ReplicaRole::Follower;
        let mut log = self.durable.log.clone();
        log.truncate(previous.offset);
        for run in entries {
            log.append(run.term, run.count);
        }
        let offset = log.head().offset;
        if !self.fits(previous, offset) {
            return Err(Refusal::LogMismatch);
        }
        if !self.durable.log.starts_with(&log) {
            if !log.starts_with(&self.durable.log) {
                return Err(Refusal::LogMismatch);
            }
            context.touch(self.id, &self.durable);
            self.durable.log = log;
        }
        self.commit(commit_offset.min(offset));
        Ok(Body::Appended { offset })
    }

    /// Whether entries after `previous` can be taken, of which `last` is the last one: a log that
    /// is empty since a snapshot needs one that the snapshot did not bring.
    fn fits(&self, previous: EntryId, last: i64) -> bool {
        let durable = &self.durable;
        let empty = durable.head() == EntryId::NONE;
        durable.log.contains(previous) && !(empty && last <= durable.log.head().offset)
    }

    /// Takes the leader's database in place of all that there is.
    fn replace(
        &mut self,
        context: &mut Context<'_>,
        term: Term,
        entries: &[Run],
    ) -> Result<Body, Refusal> {
        let Object::Follower(follower) = &mut self.object else {
            return Err(Refusal::InvalidStatus);
        };
        if follower.role != ReplicaRole::NotMember && term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        follower.role = ReplicaRole::Follower;
        let log = Log::from(entries.to_vec());
        let offset = log.head().offset;
        // One that comes late brings nothing, and must not take what came after it.
        if self.durable.term != term || !self.durable.log.starts_with(&log) {
            context.touch(self.id, &self.durable);
            self.durable.term = term;
            self.durable.log = log;
            self.durable.first = offset.saturating_add(1);
            self.durable.commit_offset = offset;
        }
        self.commit(offset);
        Ok(Body::Appended { offset })
    }

    fn commit(&mut self, offset: i64) {
        self.durable.commit_offset = self.durable.commit_offset.max(offset);
    }

    /// Once in a term: whoever follows already refuses.
    fn truncate(
        &mut self,
        context: &mut Context<'_>,
        term: Term,
        to: EntryId,
    ) -> Result<Body, Refusal> {
        let Object::Follower(follower) = &mut self.object else {
            return Err(Refusal::InvalidStatus);
        };
        if follower.role != ReplicaRole::Fenced {
            return Err(Refusal::InvalidStatus);
        }
        if term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        follower.role = ReplicaRole::Follower;
        let keep = common_offset(&self.durable.log, to);
        if keep < self.durable.log.head().offset {
            context.touch(self.id, &self.durable);
            self.durable.truncate(keep);
        }
        Ok(Body::Truncated {
            head: self.durable.log.head(),
        })
    }
}

/// How much of `log` a log that has the entry `to` may share.
fn common_offset(log: &Log, to: EntryId) -> i64 {
    log.last_at_most(to.term).offset.min(to.offset)
}
