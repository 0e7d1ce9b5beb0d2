//! An election from the choice on: make the chosen one lead, record it, announce it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::followers::Follower;
use super::{Desk, Phase, ShardController};
use crate::call::{Answer, BecomeLeader, Call, CallError, CallErrorKind, Feature};
use crate::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use crate::id::Term;
use crate::ledger::{Durable, Intent};
use crate::report::Report;
use crate::server::{Reach, ServerController};

impl ShardController {
    pub(super) fn promote(
        &mut self,
        shard: &Arc<ShardMetadata>,
        leader: DataServerIdentity,
        desk: &mut Desk<'_>,
    ) {
        let Phase::Fencing(fencing) = std::mem::replace(&mut self.phase, Phase::Parked) else {
            return;
        };
        // A broken document may name one address twice: nobody follows itself.
        let is_follower = |server: &DataServerIdentity| {
            server.internal != leader.internal && shard.ensemble.contains(server)
        };
        let follower_maps = fencing
            .heads
            .iter()
            .filter(|(server, _)| is_follower(server))
            .map(|(server, head)| (server.internal.clone(), *head))
            .collect();
        for member in shard.ensemble.iter().filter(|member| is_follower(member)) {
            let fenced = fencing.heads.iter().any(|(server, _)| server == member);
            let asked = fencing.asked.iter().find(|(_, server)| *server == member);
            // A `NewTerm` still on its way is left to come in; its answer brings the follower back.
            self.followers.push(match asked {
                _ if fenced => Follower::joined(member.clone()),
                Some((request, _)) => Follower::fencing(member.clone(), *request),
                None => Follower::lost(member.clone()),
            });
        }
        for (request, server) in &fencing.asked {
            if !is_follower(server) {
                desk.tools.cancel(*request);
            }
        }
        let call = Call::BecomeLeader(BecomeLeader {
            namespace: self.namespace.clone(),
            shard: self.id,
            term: fencing.term,
            replication_factor: u32::try_from(shard.ensemble.len()).unwrap_or(u32::MAX),
            follower_maps,
            features_supported: common_features(shard, desk),
        });
        let request = self.call(&leader, call, desk);
        desk.leaders.set(self.id, Some(leader.id()));
        let (term, since) = (fencing.term, desk.tools.now);
        self.phase = Phase::Promoting {
            term,
            leader,
            request,
            since,
        };
    }

    pub(super) fn promoted(&mut self, result: Result<Answer, CallError>, desk: &mut Desk<'_>) {
        let Phase::Promoting {
            term,
            leader,
            since,
            ..
        } = &self.phase
        else {
            return;
        };
        let (term, leader, since) = (*term, leader.clone(), *since);
        match result {
            Ok(Answer::BecameLeader) => {
                desk.tools.report(Report::LeaderConfirmed {
                    namespace: self.namespace.clone(),
                    shard: self.id,
                    took: desk.tools.now.since(since),
                });
                self.phase = Phase::Recording {
                    term,
                    leader: leader.clone(),
                    doubtful: false,
                };
                desk.ledger
                    .change(&self.namespace, self.id, Intent::Announce(term), |shard| {
                        shard.status = ShardStatus::SteadyState;
                        shard.leader = Some(leader);
                        for removed in std::mem::take(&mut shard.removed_nodes) {
                            if !shard.pending_delete_shard_nodes.contains(&removed) {
                                shard.pending_delete_shard_nodes.push(removed);
                            }
                        }
                    });
            }
            Ok(_) => self.fail(&format!("{} gave another answer", leader.id()), desk),
            Err(error) => {
                if error.kind == CallErrorKind::InvalidTerm {
                    self.learn(&leader, desk);
                }
                self.fail(&format!("{} does not lead: {error}", leader.id()), desk);
            }
        }
    }

    pub(super) fn leader_persisted(&mut self, durable: Durable<Term>, desk: &mut Desk<'_>) {
        let Phase::Recording {
            term,
            leader,
            doubtful,
        } = &self.phase
        else {
            return;
        };
        if durable.fact() != *term {
            return;
        }
        let doubtful = *doubtful;
        let is_reachable = desk.reach(leader) != Reach::Unavailable;
        desk.tools.report(Report::Elected {
            namespace: self.namespace.clone(),
            shard: self.id,
            term: *term,
            leader: leader.id(),
            took: desk.tools.now.since(self.began),
        });
        self.elected = desk.tools.now;
        self.phase = Phase::Steady;
        if self.is_misaddressed(desk) {
            self.elect(desk);
        } else if !is_reachable {
            self.doubt_later(desk);
        } else if doubtful {
            self.verify(desk);
        } else {
            self.drive_followers(desk);
        }
    }
}

/// The features that every member has; none while any member's are unknown.
fn common_features(shard: &ShardMetadata, desk: &Desk<'_>) -> BTreeSet<Feature> {
    let mut members = shard.ensemble.iter().map(|member| {
        desk.servers
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
