//! How far one follower is, and what is on the way to it.

use std::sync::Arc;

use stepdown_core::ShardId;
use stepdown_core::call::EntryId;

use super::context::At;
use super::log::Log;
use super::message::Body;
use super::request::Refusal;
use super::tally::Tally;

/// Whom a leader feeds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CursorKey {
    pub(super) peer: Arc<str>,
    pub(super) target: ShardId,
    pub(super) observer: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// What is sent begins after this.
    pub(super) acked: i64,
    pub(super) tally: Tally,
    /// The commit offset that was sent last.
    pub(super) advertised: i64,
    pub(super) state: CursorState,
    /// The follower has answered on this stream. Only who opens one looks whether a snapshot is due.
    pub(super) is_open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CursorState {
    /// Nothing is on the way.
    Idle,
    /// An append is on the way.
    Sent,
    /// A snapshot is on the way.
    Snapshot,
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
    pub(super) fn send(&mut self, at: &mut At<'_, '_>, key: &CursorKey, committed: i64) {
        let body = match self.state {
            CursorState::Truncating(to) => Body::Truncate { to },
            CursorState::Snapshot => self.snapshot(at),
            CursorState::Idle | CursorState::Sent
                if !self.is_open && self.is_too_far_behind(at) =>
            {
                self.snapshot(at)
            }
            CursorState::Idle | CursorState::Sent => {
                self.state = CursorState::Sent;
                self.advertised = committed;
                let entries = at.durable.log.after(self.acked);
                // Only observers are told without an entry.
                let tells = key.observer || !entries.is_empty();
                Body::Append {
                    previous: at.durable.log.entry_at_most(self.acked),
                    entries,
                    commit_offset: if tells { self.advertised } else { -1 },
                }
            }
        };
        at.send(&key.peer, key.target, body);
    }

    fn snapshot(&mut self, at: &At<'_, '_>) -> Body {
        self.state = CursorState::Snapshot;
        let mut committed = at.durable.log.clone();
        committed.truncate(at.durable.commit_offset);
        Body::Snapshot {
            entries: committed.into(),
        }
    }

    /// Whether the log begins later than what the follower has last. One that has nothing else than
    /// its log needs is sent a snapshot as well.
    fn is_too_far_behind(&self, at: &At<'_, '_>) -> bool {
        if at.durable.head() == EntryId::NONE {
            self.acked < 0 && at.durable.first > 0
        } else {
            at.durable.first > 0 && self.acked < at.durable.first
        }
    }

    pub(super) fn appended(&mut self, offset: i64, log: &Log) {
        if matches!(self.state, CursorState::Truncating(_)) {
            return;
        }
        self.acked = self.acked.max(offset);
        self.tally.acknowledge(offset, log.head().offset);
        self.state = CursorState::Idle;
        self.is_open = true;
    }

    /// Nothing moves a cursor back but "not a member", and nothing what it has counted. Whatever was
    /// refused is sent again later.
    pub(super) fn append_refused(&mut self, refusal: &Refusal) {
        if matches!(self.state, CursorState::Idle | CursorState::Sent) {
            self.state = CursorState::Sent;
            self.is_open = false;
            if *refusal == Refusal::NotMember {
                self.acked = -1;
            }
        }
    }

    pub(super) fn truncated(
        &mut self,
        at: &mut At<'_, '_>,
        key: &CursorKey,
        committed: i64,
        head: EntryId,
    ) {
        let CursorState::Truncating(asked) = self.state else {
            return;
        };
        if at.context.trusting || at.durable.log.contains(head) {
            self.acked = head.offset;
            self.tally = Tally::new(head.offset);
            self.state = CursorState::Sent;
        } else {
            let deeper = at.durable.last_at_most(head.term);
            if deeper == asked {
                return;
            }
            self.state = CursorState::Truncating(deeper);
        }
        self.send(at, key, committed);
    }
}
