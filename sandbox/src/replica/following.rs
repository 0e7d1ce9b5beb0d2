//! A shard that follows: appends and truncations of its leader.

use stepdown_core::Term;
use stepdown_core::call::{EntryId, ReplicaRole};

use super::context::Context;
use super::log::{Log, Run};
use super::message::{Body, Message};
use super::request::Refusal;
use super::shard::{After, FollowerObject, Object, Replica};

impl Replica {
    /// Handles a leader's message.
    pub(super) fn follow(&mut self, context: &mut Context<'_>, message: Message) -> After {
        let result =
            self.open_as_follower(context, message.term)
                .and_then(|()| match &message.body {
                    Body::Append {
                        previous,
                        entries,
                        commit_offset,
                        whole,
                    } => {
                        if *whole {
                            self.adopt(context, message.term);
                        }
                        self.append_entries(
                            context,
                            message.term,
                            *previous,
                            entries,
                            *commit_offset,
                        )
                    }
                    Body::Truncate { to } => self.truncate(context, message.term, *to),
                    Body::Appended { .. }
                    | Body::AppendRefused { .. }
                    | Body::Truncated { .. }
                    | Body::TruncateRefused { .. } => Err(Refusal::InvalidStatus),
                });
        match result {
            Ok(body) => context.answer(&message, body),
            Err(refusal) => context.refuse(&message, refusal, self.durable.log.head()),
        }
        After::Keep
    }

    fn open_as_follower(&mut self, context: &mut Context<'_>, term: Term) -> Result<(), Refusal> {
        match &mut self.object {
            Object::Follower(_) => return Ok(()),
            Object::Leader(_) if term != self.durable.term => return Err(Refusal::InvalidTerm),
            Object::Leader(leader) => leader.end(context),
            Object::Closed => {}
        }
        self.object = Object::Follower(FollowerObject {
            role: self.role_when_opened(),
            appended: false,
        });
        Ok(())
    }

    /// A replica that has nothing joins the leader's term.
    fn adopt(&mut self, context: &mut Context<'_>, term: Term) {
        if self.durable.term == Term::NEVER {
            context.touch(self.id, &self.durable);
            self.durable.term = term;
            self.object = Object::Follower(FollowerObject {
                role: ReplicaRole::Follower,
                appended: true,
            });
        }
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
        if !self.durable.log.contains(previous) {
            return Err(Refusal::LogMismatch);
        }
        let mut log = self.durable.log.clone();
        log.truncate(previous.offset);
        for run in entries {
            log.append(run.term, run.count);
        }
        let offset = log.head().offset.max(previous.offset);
        if !self.durable.log.starts_with(&log) {
            if !log.starts_with(&self.durable.log) {
                return Err(Refusal::LogMismatch);
            }
            context.touch(self.id, &self.durable);
            self.durable.log = log;
        }
        if !entries.is_empty() {
            *follower = FollowerObject {
                role: ReplicaRole::Follower,
                appended: true,
            };
        }
        self.durable.commit_offset = self.durable.commit_offset.max(commit_offset.min(offset));
        Ok(Body::Appended { offset })
    }

    fn truncate(
        &mut self,
        context: &mut Context<'_>,
        term: Term,
        to: EntryId,
    ) -> Result<Body, Refusal> {
        let Object::Follower(follower) = &mut self.object else {
            return Err(Refusal::InvalidStatus);
        };
        let allowed = match follower.role {
            ReplicaRole::Fenced => true,
            // The leader may not have heard of an earlier truncation, or may need a deeper one.
            ReplicaRole::Follower => !follower.appended,
            ReplicaRole::Leader | ReplicaRole::NotMember => false,
        };
        if !allowed {
            return Err(Refusal::InvalidStatus);
        }
        if term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        follower.role = ReplicaRole::Follower;
        let keep = common_offset(&self.durable.log, to);
        if keep < self.durable.log.head().offset {
            context.touch(self.id, &self.durable);
            self.durable.log.truncate(keep);
            self.durable.commit_offset = self.durable.commit_offset.min(keep);
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
