//! What the voters remember, asked before a term is stored.
//!
//! A replica that has lost its disk has forgotten what it acknowledged, so its vote would break the
//! rule that a vote outlives its voter: a majority is counted among those that remember. The replica
//! itself is the witness. It was never fenced since, so it is in no term at all, and stays so as
//! long as nobody fences it; it is fenced, and taken in, only once a leader is stored that was
//! elected without it, and whose whole log is then on a quorum without it.
//!
//! Whether a replica that is not open remembers is told only once it is opened, which costs its
//! server dear. So no more of them are opened than a majority takes, if those answer in time; the
//! others are opened by their leader.

mod knowledge;

use std::collections::BTreeMap;

use self::knowledge::Knowledge;
pub(super) use self::knowledge::was_fenced;
use super::context::ShardContext;
use super::fence::Was;
use super::fencing::voters;
use super::memory::Memory;
use super::missing::named;
use super::quorum::Quorum;
use crate::backoff::Backoff;
use crate::call::{Answer, CallError, ReplicaRole, ReplicaStatus};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::context::Context;
use crate::id::{RequestId, ServerId, Term, Timestamp};

/// What all voters remember.
#[derive(Clone, Debug)]
pub(super) struct Recall {
    voters: BTreeMap<ServerId, Knowledge>,
    /// Who of them have to remember.
    quorum: Quorum,
    /// Who comes in the place of another: it was seen to have nothing, and never to have had anything.
    newcomer: Option<ServerId>,
    /// Who came in the place of another, in an earlier term: it need not have got anything.
    came: Option<ServerId>,
    /// Nothing was ever acknowledged, or an operator has accepted that it is gone: there is nothing
    /// to forget.
    is_new: bool,
    /// Everybody was asked, and everybody who may answer is waited for: where all vote, a majority
    /// may be one of empty replicas.
    awaits_all: bool,
    /// Until then replicas that are not open are spared, as long as the others may be enough.
    spare: Option<Timestamp>,
    retry: Option<Timestamp>,
    backoff: Backoff,
    /// Who was known to remember, or to have forgotten, when the shortage was told of last.
    said: Option<BTreeMap<ServerId, bool>>,
}

/// A replica that was never fenced.
const NOTHING: ReplicaStatus = ReplicaStatus {
    term: Term::NEVER,
    role: ReplicaRole::NotMember,
    head_offset: -1,
    commit_offset: -1,
};

impl Recall {
    /// Nobody is asked: the shard is new.
    pub(super) fn needless(shard: &ShardMetadata) -> Self {
        let voters: BTreeMap<_, _> = voters(shard)
            .iter()
            .map(|server| (server.id(), Knowledge::Remembers(NOTHING, Was::New)))
            .collect();
        Self::with(voters, shard, true, false)
    }

    /// Asks everybody who votes.
    pub(super) fn begin(
        voters: &[&DataServerIdentity],
        shard: &ShardMetadata,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Self {
        let voters: BTreeMap<_, _> = voters
            .iter()
            .map(|server| (server.id(), Knowledge::ask(server, memory, cx)))
            .collect();
        let is_new = !shard.was_led();
        let mut recall = Self::with(voters, shard, is_new, is_new);
        // Those that were heard of last time may have been too few, or unable; and a majority that
        // nodes are removed from need not be one of those that were there before.
        let is_first = memory.undecided.is_empty() && memory.unexplained.times == 0;
        if is_first && memory.failed.is_empty() && shard.removed_nodes.is_empty() {
            recall.spare = Some(cx.context.now.after(cx.context.timing.spare));
        }
        recall
    }

    fn with(
        voters: BTreeMap<ServerId, Knowledge>,
        shard: &ShardMetadata,
        is_new: bool,
        awaits_all: bool,
    ) -> Self {
        let is_exchanging = !shard.removed_nodes.is_empty();
        let came = shard.ensemble.last().filter(|_| is_exchanging);
        Self {
            quorum: Quorum::of(shard),
            newcomer: None,
            came: came.map(DataServerIdentity::id),
            voters,
            is_new,
            awaits_all,
            spare: None,
            retry: None,
            backoff: Backoff::default(),
            said: None,
        }
    }

    /// The ensemble is this now, and this one has come in the place of another: it has nothing to remember.
    pub(super) fn goes_on_with(&mut self, shard: &ShardMetadata, newcomer: Option<ServerId>) {
        self.quorum = Quorum::of(shard);
        if let Some(id) = &newcomer {
            let nothing = Knowledge::Remembers(NOTHING, Was::New);
            self.voters.insert(id.clone(), nothing);
        }
        self.newcomer = newcomer;
    }

    /// Whether this one has come in the place of another, and had nothing.
    pub(super) fn is_newcomer(&self, server: &ServerId) -> bool {
        self.newcomer.as_ref() == Some(server)
    }

    /// Whether there is nothing to forget: also one without a log may lead then.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// How many vote.
    pub(super) fn len(&self) -> usize {
        self.voters.len()
    }

    /// What is known of a voter, as far as it may vote.
    pub(super) fn vote_of(&self, server: &ServerId) -> Option<(ReplicaStatus, Was)> {
        match self.voters.get(server)? {
            Knowledge::Remembers(status, was) => Some((*status, *was)),
            Knowledge::Forgot if self.is_new => Some((NOTHING, Was::New)),
            Knowledge::Asked(_)
            | Knowledge::Closed
            | Knowledge::Probed(_)
            | Knowledge::Opened(_)
            | Knowledge::Forgot
            | Knowledge::Silent(_) => None,
        }
    }

    /// Opens replicas that are not open, if those of which more is or will be known are too few.
    pub(super) fn probe(
        &mut self,
        voters: &[&DataServerIdentity],
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        self.spare = self.spare.filter(|until| cx.context.now < *until);
        while self.needs_more()
            && let Some((server, knowledge)) = self.closed(voters)
        {
            *knowledge = Knowledge::probe(server, memory, cx);
        }
    }

    /// They are spared for as long once more, if they are yet: the store may have been slow.
    pub(super) fn spare_longer(&mut self, context: &Context) {
        if let Some(until) = &mut self.spare {
            *until = context.now.after(context.timing.spare);
        }
    }

    /// No closed replica is spared any more.
    pub(super) fn spare_nobody(
        &mut self,
        voters: &[&DataServerIdentity],
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        self.spare = None;
        self.probe(voters, memory, cx);
    }

    fn needs_more(&self) -> bool {
        let is_hopeful = |id: &ServerId| self.vote_of(id).is_some() || self.is_pending(id);
        self.awaits_all || self.spare.is_none() || !self.quorum.is_met(is_hopeful)
    }

    /// One that is not open, and may be asked.
    fn closed<'a, 'b>(
        &'a mut self,
        voters: &'b [&'b DataServerIdentity],
    ) -> Option<(&'b DataServerIdentity, &'a mut Knowledge)> {
        let mut closed = self.voters.iter_mut();
        closed.find_map(|(id, knowledge)| {
            let server = voters.iter().find(|server| server.id() == *id)?;
            (*knowledge == Knowledge::Closed).then_some((*server, knowledge))
        })
    }

    /// Whether anybody who votes was not opened, so far.
    pub(super) fn has_spared(&self) -> bool {
        self.voters.values().any(|it| *it == Knowledge::Closed)
    }

    /// Whether this one was not opened.
    pub(super) fn spares(&self, server: &ServerId) -> bool {
        self.voters.get(server) == Some(&Knowledge::Closed)
    }

    /// Whether a majority remembers.
    pub(super) fn is_enough(&self) -> bool {
        let is_heard = !self.awaits_all || self.pending() == 0;
        is_heard && self.quorum.is_met(|id| self.vote_of(id).is_some())
    }

    /// Whether everybody who may answer is waited for.
    pub(super) fn awaits_all(&self) -> bool {
        self.awaits_all
    }

    /// Those that may vote.
    pub(super) fn remembering(&self) -> impl Iterator<Item = &ServerId> {
        self.voters.keys().filter(|id| self.vote_of(id).is_some())
    }

    /// Whether this one may still turn out to remember.
    pub(super) fn is_pending(&self, server: &ServerId) -> bool {
        let knowledge = self.voters.get(server);
        knowledge.is_some_and(|it| it.request().is_some())
    }

    /// How many may still turn out to remember.
    pub(super) fn pending(&self) -> usize {
        let pending = self.voters.values().filter(|it| it.request().is_some());
        pending.count()
    }

    /// The voters that have forgotten.
    pub(super) fn forgetful(&self) -> impl Iterator<Item = &ServerId> {
        let forgot = self.voters.iter();
        forgot
            .filter(|(_, it)| **it == Knowledge::Forgot && !self.is_new)
            .map(|(id, _)| id)
    }

    /// Whether it is only for those that have forgotten that there is no majority.
    pub(super) fn is_blocked(&self) -> bool {
        !self.is_enough() && self.pending() == 0 && self.forgetful().next().is_some()
    }

    /// Why no majority remembers; names who is waited for. Empty if everybody does.
    pub(super) fn shortage(&self) -> String {
        if let Some(lost) = self.lost() {
            return lost;
        }
        let reasons = named(self.silent());
        if reasons.is_empty() {
            reasons
        } else if self.is_enough() {
            format!("not heard of: {reasons}")
        } else {
            let (there, of) = (self.remembering().count(), self.voters.len());
            format!("no majority answers ({there} of {of}): {reasons}")
        }
    }

    /// Who has lost all data, and who may have it, if anybody has lost it.
    pub(super) fn lost(&self) -> Option<String> {
        let forgetful: Vec<_> = self.forgetful().map(ToString::to_string).collect();
        if forgetful.is_empty() {
            return None;
        }
        let awaited: Vec<_> = self.silent().map(|(id, _)| id.to_string()).collect();
        let of = self.voters.len();
        if forgetful.len() == of {
            let lost = forgetful.join(", ");
            return Some(format!(
                "none of its replicas ({lost}) has data: all have lost it, or it was never led; \
                 `stepdown accept-loss` lets it be elected"
            ));
        }
        let lost = self.who_lost(&forgetful);
        let hint = "`stepdown accept-loss` lets it be elected without";
        if awaited.is_empty() {
            return Some(format!("{lost}: what they alone had is gone; {hint}"));
        }
        let awaited = awaited.join(", ");
        Some(format!(
            "{lost}; it waits for {awaited}, who may have it; where they never come back, {hint}"
        ))
    }

    /// Of these that have nothing, who has lost it, and who may never have got anything.
    fn who_lost(&self, forgetful: &[String]) -> String {
        let came = self.came.as_ref().map(ToString::to_string);
        let came = came.filter(|came| forgetful.contains(came));
        let lost = forgetful.iter().filter(|id| Some(*id) != came.as_ref());
        let lost: Vec<&str> = lost.map(String::as_str).collect();
        let of = self.voters.len();
        let lost = (!lost.is_empty())
            .then(|| format!("{} of its {of} replicas lost all data", lost.join(", ")));
        let came = came.map(|came| {
            format!(
                "{came}, which came in the place of another, has nothing of it yet, or has lost it"
            )
        });
        let all: Vec<String> = lost.into_iter().chain(came).collect();
        all.join(", and ")
    }

    /// The voters of which nothing is known, and why.
    pub(super) fn silent(&self) -> impl Iterator<Item = (&ServerId, &str)> {
        self.voters
            .iter()
            .filter_map(|(id, knowledge)| match knowledge {
                Knowledge::Silent(reason) => Some((id, reason.as_str())),
                Knowledge::Closed => Some((id, "it was not needed")),
                Knowledge::Asked(_)
                | Knowledge::Probed(_)
                | Knowledge::Opened(_)
                | Knowledge::Remembers(..)
                | Knowledge::Forgot => None,
            })
    }

    /// Whether anybody who votes is missing.
    pub(super) fn is_short(&self) -> bool {
        self.forgetful().next().is_some() || self.silent().next().is_some()
    }

    /// Returns the shortage, unless one that the same voters are the cause of was told of before.
    pub(super) fn news(&mut self) -> Option<String> {
        let causes = self.voters.iter().map(|(id, knowledge)| {
            let has_forgotten = *knowledge == Knowledge::Forgot;
            (id.clone(), has_forgotten || self.vote_of(id).is_some())
        });
        let causes: BTreeMap<_, _> = causes.collect();
        let is_new = self.said.as_ref() != Some(&causes);
        self.said = Some(causes);
        is_new.then(|| self.shortage())
    }

    /// Takes in a voter's answer; returns whose it was.
    pub(super) fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        voters: &[&DataServerIdentity],
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Option<ServerId> {
        let (id, knowledge) = self
            .voters
            .iter_mut()
            .find(|(_, it)| it.request() == Some(request))?;
        let id = id.clone();
        let Some(server) = voters.iter().find(|server| server.id() == id) else {
            *knowledge = Knowledge::Silent("it does not vote any more".to_owned());
            return Some(id);
        };
        *knowledge = knowledge.answered(result, server, memory, cx);
        self.probe(voters, memory, cx);
        Some(id)
    }

    /// Asks a voter that is back, unless it is being asked, or has nothing new to say.
    pub(super) fn ask_too(
        &mut self,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        match self.voters.get_mut(&server.id()) {
            Some(knowledge @ (Knowledge::Silent(_) | Knowledge::Forgot)) => {
                *knowledge = Knowledge::ask(server, memory, cx);
            }
            Some(
                Knowledge::Asked(_)
                | Knowledge::Closed
                | Knowledge::Probed(_)
                | Knowledge::Opened(_)
                | Knowledge::Remembers(..),
            )
            | None => {}
        }
    }

    /// A server won't answer, or what it has said does not hold any more.
    pub(super) fn forget(&mut self, server: &ServerId, reason: &str, cx: &mut ShardContext<'_>) {
        if let Some(knowledge) = self.voters.get_mut(server) {
            if let Some(request) = knowledge.request() {
                cx.context.cancel(request);
            }
            *knowledge = Knowledge::Silent(reason.to_owned());
        }
    }

    /// Sets when those that did not help are asked again; returns that.
    pub(super) fn wait(&mut self, cx: &mut ShardContext<'_>) -> Timestamp {
        let timing = &cx.context.timing;
        let (first, most) = (timing.election_first, timing.election_most);
        let backoff = &mut self.backoff;
        *self
            .retry
            .get_or_insert_with(|| cx.context.wait(backoff, first, most))
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.retry.into_iter().chain(self.spared_until()).min()
    }

    /// When those that were not opened are, if any are left.
    pub(super) fn spared_until(&self) -> Option<Timestamp> {
        self.spare.filter(|_| self.has_spared())
    }

    /// Asks those that did not help again, once it is time to.
    pub(super) fn ask_again(
        &mut self,
        voters: &[&DataServerIdentity],
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        if self.retry.is_none_or(|retry| retry > cx.context.now) {
            return;
        }
        self.retry = None;
        for server in voters {
            self.ask_too(server, memory, cx);
        }
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        for request in self.voters.values().filter_map(Knowledge::request) {
            cx.context.cancel(request);
        }
        self.voters.clear();
    }
}
