//! An election from the choice on: make the chosen one lead, then record it.

use std::collections::BTreeSet;

use super::context::ShardContext;
use super::fencing::{Fencing, Vote};
use super::follower::Follower;
use super::followers::Followers;
use super::intent::Intent;
use super::memory::Memory;
use crate::call::{Answer, BecomeLeader, Call, CallError, CallErrorKind, Feature};
use crate::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::report::Report;
use crate::server::ServerController;

/// The chosen one is told to lead.
#[derive(Clone, Debug)]
pub(super) struct Promotion {
    term: Term,
    pub(super) leader: DataServerIdentity,
    request: RequestId,
    since: Timestamp,
    pub(super) followers: Followers,
    /// How many replicas have to have the whole log.
    quorum: usize,
    /// The followers that it was told of and that are not known to be away.
    reachable: BTreeSet<ServerId>,
}

/// The leader is on its way to the store.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub(super) term: Term,
    pub(super) leader: DataServerIdentity,
    pub(super) followers: Followers,
    /// Whether it has become doubtful in the meantime that the leader leads.
    pub(super) doubtful: bool,
}

/// Why the chosen one does not lead.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotLeading {
    #[error("{0} does not lead: {1}")]
    Failed(ServerId, CallError),
    #[error("{0} gave another answer")]
    OtherAnswer(ServerId),
}

impl Promotion {
    pub(super) fn begin(
        fencing: &mut Fencing,
        shard: &ShardMetadata,
        winner: Vote,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Self {
        let Vote {
            server: leader,
            position,
        } = winner;
        // A broken document may name one address twice: nobody follows itself.
        let is_follower = |server: &DataServerIdentity| {
            server.internal != leader.internal && shard.ensemble.contains(server)
        };
        let told = fencing.votes.iter();
        let told = told.filter(|vote| is_follower(&vote.server));
        let follower_maps = told
            .clone()
            .map(|vote| {
                let head = position.told_of(&vote.position);
                (vote.server.internal.clone(), head)
            })
            .collect();
        let reachable = told.map(|vote| vote.server.id()).collect();
        let members = shard.ensemble.iter().filter(|member| is_follower(member));
        let followers = members.map(|member| {
            let fenced = fencing.votes.iter().any(|vote| vote.server == *member);
            let asked = fencing.asked.iter().find(|(_, it)| it.server == *member);
            // A `NewTerm` still on its way is left to come in; its answer brings the follower back.
            match asked {
                _ if fenced => Follower::mapped(member.clone()),
                Some((request, _)) => Follower::fencing(member.clone(), *request),
                None => Follower::left_out(member.clone()),
            }
        });
        let followers = Followers::of_elected(followers.collect(), &position);
        for (request, it) in &fencing.asked {
            if !is_follower(&it.server) {
                cx.context.cancel(*request);
            }
        }
        fencing.stop_recalling(cx);
        let call = Call::BecomeLeader(BecomeLeader {
            namespace: memory.namespace.clone(),
            shard: memory.id,
            term: fencing.term,
            replication_factor: u32::try_from(shard.ensemble.len()).unwrap_or(u32::MAX),
            follower_maps,
            features_supported: common_features(shard, cx),
        });
        let request = memory.call(&leader, call, cx);
        cx.leaders.set(memory.id, Some(leader.id()));
        Self {
            term: fencing.term,
            leader,
            request,
            since: cx.context.now,
            followers,
            quorum: shard.ensemble.len() / 2 + 1,
            reachable,
        }
    }

    /// Goes on without a follower that is away, unless too few are left to have the whole log.
    pub(super) fn without(&mut self, server: &ServerId) -> Result<(), String> {
        let was_told_of = self.reachable.remove(server);
        if was_told_of && self.reachable.len() + 1 < self.quorum {
            return Err(format!(
                "{} waits for {server}, which is unavailable",
                self.leader.id()
            ));
        }
        Ok(())
    }

    pub(super) fn is_asked(&self, request: RequestId) -> bool {
        self.request == request
    }

    /// Records the new leader, or says why it does not lead.
    pub(super) fn answered(
        &mut self,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Result<Recording, NotLeading> {
        let Self { term, leader, .. } = self;
        match result {
            Ok(Answer::BecameLeader) => {}
            Ok(_) => return Err(NotLeading::OtherAnswer(leader.id())),
            Err(error) => {
                if error.kind == CallErrorKind::InvalidTerm {
                    memory.learn(leader, cx);
                }
                return Err(NotLeading::Failed(leader.id(), error));
            }
        }
        cx.context.report(Report::LeaderConfirmed {
            namespace: memory.namespace.clone(),
            shard: memory.id,
            took: cx.context.now.since(self.since),
        });
        let (namespace, announce) = (&memory.namespace, Intent::Announce(*term));
        cx.ledger.change(namespace, memory.id, announce, |shard| {
            shard.status = ShardStatus::SteadyState;
            shard.leader = Some(leader.clone());
            for removed in std::mem::take(&mut shard.removed_nodes) {
                if !shard.pending_delete_shard_nodes.contains(&removed) {
                    shard.pending_delete_shard_nodes.push(removed);
                }
            }
        });
        Ok(Recording {
            term: *term,
            leader: leader.clone(),
            followers: std::mem::take(&mut self.followers),
            doubtful: false,
        })
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        cx.context.cancel(self.request);
        self.followers.cancel(cx);
    }
}

/// The features that every member has; none while any member's are unknown.
fn common_features(shard: &ShardMetadata, cx: &ShardContext<'_>) -> BTreeSet<Feature> {
    let mut members = shard.ensemble.iter().map(|member| {
        cx.servers
            .get(&member.id())
            .and_then(ServerController::features)
    });
    let Some(Some(first)) = members.next() else {
        return BTreeSet::new();
    };
    let mut common: BTreeSet<Feature> = first
        .iter()
        .copied()
        .filter(|feature| *feature != Feature(0))
        .collect();
    for features in members {
        match features {
            Some(features) => common.retain(|feature| features.contains(feature)),
            None => common.clear(),
        }
    }
    common
}
