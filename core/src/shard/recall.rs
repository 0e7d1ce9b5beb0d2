//! What the voters remember, asked before a term is stored.
//!
//! A replica that has lost its disk has forgotten what it acknowledged, so its vote would break the
//! rule that a vote outlives its voter: a majority is counted among those that remember. The replica
//! itself is the witness. It was never fenced since, so it is in no term at all, and stays so as
//! long as nobody fences it; it is fenced, and taken in, only once a leader is stored that was
//! elected without it, and whose whole log is then on a quorum without it.
//!
//! One that is not open answers that it is not a member, whether it has lost its disk or its server
//! was only restarted. `NewTerm` in no term at all ([`Term::NEVER`]) tells these apart: whoever is in
//! a term refuses it for that, and stays as it is.

use std::collections::BTreeMap;

use super::context::ShardContext;
use super::memory::Memory;
use crate::backoff::Backoff;
use crate::call::{Answer, CallError, CallErrorKind, ReplicaRole, ReplicaStatus};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::{RequestId, ServerId, Term, Timestamp};

/// What all voters remember.
#[derive(Clone, Debug)]
pub(super) struct Recall {
    voters: BTreeMap<ServerId, Knowledge>,
    /// How many have to remember.
    quorum: usize,
    /// Nothing was ever acknowledged: there is nothing to forget.
    is_new: bool,
    retry: Option<Timestamp>,
    backoff: Backoff,
    said: Option<String>,
}

/// What is known of one voter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// It is being asked for its status.
    Asked(RequestId),
    /// It is not open, and being asked whether it was ever fenced.
    Probed(RequestId),
    /// It was fenced once, and is open: it is being asked for its status again.
    Opened(RequestId),
    /// It remembers.
    Remembers(ReplicaStatus),
    /// It has lost its disk.
    Forgot,
    /// It was not asked, or did not answer, for this reason.
    Silent(String),
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
    pub(super) fn needless(voters: &[&DataServerIdentity]) -> Self {
        let voters: BTreeMap<_, _> = voters
            .iter()
            .map(|server| (server.id(), Knowledge::Remembers(NOTHING)))
            .collect();
        Self::with(voters, true)
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
            .map(|server| (server.id(), ask(server, memory, cx)))
            .collect();
        Self::with(voters, !shard.was_led())
    }

    fn with(voters: BTreeMap<ServerId, Knowledge>, is_new: bool) -> Self {
        Self {
            quorum: voters.len() / 2 + 1,
            voters,
            is_new,
            retry: None,
            backoff: Backoff::default(),
            said: None,
        }
    }

    /// What is known of a voter, as far as it may vote.
    pub(super) fn vote_of(&self, server: &ServerId) -> Option<ReplicaStatus> {
        match self.voters.get(server)? {
            Knowledge::Remembers(status) => Some(*status),
            Knowledge::Forgot if self.is_new => Some(NOTHING),
            Knowledge::Asked(_)
            | Knowledge::Probed(_)
            | Knowledge::Opened(_)
            | Knowledge::Forgot
            | Knowledge::Silent(_) => None,
        }
    }

    /// Whether a majority remembers.
    pub(super) fn is_enough(&self) -> bool {
        let voting = self.voters.keys().filter(|id| self.vote_of(id).is_some());
        voting.count() >= self.quorum
    }

    /// How many may still turn out to remember.
    pub(super) fn pending(&self) -> usize {
        let pending = self.voters.values().filter(|it| it.request().is_some());
        pending.count()
    }

    /// The voters that have forgotten.
    fn forgetful(&self) -> impl Iterator<Item = &ServerId> {
        let forgot = self.voters.iter();
        forgot
            .filter(|(_, it)| **it == Knowledge::Forgot && !self.is_new)
            .map(|(id, _)| id)
    }

    /// Whether it is only for those that have forgotten that there is no majority.
    pub(super) fn is_blocked(&self) -> bool {
        !self.is_enough() && self.pending() == 0 && self.forgetful().next().is_some()
    }

    /// Why no majority remembers; names who is waited for.
    pub(super) fn shortage(&self) -> String {
        let forgetful: Vec<_> = self.forgetful().map(ToString::to_string).collect();
        let silent: Vec<_> = self
            .voters
            .iter()
            .filter_map(|(id, knowledge)| match knowledge {
                Knowledge::Silent(reason) => Some(format!("{id} ({reason})")),
                Knowledge::Asked(_)
                | Knowledge::Probed(_)
                | Knowledge::Opened(_)
                | Knowledge::Remembers(_)
                | Knowledge::Forgot => None,
            })
            .collect();
        if forgetful.is_empty() {
            return format!("no majority answers; it waits for {}", silent.join(", "));
        }
        let of = self.voters.len();
        let lost = forgetful.join(", ");
        if silent.is_empty() {
            return format!(
                "{lost} of its {of} replicas lost all data: what they alone had is gone"
            );
        }
        let awaited = silent.join(", ");
        format!(
            "{lost} of its {of} replicas lost all data; it waits for {awaited}, who may have it"
        )
    }

    /// Returns the shortage if it has not been told of before.
    pub(super) fn news(&mut self) -> Option<String> {
        let shortage = self.shortage();
        if self.said.as_ref() == Some(&shortage) {
            return None;
        }
        self.said = Some(shortage.clone());
        Some(shortage)
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
        *knowledge = match knowledge {
            Knowledge::Probed(_) => probed(result, server, memory, cx),
            Knowledge::Asked(_) => match result {
                Err(error) if error.kind == CallErrorKind::NotMember => {
                    let server = addressed(server, cx);
                    Knowledge::Probed(memory.send_new_term(Term::NEVER, &server, cx))
                }
                result => status(result, memory, cx),
            },
            Knowledge::Opened(_)
            | Knowledge::Remembers(_)
            | Knowledge::Forgot
            | Knowledge::Silent(_) => status(result, memory, cx),
        };
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
                *knowledge = ask(server, memory, cx);
            }
            Some(
                Knowledge::Asked(_)
                | Knowledge::Probed(_)
                | Knowledge::Opened(_)
                | Knowledge::Remembers(_),
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
        self.retry
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

impl Knowledge {
    fn request(&self) -> Option<RequestId> {
        match self {
            Self::Asked(request) | Self::Probed(request) | Self::Opened(request) => Some(*request),
            Self::Remembers(_) | Self::Forgot | Self::Silent(_) => None,
        }
    }
}

/// Asks for the status, but servers of another cluster and those that are away.
fn ask(server: &DataServerIdentity, memory: &Memory, cx: &mut ShardContext<'_>) -> Knowledge {
    if cx.is_foreign(server) {
        return Knowledge::Silent("it belongs to another cluster".to_owned());
    }
    if cx.is_away(server) {
        return Knowledge::Silent("it is unavailable".to_owned());
    }
    Knowledge::Asked(memory.ask_status(&addressed(server, cx), cx))
}

/// The server at the address that is configured now.
fn addressed(server: &DataServerIdentity, cx: &ShardContext<'_>) -> DataServerIdentity {
    cx.configured(server).unwrap_or(server).clone()
}

fn status(
    result: Result<Answer, CallError>,
    memory: &mut Memory,
    cx: &ShardContext<'_>,
) -> Knowledge {
    match result {
        Ok(Answer::Status(status)) if status.has_forgotten() => Knowledge::Forgot,
        Ok(Answer::Status(status)) => {
            memory.note(status.term, cx);
            Knowledge::Remembers(status)
        }
        Ok(_) => Knowledge::Silent("it gave another answer".to_owned()),
        Err(error) => Knowledge::Silent(error.to_string()),
    }
}

fn probed(
    result: Result<Answer, CallError>,
    server: &DataServerIdentity,
    memory: &Memory,
    cx: &mut ShardContext<'_>,
) -> Knowledge {
    match result {
        // Fenced in no term, or open without ever having been fenced.
        Ok(Answer::Fenced(_)) => Knowledge::Forgot,
        Err(error) if error.kind == CallErrorKind::InvalidStatus => Knowledge::Forgot,
        Err(error) if error.kind == CallErrorKind::InvalidTerm => {
            Knowledge::Opened(memory.ask_status(&addressed(server, cx), cx))
        }
        Ok(_) => Knowledge::Silent("it gave another answer".to_owned()),
        Err(error) => Knowledge::Silent(error.to_string()),
    }
}
