//! A leader's followers: those that were not there when it was elected are brought back one by one.

use super::context::ShardContext;
use super::follower::{Follower, Meaning};
use super::memory::Memory;
use crate::call::{Answer, CallError};
use crate::cluster::ShardMetadata;
use crate::id::{RequestId, ServerId, Timestamp};

#[derive(Clone, Debug, Default)]
pub(super) struct Followers {
    all: Vec<Follower>,
}

impl FromIterator<Follower> for Followers {
    fn from_iter<I: IntoIterator<Item = Follower>>(followers: I) -> Self {
        Self {
            all: followers.into_iter().collect(),
        }
    }
}

impl Followers {
    /// Of a leader of which nothing is known but what is stored.
    pub(super) fn lost(shard: &ShardMetadata) -> Self {
        let Some(leader) = &shard.leader else {
            return Self::default();
        };
        let members = shard.ensemble.iter();
        members
            .filter(|member| member.internal != leader.internal)
            .map(|member| Follower::lost(member.clone()))
            .collect()
    }

    /// Look again, even at those that have joined.
    pub(super) fn doubt(&mut self) {
        for follower in &mut self.all {
            follower.doubt();
        }
    }

    /// Takes every follower one step further.
    pub(super) fn drive(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) {
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

    /// A follower's server is back: don't wait any longer.
    pub(super) fn hurry(&mut self, server: &ServerId, now: Timestamp) {
        for follower in &mut self.all {
            follower.hurry(server, now);
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
        self.all
            .iter_mut()
            .find(|follower| follower.request() == Some(request))
            .map(|follower| follower.answered(result, &shard, memory, cx))
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        for follower in std::mem::take(&mut self.all) {
            if let Some(request) = follower.request() {
                cx.context.cancel(request);
            }
        }
    }
}
