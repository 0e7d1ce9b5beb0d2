//! What is appended to a shard's log and not synced yet.
//!
//! `NewTerm` tells of what is synced alone. Of a follower the rest stays unsynced once its stream has
//! ended, unless it is in a sync that is on its way, until another one's first message, or until it is
//! opened anew: then all that is in the file counts. Of a leader it is synced soon after.

use stepdown_core::Term;
use stepdown_core::call::EntryId;

use super::context::{At, Context};
use super::log::Run;
use super::message::{Body, Message};
use super::shard::{After, Object, Replica, Syncing};

impl Replica {
    /// A sync of the log begins that takes its time, unless the log has nothing since a snapshot.
    pub(super) fn lag(&mut self) -> After {
        let has_log = self.durable.head() != EntryId::NONE || self.durable.first <= 0;
        let is_fed = match &self.object {
            Object::Follower(follower) => follower.stream.is_some(),
            Object::Leader(leader) => leader.lead.is_some() && leader.busy.is_none(),
            Object::Closed => false,
        };
        if has_log && is_fed {
            self.sync = Syncing::Slow;
        }
        After::Keep
    }

    pub(super) fn lags(&self) -> bool {
        self.sync == Syncing::Slow
    }

    /// The stream has ended that brought what waits for a sync.
    pub(super) fn leave_sync(&mut self) {
        if self.lags() {
            self.sync = if self.tail.is_empty() {
                Syncing::Idle
            } else {
                Syncing::Left
            };
        }
    }

    /// What a stream has left is not in the sync that is on its way.
    pub(super) fn forsake_sync(&mut self) -> After {
        if self.sync == Syncing::Left {
            self.sync = Syncing::Idle;
        }
        After::Keep
    }

    /// That one and the next are over: what was appended is synced, told of, and acknowledged.
    pub(super) fn sync_log(&mut self, context: &mut Context<'_>) -> After {
        let sync = std::mem::replace(&mut self.sync, Syncing::Idle);
        match sync {
            Syncing::Slow => {}
            Syncing::Left => {
                self.settle(context);
                return After::Keep;
            }
            Syncing::Cut | Syncing::Overrun => {
                self.sync = Syncing::Overrun;
                return After::Keep;
            }
            Syncing::Idle => return After::Keep,
        }
        let has_more = !self.tail.is_empty();
        self.settle(context);
        let mut at = At {
            id: self.id,
            durable: &mut self.durable,
            context,
        };
        match &mut self.object {
            Object::Follower(follower) => {
                if let Some(stream) = &follower.stream {
                    let acknowledged = Message {
                        from: at.context.address.clone(),
                        namespace: at.durable.namespace.clone(),
                        source: stream.source,
                        target: at.id,
                        term: stream.term,
                        body: Body::Appended {
                            offset: at.durable.head().offset,
                        },
                    };
                    at.context.send(stream.peer.clone(), acknowledged);
                }
            }
            Object::Leader(leader) => {
                if let Some(lead) = &mut leader.lead {
                    lead.has_written |= has_more;
                }
                leader.advance(&mut at);
            }
            Object::Closed => {}
        }
        After::Keep
    }

    /// All that is in the file counts.
    pub(super) fn settle(&mut self, context: &mut Context<'_>) {
        if !self.tail.is_empty() {
            context.touch(self.id, &self.durable);
            self.keep_tail();
        }
    }

    pub(super) fn keep_tail(&mut self) {
        for run in std::mem::take(&mut self.tail) {
            self.durable.log.append(run.term, run.count);
        }
    }

    /// How many entries are not synced.
    pub(super) fn unsynced(&self) -> i64 {
        self.tail.iter().map(|run| i64::from(run.count)).sum()
    }
}

/// One entry more.
pub(super) fn push(tail: &mut Vec<Run>, term: Term) {
    match tail.last_mut() {
        Some(run) if run.term == term => run.count = run.count.saturating_add(1),
        Some(_) | None => tail.push(Run { term, count: 1 }),
    }
}
