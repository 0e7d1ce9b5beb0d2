//! One shard's life: verification at take-over, election, and bringing followers back.
//!
//! A shard waits for nobody but its own ensemble: each has its own retries, so one that can't be
//! elected delays no other.

mod election;
mod followers;
mod leaders;
mod promotion;
#[cfg(test)]
mod tests;
mod verification;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::election::Fencing;
use self::followers::Follower;
pub(crate) use self::leaders::Leaders;
use crate::backoff::Backoff;
use crate::call::{Answer, Call, CallError};
use crate::cluster::{ClusterConfiguration, DataServerIdentity, ShardMetadata, ShardStatus};
use crate::id::{RequestId, ServerId, ShardId, Term, Timestamp};
use crate::ledger::{Durable, Ledger, Notice};
use crate::report::Report;
use crate::server::{Reach, ServerController};
use crate::tools::{Owner, Tools};

/// What a shard works with for the length of one event.
pub(crate) struct Desk<'a> {
    pub(crate) tools: &'a mut Tools,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) leaders: &'a mut Leaders,
    pub(crate) servers: &'a BTreeMap<ServerId, ServerController>,
    pub(crate) configuration: Option<&'a ClusterConfiguration>,
}

impl Desk<'_> {
    fn reach(&self, server: &DataServerIdentity) -> Reach {
        self.servers
            .get(&server.id())
            .map_or(Reach::Unknown, ServerController::reach)
    }

    fn is_foreign(&self, server: &DataServerIdentity) -> bool {
        self.servers
            .get(&server.id())
            .is_some_and(ServerController::is_foreign)
    }

    /// The server as configured now, if it still is.
    fn configured(&self, server: &DataServerIdentity) -> Option<&DataServerIdentity> {
        let id = server.id();
        self.configuration?
            .servers
            .iter()
            .find(|configured| configured.id() == id)
    }
}

/// One shard's controller.
#[derive(Debug)]
pub(crate) struct ShardController {
    namespace: Arc<str>,
    id: ShardId,
    phase: Phase,
    /// The greatest term that any replica has reported.
    seen: Term,
    backoff: Backoff,
    /// When the last election succeeded.
    elected: Timestamp,
    /// When the present, or last, election attempt began.
    began: Timestamp,
    followers: Vec<Follower>,
    /// `GetStatus` asked only to learn a replica's term.
    learning: BTreeSet<RequestId>,
}

/// Where the controller is.
#[derive(Debug)]
enum Phase {
    /// The shard is not to be elected: it is being deleted, or waits for its split.
    Parked,
    /// The leader is being asked whether it leads.
    Verifying {
        request: Option<RequestId>,
        due: Option<Timestamp>,
        backoff: Backoff,
    },
    /// The next attempt begins once a majority runs, from `earliest` on, or else at `latest`. It is
    /// ripe once `earliest` has passed.
    Waiting {
        earliest: Timestamp,
        latest: Timestamp,
        ripe: bool,
    },
    /// The term is on its way to the store. A patient one then waits for a majority.
    Persisting { term: Term, patient: bool },
    /// The term is stored; fencing begins once a majority runs, or else at `latest`.
    Persisted {
        term: Durable<Term>,
        latest: Timestamp,
    },
    /// The ensemble is being fenced.
    Fencing(Fencing),
    /// The chosen one is told to lead.
    Promoting {
        term: Term,
        leader: DataServerIdentity,
        request: RequestId,
        since: Timestamp,
    },
    /// The leader is on its way to the store.
    Recording {
        term: Term,
        leader: DataServerIdentity,
        /// Whether it has become doubtful in the meantime that the leader leads.
        doubtful: bool,
    },
    /// It is led.
    Steady,
}

impl ShardController {
    /// The controller of a shard found in the document; [`ShardController::start`] sets it going.
    pub(crate) fn found(namespace: Arc<str>, id: ShardId) -> Self {
        Self {
            namespace,
            id,
            phase: Phase::Parked,
            seen: Term::NEVER,
            backoff: Backoff::default(),
            elected: Timestamp::default(),
            began: Timestamp::default(),
            followers: Vec::new(),
            learning: BTreeSet::new(),
        }
    }

    /// The controller of a shard whose creation and first term are on their way to the store.
    pub(crate) fn created(namespace: Arc<str>, id: ShardId, term: Term, now: Timestamp) -> Self {
        let phase = Phase::Persisting {
            term,
            patient: true,
        };
        Self {
            phase,
            began: now,
            ..Self::found(namespace, id)
        }
    }

    pub(crate) fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }

    /// Whether it is led, as stored, and nothing is under way but followers.
    pub(crate) fn is_steady(&self) -> bool {
        matches!(self.phase, Phase::Steady)
    }

    pub(crate) fn start(&mut self, desk: &mut Desk<'_>) {
        let Some(shard) = self.metadata(desk) else {
            return;
        };
        if shard.status == ShardStatus::Deleting || shard.is_split_child() {
            let reason = "it is being deleted or split, which this release does not carry on";
            self.blocked(reason, desk);
            return;
        }
        match (&shard.leader, shard.status) {
            (Some(leader), ShardStatus::SteadyState) if shard.is_member(leader) => {
                self.verify_from_scratch(&shard, desk);
            }
            (
                _,
                ShardStatus::Unknown
                | ShardStatus::SteadyState
                | ShardStatus::Election
                | ShardStatus::Deleting,
            ) => self.elect(desk),
        }
    }

    /// The change that the ledger was given has become durable.
    pub(crate) fn persisted(&mut self, notice: Notice, desk: &mut Desk<'_>) {
        match notice {
            Notice::Fence(term) => self.term_persisted(term, desk),
            Notice::Announce(term) => self.leader_persisted(term, desk),
        }
    }

    pub(crate) fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        desk: &mut Desk<'_>,
    ) {
        if self.learning.remove(&request) {
            self.learned(result, desk);
            return;
        }
        match &mut self.phase {
            Phase::Fencing(fencing) if fencing.is_asked(request) => {
                self.fenced(request, result, desk);
            }
            Phase::Promoting {
                request: promoting, ..
            } if *promoting == request => {
                self.promoted(result, desk);
            }
            Phase::Verifying {
                request: verifying, ..
            } if *verifying == Some(request) => {
                self.verified(result, desk);
            }
            Phase::Parked
            | Phase::Verifying { .. }
            | Phase::Waiting { .. }
            | Phase::Persisting { .. }
            | Phase::Persisted { .. }
            | Phase::Fencing(_)
            | Phase::Promoting { .. }
            | Phase::Recording { .. }
            | Phase::Steady => self.follower_answered(request, result, desk),
        }
    }

    pub(crate) fn time_passed(&mut self, desk: &mut Desk<'_>) {
        let now = desk.tools.now;
        match &self.phase {
            Phase::Waiting { .. } | Phase::Persisted { .. } => self.go_on(desk),
            Phase::Fencing(fencing) if fencing.grace_is_over(now) => self.choose(desk),
            Phase::Verifying { due: Some(due), .. } if *due <= now => self.ask_leader(desk),
            Phase::Steady => self.drive_followers(desk),
            Phase::Parked
            | Phase::Verifying { .. }
            | Phase::Persisting { .. }
            | Phase::Fencing(_)
            | Phase::Promoting { .. }
            | Phase::Recording { .. } => {}
        }
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Waiting {
                latest, ripe: true, ..
            } => Some(*latest),
            Phase::Waiting { earliest, .. } => Some(*earliest),
            Phase::Persisted { latest, .. } => Some(*latest),
            Phase::Fencing(fencing) => fencing.deadline(),
            Phase::Verifying { due, .. } => *due,
            Phase::Steady => self.followers_deadline(),
            Phase::Parked
            | Phase::Persisting { .. }
            | Phase::Promoting { .. }
            | Phase::Recording { .. } => None,
        }
    }

    /// A server can be worked with again.
    pub(crate) fn server_running(&mut self, server: &ServerId, desk: &mut Desk<'_>) {
        match &mut self.phase {
            Phase::Waiting { .. } | Phase::Persisted { .. } => self.go_on(desk),
            Phase::Verifying { due, .. } if due.is_some() => self.ask_leader(desk),
            Phase::Steady => self.hurry_follower(server, desk),
            Phase::Parked
            | Phase::Verifying { .. }
            | Phase::Persisting { .. }
            | Phase::Fencing(_)
            | Phase::Promoting { .. }
            | Phase::Recording { .. } => {}
        }
    }

    /// A server can't be worked with any more.
    pub(crate) fn server_unavailable(
        &mut self,
        server: &ServerId,
        reason: &str,
        desk: &mut Desk<'_>,
    ) {
        match &self.phase {
            Phase::Steady | Phase::Verifying { .. } => {
                let shard = self.metadata(desk);
                let leader = shard.as_ref().and_then(|shard| shard.leader.as_ref());
                if leader.is_some_and(|leader| leader.id() == *server) {
                    self.elect(desk);
                }
            }
            Phase::Promoting { leader, .. } | Phase::Recording { leader, .. } => {
                if leader.id() == *server {
                    self.fail(
                        &format!("its new leader {server} is unavailable: {reason}"),
                        desk,
                    );
                }
            }
            Phase::Fencing(_) => self.give_up_on(server, reason, desk),
            Phase::Parked
            | Phase::Waiting { .. }
            | Phase::Persisting { .. }
            | Phase::Persisted { .. } => {}
        }
    }

    /// Whether its ensemble or leader is stored with another address than the configured one.
    pub(crate) fn is_misaddressed(&self, desk: &Desk<'_>) -> bool {
        let Some(shard) = self.metadata(desk) else {
            return false;
        };
        let settled = matches!(self.phase, Phase::Steady | Phase::Verifying { .. });
        settled
            && shard.ensemble.iter().any(|member| {
                desk.configured(member)
                    .is_some_and(|server| !server.same_addresses(member))
            })
    }

    /// Ends whatever is in flight and forgets the rest.
    pub(crate) fn abandon(&mut self, desk: &mut Desk<'_>) {
        match &mut self.phase {
            Phase::Fencing(fencing) => fencing.cancel(desk.tools),
            Phase::Promoting { request, .. } => desk.tools.cancel(*request),
            Phase::Verifying {
                request: Some(request),
                ..
            } => desk.tools.cancel(*request),
            Phase::Parked
            | Phase::Verifying { .. }
            | Phase::Waiting { .. }
            | Phase::Persisting { .. }
            | Phase::Persisted { .. }
            | Phase::Recording { .. }
            | Phase::Steady => {}
        }
        for follower in std::mem::take(&mut self.followers) {
            follower.cancel(desk.tools);
        }
        desk.leaders.set(self.id, None);
        self.phase = Phase::Parked;
    }

    fn metadata(&self, desk: &Desk<'_>) -> Option<Arc<ShardMetadata>> {
        desk.ledger.shard(&self.namespace, self.id).cloned()
    }

    fn call(&self, server: &DataServerIdentity, call: Call, desk: &mut Desk<'_>) -> RequestId {
        desk.tools.call(Owner::Shard(self.id), server, call)
    }

    /// Asks a replica that is in a higher term for that term.
    fn learn(&mut self, server: &DataServerIdentity, desk: &mut Desk<'_>) {
        let request = self.call(server, Call::GetStatus { shard: self.id }, desk);
        self.learning.insert(request);
    }

    fn learned(&mut self, result: Result<Answer, CallError>, desk: &mut Desk<'_>) {
        if let Ok(Answer::Status(status)) = result {
            self.note(status.term);
        }
        let outrun = self
            .metadata(desk)
            .is_some_and(|shard| self.seen > shard.term);
        if outrun && matches!(self.phase, Phase::Steady | Phase::Verifying { .. }) {
            self.elect_again(desk);
        }
    }

    /// Notes a term that a replica has reported, unless no term could exceed it: that replica is
    /// broken, and must not keep the shard from ever being elected.
    fn note(&mut self, term: Term) {
        if term < term.next() {
            self.seen = self.seen.max(term);
        }
    }

    fn blocked(&self, reason: &str, desk: &mut Desk<'_>) {
        desk.tools.report(Report::ShardBlocked {
            namespace: self.namespace.clone(),
            shard: self.id,
            reason: reason.to_owned(),
        });
    }
}
