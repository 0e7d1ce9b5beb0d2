//! How far one follower is, and what is on the way to it.

use std::sync::Arc;

use stepdown_core::ShardId;
use stepdown_core::call::EntryId;

use super::context::At;
use super::log::Log;
use super::message::Body;
use super::request::Refusal;

/// Whom a leader feeds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CursorKey {
    pub(super) peer: Arc<str>,
    pub(super) target: ShardId,
    pub(super) observer: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The follower has the log up to here.
    pub(super) acked: i64,
    /// The commit offset that was sent last.
    pub(super) advertised: i64,
    pub(super) state: CursorState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CursorState {
    /// Nothing is on the way.
    Idle,
    /// An append is on the way.
    Sent,
    /// An append of the whole log is on the way.
    SentWhole,
    /// A truncation to this entry is on the way.
    Truncating(EntryId),
}

impl CursorKey {
    pub(super) fn follower(peer: &Arc<str>, shard: ShardId) -> Self {
        Self {
            peer: peer.clone(),
            target: shard,
            observer: false,
        }
    }
}

impl Cursor {
    /// Sends what is due: the entries that follow, or the truncation.
    pub(super) fn send(&mut self, at: &mut At<'_, '_>, key: &CursorKey) {
        let whole = match self.state {
            CursorState::Truncating(to) => {
                at.send(&key.peer, key.target, Body::Truncate { to });
                return;
            }
            CursorState::SentWhole => true,
            CursorState::Idle | CursorState::Sent => {
                self.state = CursorState::Sent;
                false
            }
        };
        self.advertised = at.durable.commit_offset;
        let body = Body::Append {
            previous: at.durable.log.entry_at_most(self.acked),
            entries: at.durable.log.after(self.acked),
            commit_offset: at.durable.commit_offset,
            whole,
        };
        at.send(&key.peer, key.target, body);
    }

    pub(super) fn appended(&mut self, offset: i64, log: &Log) {
        if matches!(self.state, CursorState::Truncating(_)) {
            return;
        }
        self.acked = self.acked.max(offset.min(log.head().offset));
        self.state = CursorState::Idle;
    }

    pub(super) fn append_refused(
        &mut self,
        at: &mut At<'_, '_>,
        key: &CursorKey,
        refusal: &Refusal,
        head: EntryId,
    ) {
        if !matches!(self.state, CursorState::Idle | CursorState::Sent) {
            return;
        }
        if *refusal == Refusal::NotMember {
            self.acked = -1;
            self.state = CursorState::SentWhole;
            self.send(at, key);
        } else if *refusal == Refusal::LogMismatch
            && head.offset < self.acked
            && at.durable.log.contains(head)
        {
            self.acked = head.offset;
            self.send(at, key);
        }
        // Anything else stays unanswered until it is sent again.
    }

    pub(super) fn truncated(&mut self, at: &mut At<'_, '_>, key: &CursorKey, head: EntryId) {
        let CursorState::Truncating(asked) = self.state else {
            return;
        };
        if at.durable.log.contains(head) {
            self.acked = head.offset;
            self.state = CursorState::Sent;
        } else {
            let deeper = at.durable.log.last_at_most(head.term);
            if deeper == asked {
                return;
            }
            self.state = CursorState::Truncating(deeper);
        }
        self.send(at, key);
    }
}
