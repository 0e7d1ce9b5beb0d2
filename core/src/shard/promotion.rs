//! An election from the choice on: make the chosen one lead, then record it.

use std::collections::BTreeSet;

use super::context::ShardContext;
use super::fencing::{Fencing, Vote};
use super::follower::Follower;
use super::followers::Followers;
use super::intent::Intent;
use super::led::Fit;
use super::memory::Memory;
use super::missing::named;
use super::told::{Unexplained, told_of};
use crate::call::{
    Answer, BecomeLeader, Call, CallError, CallErrorKind, EntryId, Feature, ReplicaRole,
};
use crate::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::report::Report;
use crate::server::ServerController;

/// So often in a row the chosen ones may fail without saying why before people are told.
const TRIES: usize = 6;

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
    /// All members but the leader.
    others: BTreeSet<ServerId>,
    /// It is to show, once it leads, that it has nothing beyond its log.
    unproved: bool,
    /// Those that were passed over for it.
    passed_over: BTreeSet<ServerId>,
    /// It has said that it leads.
    leads: bool,
    /// It has not said within its time whether it leads, and is being asked whether it does.
    unheard: Option<CallError>,
    /// Where its log ends.
    head: EntryId,
}

/// The leader is on its way to the store.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub(super) term: Term,
    pub(super) leader: DataServerIdentity,
    pub(super) followers: Followers,
}

/// Why the chosen one does not lead.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotLeading {
    #[error("{0} does not lead: {1}")]
    Failed(ServerId, CallError),
    #[error("{0} gave another answer")]
    OtherAnswer(ServerId),
    #[error("{0} has more in its database than in its log, so it may not lead")]
    Fed(ServerId),
    #[error("{0} leads no more: it is {1:?} in term {2}")]
    NoMore(ServerId, ReplicaRole, Term),
}

impl Promotion {
    pub(super) fn begin(
        fencing: &mut Fencing,
        shard: &ShardMetadata,
        winner: Vote,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Self {
        let unproved = fencing.is_unproved(&winner);
        let Vote {
            server: leader,
            position,
        } = winner.clone();
        // A broken document may name one address twice: nobody follows itself.
        let is_follower = |server: &DataServerIdentity| {
            server.internal != leader.internal && shard.ensemble.contains(server)
        };
        let quorum = shard.ensemble.len() / 2 + 1;
        let told = fencing.votes.iter();
        let told = told.filter(|vote| is_follower(&vote.server));
        // One that does not fit would be refused, and the leader with it; or keep another entry.
        let told = told.filter(|vote| fencing.can_follow(&winner, vote, memory));
        let told = told.map(|vote| (vote, position.told_of(&vote.position)));
        let told = if memory.unexplained.times == 0 {
            without_parted(told.collect(), position.head(), quorum, memory, cx)
        } else {
            told.collect()
        };
        let told = told_of(&winner, told, quorum, fencing.term, memory);
        let followers = told.iter().map(|(vote, _)| vote.server.id());
        memory.is_to_lead(&leader.id(), followers);
        let follower_maps = told
            .iter()
            .map(|(vote, head)| (vote.server.internal.clone(), *head))
            .collect();
        let reachable = told.iter().filter(|(vote, _)| !cx.is_away(&vote.server));
        let reachable: BTreeSet<_> = reachable.map(|(vote, _)| vote.server.id()).collect();
        let members = shard.ensemble.iter().filter(|member| is_follower(member));
        let others = members.clone().map(DataServerIdentity::id).collect();
        let followers = members.map(|member| {
            let fenced = told.iter().find(|(vote, _)| vote.server == *member);
            let asked = fencing.asked.iter().find(|(_, it)| it.server == *member);
            let mut resting = fencing.resting.iter();
            let resting = resting.find(|(_, it)| it.server == *member);
            // A `NewTerm` still on its way is left to come in; its answer brings the follower back.
            match asked {
                _ if let Some((_, head)) = fenced => {
                    let is_there = reachable.contains(&member.id());
                    Follower::mapped(member.clone(), is_there && position.is_at(*head))
                }
                Some((request, it)) => Follower::fencing(member.clone(), *request, it.fence),
                None if let Some((until, it)) = resting => {
                    Follower::resting(member.clone(), *until, it.fence)
                }
                None if fencing.uncut.contains(&member.id()) => {
                    Follower::left_out(member.clone(), cx.context.now).uncut()
                }
                None if fencing.spares(&member.id()) => {
                    // Those without which shards can't be led are opened first.
                    let later = cx.context.now.after(cx.context.timing.follower_first);
                    Follower::left_out(member.clone(), later)
                }
                None => Follower::left_out(member.clone(), cx.context.now),
            }
        });
        let followers = Followers::of_elected(followers.collect(), &position);
        for (vote, _) in &told {
            memory.left_out.remove(&vote.server.id());
        }
        drop(told);
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
        memory.tells(fencing.term, position.head());
        cx.leaders.set(memory.id, Some(leader.id()));
        Self {
            term: fencing.term,
            leader,
            request,
            since: cx.context.now,
            followers,
            quorum,
            reachable,
            others,
            unproved,
            passed_over: fencing.passed_over.clone(),
            leads: false,
            unheard: None,
            head: position.head(),
        }
    }

    /// Goes on without a follower that is away, unless too few are left to have the whole log.
    pub(super) fn without(&mut self, server: &ServerId, reason: &str) -> Result<(), String> {
        let was_told_of = self.reachable.remove(server);
        let there = self.reachable.len() + 1;
        if !was_told_of || there >= self.quorum {
            return Ok(());
        }
        let now = format!("it is unavailable: {reason}");
        let missing = self.others.difference(&self.reachable).map(|id| {
            let is_it = id == server;
            (
                id,
                if is_it {
                    now.as_str()
                } else {
                    "it was not there before"
                },
            )
        });
        let (leader, of, missing) = (self.leader.id(), self.others.len() + 1, named(missing));
        Err(format!(
            "{leader} has no majority to lead ({there} of {of}): {missing}"
        ))
    }

    pub(super) fn is_asked(&self, request: RequestId) -> bool {
        self.request == request
    }

    /// Records the new leader, or says why it does not lead. `None`: it is being asked first what it
    /// has, or is.
    pub(super) fn answered(
        &mut self,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Result<Option<Recording>, NotLeading> {
        let became = self.became(result, memory, cx);
        match &became {
            // Who was passed over is not tried again before it is taken in.
            Ok(Some(_)) => memory.failed.retain(|it, _| self.passed_over.contains(it)),
            Ok(None) => {}
            Err(_) => memory.could_not_lead(&self.leader.id()),
        }
        became
    }

    fn became(
        &mut self,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Result<Option<Recording>, NotLeading> {
        let Self { term, leader, .. } = self;
        match result {
            Ok(Answer::BecameLeader) if self.unproved => {
                self.leads = true;
                self.request = memory.ask_status(leader, cx);
                return Ok(None);
            }
            Ok(Answer::BecameLeader) => {}
            Ok(Answer::Status(status)) if self.unproved || self.unheard.is_some() => {
                if self.unproved && status.commit_offset > status.head_offset {
                    memory.fed.insert(leader.id(), status.commit_offset);
                    return Err(NotLeading::Fed(leader.id()));
                }
                // It says that it leads only once a majority has its whole log; older ones said so before.
                let leads = (status.role, status.term) == (ReplicaRole::Leader, *term);
                let has_all = status.commit_offset >= self.head.offset;
                if !leads || self.unheard.is_some() && !has_all {
                    memory.note(status.term, cx);
                    let Some(error) = self.unheard.take() else {
                        return Err(NotLeading::NoMore(leader.id(), status.role, status.term));
                    };
                    fails(leader, &error, memory, cx);
                    return Err(NotLeading::Failed(leader.id(), error));
                }
            }
            Ok(_) => return Err(NotLeading::OtherAnswer(leader.id())),
            // Nothing but its answer was missed: it may lead for all that is known.
            Err(error)
                if error.kind == CallErrorKind::TimedOut
                    && self.unheard.is_none()
                    && !self.leads =>
            {
                self.unheard = Some(error);
                self.request = memory.ask_status(leader, cx);
                return Ok(None);
            }
            Err(error) => {
                let error = self.unheard.take().unwrap_or(error);
                if error.kind == CallErrorKind::InvalidTerm {
                    memory.learn(leader, cx);
                }
                match error.kind {
                    // No log keeps it from leading.
                    _ if self.leads => {}
                    // Also what it says of a follower: that it can't be reached, or has a later term.
                    CallErrorKind::InvalidStatus
                    | CallErrorKind::InvalidTerm
                    | CallErrorKind::Other
                    | CallErrorKind::TimedOut
                    | CallErrorKind::Unreachable => {
                        fails(leader, &error, memory, cx);
                    }
                    CallErrorKind::NotInitialized
                    | CallErrorKind::NotLeader
                    | CallErrorKind::NotMember
                    | CallErrorKind::Refused
                    | CallErrorKind::Unimplemented => {}
                }
                return Err(NotLeading::Failed(leader.id(), error));
            }
        }
        memory.unexplained = Unexplained::default();
        memory.goes_back = false;
        memory.stuck.clear();
        memory.undecided.clear();
        memory.committed = self.followers.known_to_be_committed();
        memory.has_led(*term, leader.id(), self.head);
        cx.context.report(Report::LeaderConfirmed {
            namespace: memory.namespace.clone(),
            shard: memory.id,
            took: cx.context.now.since(self.since),
        });
        let beginnings = memory.led.kept(None);
        let (namespace, announce) = (&memory.namespace, Intent::Announce(*term));
        cx.ledger.change(namespace, memory.id, announce, |shard| {
            shard.status = ShardStatus::SteadyState;
            shard.leader = Some(leader.clone());
            shard.last_leader = None;
            shard.beginnings = beginnings;
            for removed in std::mem::take(&mut shard.removed_nodes) {
                if !shard.pending_delete_shard_nodes.contains(&removed) {
                    shard.pending_delete_shard_nodes.push(removed);
                }
            }
        });
        Ok(Some(Recording {
            term: *term,
            leader: leader.clone(),
            followers: std::mem::take(&mut self.followers),
        }))
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        cx.context.cancel(self.request);
        self.followers.cancel(cx);
    }
}

/// The chosen one could not lead, and has not said why.
fn fails(
    leader: &DataServerIdentity,
    error: &CallError,
    memory: &mut Memory,
    cx: &mut ShardContext<'_>,
) {
    memory.unexplained.times += 1;
    if memory.unexplained.times == TRIES {
        let reason = format!(
            "nobody could be made leader {TRIES} times in a row, {} the last time: {error}; the logs \
             may be such that they can't be made to fit each other; where a member that is away, or \
             has lost its data, never comes back as it was, `stepdown accept-loss` lets the shard be \
             elected with what there is",
            leader.id()
        );
        memory.blocked(&reason, cx);
    }
}

/// Leaves out those that may keep another entry for all that is known, where the others are enough.
fn without_parted<'a>(
    told: Vec<(&'a Vote, EntryId)>,
    leader: EntryId,
    quorum: usize,
    memory: &Memory,
    cx: &ShardContext<'_>,
) -> Vec<(&'a Vote, EntryId)> {
    let (parted, mut others): (Vec<_>, Vec<_>) = told
        .into_iter()
        .partition(|(_, head)| memory.led.fit(leader, *head) == Fit::Parted);
    let there = others.iter().filter(|(vote, _)| !cx.is_away(&vote.server));
    if there.count() + 1 < quorum {
        others.extend(parted);
    }
    others
}

/// The features that every member has; none while any member's are unknown.
fn common_features(shard: &ShardMetadata, cx: &ShardContext<'_>) -> BTreeSet<Feature> {
    let members = shard.ensemble.iter().map(|member| {
        cx.servers
            .get(&member.id())
            .and_then(ServerController::features)
    });
    Feature::common(members).unwrap_or_default()
}
