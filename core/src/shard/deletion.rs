//! Deletion: it is stored that the shard goes; then every member that ever held it deletes what it has.
//!
//! Each is asked until it has: one that is away keeps only the shard's entry waiting, and no other member.
//! Nothing takes the mark back, so a coordinator that comes after goes on with it.

use std::collections::BTreeMap;

use super::context::{Known, ShardContext};
use super::duty::{Next, Perform};
use super::holdup::Holdup;
use super::intent::Intent;
use super::memory::Memory;
use super::quorum::distinct;
use crate::backoff::Backoff;
use crate::call::{Answer, CallError, CallErrorKind, ReplicaRole};
use crate::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::ledger::Durable;
use crate::report::Report;
use crate::server::Reach;

/// One that is told to delete in an older term than its own closes the shard, and answers nothing about it until it
/// is restarted; and it may not tell its term, as it opens the shard only to delete it. But nobody is elected any
/// more, so any term will do that nobody is beyond.
const LAST: Term = Term(i64::MAX);

/// The shard is being deleted.
#[derive(Clone, Debug)]
pub(super) struct Deletion {
    /// It is stored that it is.
    is_marked: bool,
    /// Those that have not said yet that they have nothing any more.
    left: BTreeMap<ServerId, Holder>,
}

/// One that has, or had, a part of it.
#[derive(Clone, Debug)]
struct Holder {
    server: DataServerIdentity,
    state: State,
    /// It was asked whether it leads.
    is_known: bool,
    /// It leads, as far as is known, and would feed again whoever deletes before it.
    leads: bool,
    backoff: Backoff,
    /// How it answered last, where it has not deleted.
    failed: Option<CallErrorKind>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// To be asked at this time.
    Due(Timestamp),
    Asked(RequestId),
    /// To be asked once it is back.
    Away,
    /// To be asked once nobody leads any more.
    Behind,
}

/// Who may delete now.
#[derive(Clone, Debug)]
enum First {
    /// This one is there and has not told yet whether it leads.
    NobodyYet(ServerId),
    Only(ServerId),
    All,
}

impl First {
    fn lets(&self, server: &ServerId) -> bool {
        match self {
            Self::NobodyYet(_) => false,
            Self::Only(first) => first == server,
            Self::All => true,
        }
    }
}

impl Deletion {
    /// One that is yet to be stored.
    pub(super) fn new() -> Self {
        Self {
            is_marked: false,
            left: BTreeMap::new(),
        }
    }

    /// One that is stored.
    pub(super) fn found() -> Self {
        Self {
            is_marked: true,
            ..Self::new()
        }
    }

    /// Asks everybody who is to be asked by now.
    fn drive(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) {
        self.forget_those_given_up(memory, cx);
        self.ask(memory, cx);
        self.end(memory, cx);
    }

    fn ask(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) {
        if !self.is_marked || memory.metadata(cx).is_none() {
            return;
        }
        let now = cx.context.now;
        let first = self.first(cx);
        for (id, holder) in &mut self.left {
            let may_delete = first.lets(id);
            if holder.state == State::Behind && may_delete {
                holder.state = State::Due(now);
            }
            if !matches!(holder.state, State::Due(at) if at <= now) {
                continue;
            }
            if cx.is_away(&holder.server) || cx.is_foreign(&holder.server) {
                holder.state = State::Away;
                continue;
            }
            if holder.is_known && !may_delete {
                holder.state = State::Behind;
                continue;
            }
            let server = cx.addressed(&holder.server);
            let request = if holder.is_known {
                memory.send_delete(LAST, &server, cx)
            } else {
                memory.ask_status(&server, cx)
            };
            holder.state = State::Asked(request);
        }
    }

    /// Nobody waits for those that never come back. The document tells of the others as members, since there
    /// is no shard without any.
    fn forget_those_given_up(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) {
        let before = self.left.len();
        let requests = self
            .left
            .extract_if(.., |_, holder| cx.is_given_up(&holder.server));
        let requests: Vec<RequestId> = requests
            .filter_map(|(_, holder)| match holder.state {
                State::Asked(request) => Some(request),
                State::Due(_) | State::Away | State::Behind => None,
            })
            .collect();
        for request in requests {
            cx.context.cancel(request);
        }
        if self.left.len() == before || self.left.is_empty() {
            return;
        }
        let left = self.left.values().map(|holder| holder.server.clone());
        let left: Vec<DataServerIdentity> = left.collect();
        let (namespace, delete) = (&memory.namespace, Intent::Delete);
        cx.ledger.change(namespace, memory.id, delete, |shard| {
            shard.leader = shard.leader.take().filter(|leader| left.contains(leader));
            shard.ensemble = left;
            shard.removed_nodes.clear();
            shard.pending_delete_shard_nodes.clear();
        });
    }

    /// Who is to delete before all others: one that leads.
    fn first(&self, known: &Known<'_>) -> First {
        let left = self.left.iter();
        // Who was away and does not serve yet is not asked.
        let is_there = |holder: &Holder| {
            holder.state != State::Away
                && !known.is_away(&holder.server)
                && !known.is_foreign(&holder.server)
        };
        let mut there = left.filter(|(_, holder)| is_there(holder));
        if let Some((id, _)) = there.clone().find(|(_, holder)| !holder.is_known) {
            return First::NobodyYet(id.clone());
        }
        let leader = there.find(|(_, holder)| holder.leads);
        leader.map_or(First::All, |(id, _)| First::Only(id.clone()))
    }

    /// Why those that have something still do.
    pub(super) fn holdups(&self, known: &Known<'_>) -> Vec<(ServerId, Holdup)> {
        let first = match self.first(known) {
            First::Only(id) | First::NobodyYet(id) => Some(id),
            First::All => None,
        };
        let holdup = |holder: &Holder| {
            if let Some(absence) = Holdup::of_absence(&holder.server, known) {
                return Some(absence);
            }
            match holder.state {
                State::Away => Some(Holdup::NotServing),
                State::Behind => first.clone().map(Holdup::Unfenced),
                State::Due(_) | State::Asked(_) => holder.failed.map(Holdup::Refused),
            }
        };
        let left = self.left.iter();
        left.filter_map(|(id, it)| Some((id.clone(), holdup(it)?)))
            .collect()
    }

    fn asked(&self, request: RequestId) -> Option<ServerId> {
        let mut left = self.left.iter();
        let found = left.find(|(_, holder)| holder.state == State::Asked(request));
        found.map(|(id, _)| id.clone())
    }

    /// Once nobody has anything any more the document need not tell of it.
    fn end(&self, memory: &Memory, cx: &mut ShardContext<'_>) {
        if self.is_marked && self.left.is_empty() {
            cx.ledger.remove_shard(&memory.namespace, memory.id);
            let namespaces = &cx.ledger.working().namespaces;
            let rest = namespaces.get(&memory.namespace);
            if rest.is_some_and(|rest| rest.shards.is_empty()) {
                cx.ledger.remove(&memory.namespace);
            }
        }
    }
}

/// Everybody who may have a part of a shard.
fn holders(shard: &ShardMetadata) -> Vec<&DataServerIdentity> {
    let others = shard.removed_nodes.iter();
    let others = others.chain(&shard.pending_delete_shard_nodes);
    distinct(shard.ensemble.iter().chain(others))
}

impl Perform for Deletion {
    fn begin(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        cx.leaders.set(memory.id, None);
        let Some(shard) = memory.metadata(cx) else {
            return Next::Stay;
        };
        let now = cx.context.now;
        // Whatever these have of it is to go as well. But they never led.
        memory.opened.forget_those_told_of(&shard);
        let opened = memory.opened.servers();
        let opened = opened.filter(|it| cx.reach(it) == Reach::Running);
        let opened: Vec<DataServerIdentity> = opened.cloned().collect();
        let holder = |server: &DataServerIdentity| Holder {
            server: server.clone(),
            state: State::Due(now),
            is_known: opened.contains(server),
            leads: shard.leader.as_ref() == Some(server),
            backoff: Backoff::default(),
            failed: None,
        };
        let left = opened.iter().chain(holders(&shard));
        self.left = left.map(|server| (server.id(), holder(server))).collect();
        cx.context.report(Report::DeletionBegun {
            namespace: memory.namespace.clone(),
            shard: memory.id,
        });
        if !self.is_marked {
            let (namespace, delete) = (&memory.namespace, Intent::Delete);
            cx.ledger.change(namespace, memory.id, delete, |shard| {
                shard.status = ShardStatus::Deleting;
                shard.pending_delete_shard_nodes.extend(opened);
            });
        }
        self.drive(memory, cx);
        Next::Stay
    }

    fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        let Some(id) = self.asked(request) else {
            return Next::Stay;
        };
        let Some(holder) = self.left.get_mut(&id) else {
            return Next::Stay;
        };
        let kind = result.as_ref().err().map(|error| error.kind);
        if let Ok(Answer::Status(status)) = &result {
            holder.leads = status.role == ReplicaRole::Leader;
        }
        if !holder.is_known && kind.is_none_or(|kind| !kind.is_unheard()) {
            holder.is_known = true;
            holder.state = State::Due(cx.context.now);
            self.drive(memory, cx);
            return Next::Stay;
        }
        if matches!(result, Ok(Answer::ShardDeleted)) || kind == Some(CallErrorKind::NotMember) {
            self.left.remove(&id);
            self.drive(memory, cx);
            return Next::Stay;
        }
        holder.failed = Some(kind.unwrap_or(CallErrorKind::Other));
        let timing = &cx.context.timing;
        let (first, most) = (timing.reconnect_first, timing.reconnect_most);
        holder.state = State::Due(cx.context.wait(&mut holder.backoff, first, most));
        Next::Stay
    }

    fn persisted(
        &mut self,
        durable: Durable<Intent>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        if *durable.fact() == Intent::Delete {
            self.is_marked = true;
            self.drive(memory, cx);
        }
        Next::Stay
    }

    fn time_passed(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        self.drive(memory, cx);
        Next::Stay
    }

    fn deadline(&self) -> Option<Timestamp> {
        let due = self.left.values().filter_map(|holder| match holder.state {
            State::Due(at) if self.is_marked => Some(at),
            State::Due(_) | State::Asked(_) | State::Away | State::Behind => None,
        });
        due.min()
    }

    fn server_running(
        &mut self,
        server: &ServerId,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        if let Some(holder) = self.left.get_mut(server)
            && matches!(holder.state, State::Due(_) | State::Away | State::Behind)
        {
            holder.state = State::Due(cx.context.now);
            holder.backoff.reset();
        }
        self.drive(memory, cx);
        Next::Stay
    }

    fn server_unavailable(
        &mut self,
        _: &ServerId,
        _: &str,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        self.drive(memory, cx);
        Next::Stay
    }

    fn doubted(&mut self, _: Option<&ServerId>, _: &Memory, _: &ShardContext<'_>) -> Next {
        Next::Stay
    }

    fn is_settled(&self) -> bool {
        false
    }

    fn in_sync(&self) -> usize {
        0
    }

    fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        for holder in std::mem::take(&mut self.left).into_values() {
            if let State::Asked(request) = holder.state {
                cx.context.cancel(request);
            }
        }
    }
}
