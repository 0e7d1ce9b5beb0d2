//! What a leader knows of its followers, and how it feeds them.

use std::collections::{BTreeMap, VecDeque};

use stepdown_core::call::EntryId;

use super::context::At;
use super::cursor::{Cursor, CursorKey, CursorState};
use super::log::Log;
use super::message::Message;
use super::request::{Refusal, Token};
use super::tally::Tally;

#[derive(Clone, Debug)]
pub(super) struct Lead {
    pub(super) replication_factor: u32,
    /// The head of the log when the replica was made leader.
    pub(super) election_head: EntryId,
    pub(super) cursors: BTreeMap<CursorKey, Cursor>,
    /// How far the log is committed. The database follows only once the replica leads.
    pub(super) committed: i64,
    /// An entry was written.
    pub(super) has_written: bool,
    /// Clients' writes that are not committed, oldest first.
    pub(super) appends: VecDeque<(Token, EntryId)>,
}

impl Lead {
    /// Feeds a follower from where its log ends; one whose log goes another way is truncated
    /// first.
    pub(super) fn attach(
        &mut self,
        at: &mut At<'_, '_>,
        key: CursorKey,
        head: EntryId,
    ) -> Result<(), Refusal> {
        if head.term > self.election_head.term {
            return Err(Refusal::InvalidTerm);
        }
        let common =
            if head.term == self.election_head.term && head.offset <= self.election_head.offset {
                self.election_head
            } else {
                at.durable.last_at_most(head.term)
            };
        let mut cursor = Cursor {
            acked: -1,
            tally: Tally::new(-1),
            advertised: -1,
            state: CursorState::Truncating(common),
            is_open: false,
        };
        if head.term == common.term && head.offset <= common.offset {
            cursor.acked = head.offset;
            cursor.tally = Tally::new(head.offset);
            cursor.state = CursorState::Sent;
        }
        cursor.send(at, &key, self.committed);
        self.cursors.insert(key, cursor);
        Ok(())
    }

    /// These have cursors of an earlier `BecomeLeader` in this term, which nobody ended: they keep
    /// the streams, and tell this one nothing.
    pub(super) fn yield_to(&mut self, earlier: &Self) {
        for (key, cursor) in &mut self.cursors {
            if earlier.feeds(key) && cursor.state == CursorState::Sent {
                cursor.tally.deafen();
            }
        }
    }

    /// How many followers a quorum takes.
    fn needed(&self) -> usize {
        usize::try_from(self.replication_factor / 2).unwrap_or(usize::MAX)
    }

    fn feeds(&self, key: &CursorKey) -> bool {
        self.cursors.contains_key(key) && !self.is_truncating(key)
    }

    /// Moves the commit offset: as far as a quorum, the leader included, has the log.
    pub(super) fn commit(&mut self, log: &Log) {
        if self.needed() > 0 {
            self.committed = self.committed.max(self.quorum_offset(log.head().offset));
        } else if self.has_written {
            // One that is alone counts what it writes, be that less than it knew.
            self.committed = log.head().offset;
        }
    }

    fn quorum_offset(&self, head: i64) -> i64 {
        let followers = self.cursors.iter().filter(|(key, _)| !key.observer);
        let tallies: Vec<&Tally> = followers.map(|(_, cursor)| &cursor.tally).collect();
        let have = |offset: i64| tallies.iter().filter(|it| it.counts(offset)).count();
        let ends = tallies.iter().flat_map(|it| it.ends(head));
        ends.filter(|end| have(*end) >= self.needed())
            .max()
            .unwrap_or(-1)
    }

    pub(super) fn feed(&mut self, at: &mut At<'_, '_>) {
        let head = at.durable.log.head().offset;
        for (key, cursor) in &mut self.cursors {
            let lags = cursor.acked < head || (key.observer && cursor.advertised < self.committed);
            if lags && cursor.state == CursorState::Idle {
                cursor.send(at, key, self.committed);
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        let followers = self.cursors.keys().filter(|key| !key.observer).count();
        let followers = u32::try_from(followers).unwrap_or(u32::MAX);
        followers >= self.replication_factor.saturating_sub(1)
    }

    pub(super) fn is_complete(&self, committed: i64) -> bool {
        (self.needed() == 0 || committed >= self.election_head.offset)
            && !self.cursors.keys().any(|key| self.is_truncating(key))
    }

    pub(super) fn is_truncating(&self, key: &CursorKey) -> bool {
        self.cursors
            .get(key)
            .is_some_and(|cursor| matches!(cursor.state, CursorState::Truncating(_)))
    }

    /// The cursor that a follower's answer is for.
    pub(super) fn cursor_of(&mut self, message: &Message) -> Option<(CursorKey, &mut Cursor)> {
        let mut key = CursorKey::follower(&message.from, message.target);
        if !self.cursors.contains_key(&key) {
            key.observer = true;
        }
        let cursor = self.cursors.get_mut(&key)?;
        Some((key, cursor))
    }
}
