//! A shard that follows: appends, snapshots and truncations of its leader.

use std::sync::Arc;

use stepdown_core::call::{EntryId, ReplicaRole};
use stepdown_core::{ShardId, Term};

use super::context::{At, Context};
use super::log::{Log, Run};
use super::message::{Body, Message};
use super::request::{Refusal, Reply};
use super::shard::{After, FollowerObject, Object, Replica, Stream, Syncing};
use super::tail::push;

impl Replica {
    /// Handles a leader's message.
    pub(super) fn follow(&mut self, context: &mut Context<'_>, message: Message) -> After {
        let (from, term) = (&message.from, message.term);
        let result = match &message.body {
            Body::Append {
                previous,
                entries,
                commit_offset,
            } => self.streamed(context, (from, message.source, term), |replica, context| {
                replica.append_entries(context, term, *previous, entries, *commit_offset)
            }),
            Body::Snapshot { entries } => {
                self.streamed(context, (from, message.source, term), |replica, context| {
                    replica.replace(context, (from, term), entries)
                })
            }
            Body::Truncate { to } => self
                .open_as_follower(context, term)
                .and_then(|()| self.truncate(context, from, term, *to)),
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
            Ok(Some(body)) => context.answer(&message, body),
            Ok(None) => {}
            Err(refusal) => context.refuse(&message, refusal),
        }
        After::Keep
    }

    /// Does what a leader's stream asks. It is the only one, and ends at the first refusal.
    fn streamed(
        &mut self,
        context: &mut Context<'_>,
        (from, source, term): (&Arc<str>, ShardId, Term),
        work: impl FnOnce(&mut Self, &mut Context<'_>) -> Result<Option<Body>, Refusal>,
    ) -> Result<Option<Body>, Refusal> {
        self.open_as_follower(context, term)?;
        if let Object::Follower(follower) = &self.object
            && let Some(stream) = &follower.stream
            && stream.peer != *from
        {
            return Err(Refusal::ResourceConflict);
        }
        let result = work(self, context);
        if result.is_err() {
            self.leave_sync();
        }
        if let Object::Follower(follower) = &mut self.object {
            follower.stream = result.is_ok().then(|| Stream {
                peer: from.clone(),
                source,
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

    /// A coordinator's truncation.
    pub(super) fn cut_off(
        &mut self,
        context: &mut Context<'_>,
        term: Term,
        to: EntryId,
    ) -> Result<Reply, Refusal> {
        self.open_as_follower(context, term)?;
        let nobody = Arc::from("");
        match self.truncate(context, &nobody, term, to)? {
            Some(Body::Truncated { head }) => Ok(Reply::Truncated(head)),
            Some(_) | None => Err(Refusal::ResourceUnavailable),
        }
    }

    fn open_as_follower(&mut self, context: &mut Context<'_>, term: Term) -> Result<(), Refusal> {
        match &mut self.object {
            Object::Follower(_) => return Ok(()),
            Object::Leader(_) if term != self.durable.term => return Err(Refusal::InvalidTerm),
            Object::Leader(leader) => {
                leader.close(&mut At {
                    id: self.id,
                    durable: &mut self.durable,
                    context,
                });
                self.sync = Syncing::Idle;
                self.settle(context);
            }
            Object::Closed if self.locked => return Err(Refusal::ResourceUnavailable),
            Object::Closed => {}
        }
        let durable = &self.durable;
        let head = durable.head().offset;
        self.object = Object::Follower(FollowerObject {
            role: self.role_when_opened(),
            last: if head < 0 {
                durable.commit_offset
            } else {
                head
            },
            stream: None,
            fed: None,
        });
        Ok(())
    }

    /// Closes what follows: whoever feeds it hears that the stream has ended.
    pub(super) fn close_follower(&mut self, context: &mut Context<'_>) {
        if matches!(self.object, Object::Follower(_)) {
            self.durable.flushed = self.durable.commit_offset;
            self.hang_up(context);
            self.sync = Syncing::Idle;
            self.settle(context);
        }
    }

    /// Ends the stream: its leader hears of it, and may open it again at once.
    pub(super) fn hang_up(&mut self, context: &mut Context<'_>) {
        let Object::Follower(follower) = &mut self.object else {
            return;
        };
        if let Some(stream) = follower.stream.take() {
            let ended = Message {
                from: context.address.clone(),
                namespace: self.durable.namespace.clone(),
                source: stream.source,
                target: self.id,
                term: stream.term,
                body: Body::AppendRefused {
                    refusal: Refusal::ResourceUnavailable,
                },
            };
            context.send(stream.peer, ended);
        }
        self.leave_sync();
    }

    /// `None` where nothing is answered: the stream stays open, and the leader waits.
    fn append_entries(
        &mut self,
        context: &mut Context<'_>,
        term: Term,
        previous: EntryId,
        entries: &[Run],
        commit_offset: i64,
    ) -> Result<Option<Body>, Refusal> {
        if !self.lags() {
            // Whatever comes has everything before synced.
            self.settle(context);
            if !entries.is_empty() || self.sync == Syncing::Left {
                self.sync = Syncing::Idle;
            }
        }
        let lags = self.lags();
        let Object::Follower(follower) = &mut self.object else {
            return Err(Refusal::InvalidStatus);
        };
        if follower.role == ReplicaRole::NotMember {
            return Err(Refusal::NotMember);
        }
        let durable = &mut self.durable;
        if entries.is_empty() {
            // It opens the stream, whoever sends it, or advertises. Nothing is compared.
            if term == durable.term {
                let known = previous.offset.min(durable.log.head().offset);
                durable.commit_offset = durable.commit_offset.max(commit_offset.min(known));
            }
            return Ok(Some(Body::Appended { offset: -1 }));
        }
        if term != durable.term {
            return Err(Refusal::InvalidTerm);
        }
        // Whatever becomes of the entries.
        follower.role = ReplicaRole::Follower;
        let mut offset = previous.offset;
        let mut known = false;
        for run in entries {
            for _ in 0..run.count {
                offset = offset.saturating_add(1);
                if offset <= follower.last {
                    // It is not compared. What came by a snapshot is not acknowledged.
                    known |= offset <= durable.head().offset;
                    continue;
                }
                if offset != follower.last.saturating_add(1) {
                    return Err(Refusal::LogMismatch);
                }
                if lags {
                    push(&mut self.tail, run.term);
                    follower.last = offset;
                    continue;
                }
                context.touch(self.id, durable);
                if durable.log.head().offset >= offset {
                    // The database is further than the log that was cleared.
                    durable.log.truncate(offset.saturating_sub(1));
                    durable.first = durable.first.min(offset);
                }
                durable.log.append(run.term, 1);
                follower.last = offset;
                known = true;
            }
        }
        if lags {
            return Ok(None);
        }
        let head = durable.head().offset;
        durable.commit_offset = durable.commit_offset.max(commit_offset.min(head));
        Ok(known.then_some(Body::Appended { offset: head }))
    }

    /// Takes the leader's database in place of all that there is, be it more.
    fn replace(
        &mut self,
        context: &mut Context<'_>,
        (from, term): (&Arc<str>, Term),
        entries: &[Run],
    ) -> Result<Option<Body>, Refusal> {
        let Object::Follower(follower) = &mut self.object else {
            return Err(Refusal::InvalidStatus);
        };
        if follower.role != ReplicaRole::NotMember && term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        follower.role = ReplicaRole::Follower;
        let log = Log::from(entries.to_vec());
        let offset = log.head().offset;
        // One that comes again must not take what came after it.
        let feeds = Some((from.clone(), term));
        if follower.fed != feeds || !self.durable.log.starts_with(&log) {
            follower.fed = feeds;
            context.touch(self.id, &self.durable);
            self.tail.clear();
            self.sync = Syncing::Idle;
            self.durable.term = term;
            self.durable.log = log;
            self.durable.first = offset.saturating_add(1);
            self.durable.commit_offset = offset;
            self.durable.flushed = offset;
            follower.last = offset;
        }
        self.commit(offset);
        Ok(Some(Body::Appended { offset }))
    }

    fn commit(&mut self, offset: i64) {
        self.durable.commit_offset = self.durable.commit_offset.max(offset);
    }

    /// Once in a term: whoever follows already refuses.
    pub(super) fn truncate(
        &mut self,
        context: &mut Context<'_>,
        from: &Arc<str>,
        term: Term,
        to: EntryId,
    ) -> Result<Option<Body>, Refusal> {
        let Object::Follower(follower) = &mut self.object else {
            return Err(Refusal::InvalidStatus);
        };
        if matches!(&follower.stream, Some(stream) if stream.peer != *from) {
            return Err(Refusal::ResourceConflict);
        }
        if follower.role != ReplicaRole::Fenced {
            return Err(Refusal::InvalidStatus);
        }
        if term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        follower.role = ReplicaRole::Follower;
        let is_in_a_sync = matches!(self.sync, Syncing::Left | Syncing::Cut);
        self.sync = if is_in_a_sync {
            Syncing::Cut
        } else {
            Syncing::Idle
        };
        self.settle(context);
        let Object::Follower(follower) = &mut self.object else {
            return Err(Refusal::InvalidStatus);
        };
        let durable = &mut self.durable;
        let head = durable.head().offset;
        context.touch(self.id, durable);
        if to.offset < durable.first.max(0) || head < 0 {
            // It tells of nothing from then on, whatever is synced.
            self.sync = Syncing::Idle;
            durable.clear();
            follower.last = -1;
        } else if to.offset > head {
            return Err(Refusal::ResourceUnavailable);
        } else {
            durable.truncate(to.offset);
            follower.last = to.offset;
        }
        Ok(Some(Body::Truncated {
            head: durable.head(),
        }))
    }
}
