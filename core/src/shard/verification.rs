//! Verification: a leader that answers as leader, in the stored term, is left alone.

use std::sync::Arc;

use super::followers::Follower;
use super::{Desk, Phase, ShardController};
use crate::backoff::Backoff;
use crate::call::{Answer, Call, CallError, CallErrorKind, ReplicaRole};
use crate::cluster::ShardMetadata;
use crate::report::Report;
use crate::server::Reach;

impl ShardController {
    /// Verifies a shard of which this tenure knows nothing but what is stored.
    pub(super) fn verify_from_scratch(&mut self, shard: &Arc<ShardMetadata>, desk: &mut Desk<'_>) {
        let Some(leader) = &shard.leader else { return };
        desk.leaders.set(self.id, Some(leader.id()));
        self.followers = shard
            .ensemble
            .iter()
            .filter(|member| member.internal != leader.internal)
            .map(|member| Follower::lost(member.clone()))
            .collect();
        self.phase = Phase::Verifying {
            request: None,
            due: None,
            backoff: Backoff::default(),
        };
        self.ask_leader(desk);
    }

    /// Verifies once more; whatever else is under way goes on instead.
    pub(crate) fn verify(&mut self, desk: &mut Desk<'_>) {
        if let Phase::Recording { doubtful, .. } = &mut self.phase {
            *doubtful = true;
        }
        if !self.is_steady() {
            return;
        }
        for follower in &mut self.followers {
            follower.doubt();
        }
        self.phase = Phase::Verifying {
            request: None,
            due: None,
            backoff: Backoff::default(),
        };
        self.ask_leader(desk);
    }

    /// Verifies after a while a leader that was elected although its server is unavailable, as
    /// nothing more is heard of a server that stays so.
    pub(super) fn doubt_later(&mut self, desk: &Desk<'_>) {
        let later = desk.tools.now.after(desk.tools.timing.reconnect_most);
        self.phase = Phase::Verifying {
            request: None,
            due: Some(later),
            backoff: Backoff::default(),
        };
    }

    pub(super) fn ask_leader(&mut self, desk: &mut Desk<'_>) {
        let Some(shard) = self.metadata(desk) else {
            return;
        };
        let Some(leader) = &shard.leader else { return };
        if desk.reach(leader) == Reach::Unavailable {
            self.elect(desk);
            return;
        }
        let sent = self.call(leader, Call::GetStatus { shard: self.id }, desk);
        if let Phase::Verifying { request, due, .. } = &mut self.phase {
            *request = Some(sent);
            *due = None;
        }
    }

    pub(super) fn verified(&mut self, result: Result<Answer, CallError>, desk: &mut Desk<'_>) {
        let Some(shard) = self.metadata(desk) else {
            return;
        };
        match result {
            Ok(Answer::Status(status)) => {
                self.note(status.term);
                if status.role != ReplicaRole::Leader || status.term != shard.term {
                    self.elect(desk);
                    return;
                }
                desk.tools.report(Report::ShardVerified {
                    namespace: self.namespace.clone(),
                    shard: self.id,
                });
                self.phase = Phase::Steady;
                self.drive_followers(desk);
            }
            Err(error) if error.kind == CallErrorKind::NotMember => self.elect(desk),
            // One lost packet is no cause: the server's health decides.
            Ok(_) | Err(_) => {
                let timing = &desk.tools.timing;
                let (first, most) = (timing.reconnect_first, timing.reconnect_most);
                if let Phase::Verifying {
                    request,
                    due,
                    backoff,
                } = &mut self.phase
                {
                    *request = None;
                    *due = Some(desk.tools.wait(backoff, first, most));
                }
            }
        }
    }
}
