//! A leader's followers: those that were not there when it was elected are brought back one by one.

use super::context::ShardContext;
use super::follower::{Follower, Meaning};
use super::memory::Memory;
use super::position::Position;
use crate::call::{Answer, CallError, EntryId};
use crate::cluster::ShardMetadata;
use crate::context::Context;
use crate::id::{RequestId, ServerId, Timestamp};

/// All of one leader's.
#[derive(Clone, Debug)]
pub(super) struct Followers {
    all: Vec<Follower>,
    /// Up to where the leader had committed, when that was asked last.
    committed: i64,
}

impl Default for Followers {
    fn default() -> Self {
        Self::new(Vec::new(), EntryId::NONE.offset)
    }
}

impl Followers {
    fn new(all: Vec<Follower>, committed: i64) -> Self {
        Self { all, committed }
    }

    /// Those of a leader that is elected at this position.
    pub(super) fn of_elected(all: Vec<Follower>, position: &Position) -> Self {
        Self::new(all, position.offset())
    }

    /// Of a leader of which nothing is known but what is stored.
    pub(super) fn found(shard: &ShardMetadata) -> Self {
        let Some(leader) = &shard.leader else {
            return Self::default();
        };
        let members = shard.ensemble.iter();
        let followers = members.filter(|member| member.internal != leader.internal);
        let all = followers.map(|member| Follower::found(member.clone()));
        Self::new(all.collect(), EntryId::NONE.offset)
    }

    /// The leader has committed up to here.
    pub(super) fn committed(&mut self, offset: i64) {
        self.committed = self.committed.max(offset);
    }

    /// Up to where the leader is known to have committed, where it leads.
    pub(super) fn known_to_be_committed(&self) -> i64 {
        self.committed
    }

    /// How many are in sync.
    pub(super) fn in_sync(&self) -> usize {
        self.all.iter().filter(|it| it.is_in_sync()).count()
    }

    /// Whether this one is in sync.
    pub(super) fn is_in_sync(&self, server: &ServerId) -> bool {
        let mut all = self.all.iter();
        all.any(|it| it.is(server) && it.is_in_sync())
    }

    /// Whether a majority of the replicas, the leader among them, is in sync.
    pub(super) fn are_most_in_sync(&self) -> bool {
        (self.in_sync() + 1) * 2 > self.all.len() + 1
    }

    /// Look again, even at those that were in sync.
    pub(super) fn doubt(&mut self) {
        for follower in &mut self.all {
            follower.doubt();
        }
    }

    /// Takes every follower one step further.
    pub(super) fn drive(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) {
        let Some(shard) = memory.metadata(cx) else {
            return;
        };
        let Some(leader) = &shard.leader else { return };
        for follower in &mut self.all {
            follower.drive(leader, shard.term, memory, cx);
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.all.iter().filter_map(Follower::due).min()
    }

    /// A follower's server is back: don't wait any longer. Returns whether it is to be asked.
    pub(super) fn hurry(&mut self, server: &ServerId, context: &mut Context) -> bool {
        let mut is_hurried = false;
        for follower in &mut self.all {
            is_hurried |= follower.hurry(server, context);
        }
        is_hurried
    }

    /// A follower's server has lost its data, or is away: it is no longer taken to be in sync.
    pub(super) fn look_at(&mut self, server: &ServerId, now: Timestamp) {
        for follower in &mut self.all {
            follower.look_at(server, now);
        }
    }

    /// What an answer means, if a follower waits for it.
    pub(super) fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Option<Meaning> {
        let shard = memory.metadata(cx)?;
        let committed = self.committed;
        self.all
            .iter_mut()
            .find(|follower| follower.request() == Some(request))
            .map(|follower| follower.answered(result, &shard, committed, memory, cx))
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        for follower in std::mem::take(&mut self.all) {
            if let Some(request) = follower.request() {
                cx.context.cancel(request);
            }
        }
    }
}
