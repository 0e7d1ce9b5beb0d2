//! Members that have left: their data is deleted once it is not needed any more.
//!
//! With its data a replica forgets in which term it was fenced. Whoever led in an earlier term, and has not
//! heard since that it does no more, could feed it again, and acknowledge with it what nobody else has. So
//! nothing is deleted before each member follows in the present term, and each of the others that have left is
//! fenced in it: nobody can lead in an earlier one then, since who deletes does not either. It is fenced itself
//! first, too, where it takes a term. A call that is late does no harm: it has the term
//! in which nobody of them is a member.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Known, ShardContext};
use super::followers::Followers;
use super::holdup::Holdup;
use super::intent::Intent;
use super::memory::Memory;
use crate::backoff::Backoff;
use crate::call::{Answer, CallError, CallErrorKind};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::{RequestId, ServerId, Timestamp};

/// Who is being asked to delete what it has of the shard, and who is to be asked again, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Leavers {
    asked: BTreeMap<RequestId, ServerId>,
    /// Those that lead in no earlier term: they have said so in this one.
    fenced: BTreeSet<ServerId>,
    failed: BTreeMap<ServerId, Failed>,
}

#[derive(Clone, Debug)]
struct Failed {
    /// When it is asked again; `None` once it may be, and that as soon as it can.
    due: Option<Timestamp>,
    backoff: Backoff,
    kind: CallErrorKind,
}

impl Leavers {
    /// Asks those that can be asked.
    pub(super) fn drive(
        &mut self,
        followers: &Followers,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        let now = cx.context.now;
        for failed in self.failed.values_mut() {
            failed.due.take_if(|due| *due <= now);
        }
        forget_those_given_up(followers, memory, cx);
        let Some(shard) = memory.metadata(cx) else {
            return;
        };
        let spare = spare(&shard, followers, cx);
        if spare.is_empty() {
            return;
        }
        let pending = shard.pending_delete_shard_nodes.iter();
        let left = pending.filter(|server| who_is_there(&shard, server, cx).is_none());
        let left: Vec<&DataServerIdentity> = left.collect();
        for server in &left {
            let id = server.id();
            let is_asked = self.asked.values().any(|asked| *asked == id);
            let is_due = self.failed.get(&id).is_none_or(|it| it.due.is_none());
            if is_asked || !is_due || cx.is_away(server) || cx.is_foreign(server) {
                continue;
            }
            let is_harmless = |it: &DataServerIdentity| it.id() == id || self.is_fenced(it);
            let may_delete = spare.contains(server) && left.iter().all(|it| is_harmless(it));
            let is_done = self.is_fenced(server) || may_delete && self.cannot_be_fenced(&id);
            let server = cx.addressed(server);
            let request = if !is_done {
                memory.send_new_term(shard.term, &server, cx)
            } else if may_delete {
                memory.send_delete(shard.term, &server, cx)
            } else {
                continue;
            };
            self.asked.insert(request, id);
        }
    }

    fn is_fenced(&self, server: &DataServerIdentity) -> bool {
        self.fenced.contains(&server.id())
    }

    /// A replica that was cut off while it was sent a snapshot refuses any term. Where it deletes what it has it
    /// leads nobody any more, which is all that its fencing is for.
    fn cannot_be_fenced(&self, id: &ServerId) -> bool {
        let failed = self.failed.get(id);
        failed.is_some_and(|failed| failed.kind == CallErrorKind::Other)
    }

    /// Takes in an answer, if it is one of a leaver.
    pub(super) fn answered(
        &mut self,
        request: RequestId,
        result: &Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> bool {
        let Some(id) = self.asked.remove(&request) else {
            return false;
        };
        let kind = result.as_ref().err().map(|error| error.kind);
        match (result, kind) {
            (Ok(Answer::Fenced(_)), _) => {
                self.failed.remove(&id);
                self.fenced.insert(id);
            }
            (Ok(Answer::ShardDeleted), _) | (_, Some(CallErrorKind::NotMember)) => {
                self.failed.remove(&id);
                cx.ledger
                    .change(&memory.namespace, memory.id, Intent::Leave, |shard| {
                        shard
                            .pending_delete_shard_nodes
                            .retain(|server| server.id() != id);
                    });
            }
            (_, kind) => {
                let kind = kind.unwrap_or(CallErrorKind::Other);
                // Only an election in a later term helps.
                if kind == CallErrorKind::InvalidTerm
                    && let Some(shard) = memory.metadata(cx)
                {
                    let mut pending = shard.pending_delete_shard_nodes.iter();
                    if let Some(server) = pending.find(|server| server.id() == id) {
                        memory.learn(&cx.addressed(server), cx);
                    }
                }
                let failed = self.failed.entry(id).or_insert_with(|| Failed {
                    due: None,
                    backoff: Backoff::default(),
                    kind,
                });
                failed.kind = kind;
                let timing = &cx.context.timing;
                let (first, most) = (timing.reconnect_first, timing.reconnect_most);
                failed.due = Some(cx.context.wait(&mut failed.backoff, first, most));
            }
        }
        true
    }

    /// Why those of them that are not asked, or have failed to answer, are not done.
    pub(super) fn holdups(
        &self,
        shard: &ShardMetadata,
        followers: &Followers,
        known: &Known<'_>,
    ) -> Vec<(ServerId, Holdup)> {
        let spare = spare(shard, followers, known);
        let has_all = |member: &&DataServerIdentity| has_all(shard, followers, member);
        let behind = shard.ensemble.iter().find(|member| !has_all(member));
        let holdup = |server: &DataServerIdentity| {
            let id = server.id();
            if known.is_given_up(server) {
                return behind.map(|member| Holdup::Behind(member.id()));
            }
            if let Some(absence) = Holdup::of_absence(server, known) {
                return Some(absence);
            }
            if let Some(other) = who_is_there(shard, server, known) {
                return Some(Holdup::Replaced(other.id()));
            }
            if let Some(failed) = self.failed.get(&id) {
                return Some(Holdup::Refused(failed.kind));
            }
            if !spare.contains(server) {
                return behind.map(|member| Holdup::Behind(member.id()));
            }
            let others = shard.pending_delete_shard_nodes.iter();
            let others = others.filter(|it| who_is_there(shard, it, known).is_none());
            let mut others = others.map(DataServerIdentity::id);
            let unfenced = others.find(|other| *other != id && !self.fenced.contains(other));
            unfenced.map(Holdup::Unfenced)
        };
        let left = shard.pending_delete_shard_nodes.iter();
        left.filter_map(|it| Some((it.id(), holdup(it)?))).collect()
    }

    /// A server is back: it is asked at once.
    pub(super) fn hurry(&mut self, server: &ServerId) {
        self.failed.remove(server);
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.failed.values().filter_map(|failed| failed.due).min()
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        for request in std::mem::take(&mut self.asked).into_keys() {
            cx.context.cancel(request);
        }
    }
}

/// Nobody waits for those that never come back. Where only some of several are given up, they stay until each
/// member has what is committed: that several have left is what [`spare`] goes by.
fn forget_those_given_up(followers: &Followers, memory: &Memory, cx: &mut ShardContext<'_>) {
    let Some(shard) = memory.metadata(cx) else {
        return;
    };
    let pending = shard.pending_delete_shard_nodes.iter();
    let gone: Vec<ServerId> = pending
        .filter(|server| cx.is_given_up(server))
        .map(DataServerIdentity::id)
        .collect();
    let is_all = gone.len() == shard.pending_delete_shard_nodes.len();
    let are_whole = followers.in_sync() + 1 >= shard.ensemble.len();
    if !gone.is_empty() && (is_all || are_whole) {
        let (namespace, leave) = (&memory.namespace, Intent::Leave);
        cx.ledger.change(namespace, memory.id, leave, |shard| {
            let pending = &mut shard.pending_delete_shard_nodes;
            pending.retain(|server| !gone.contains(&server.id()));
        });
    }
}

/// Those that have left whose data is not needed any more: every member has what is committed.
///
/// But for the last one, where that is not configured any more and may never be there again, and a single one
/// has left: it has come, or come back, in its place, so it never led that one. Of several, it may have led
/// those that left before.
fn spare<'a>(
    shard: &'a ShardMetadata,
    followers: &Followers,
    known: &Known<'_>,
) -> &'a [DataServerIdentity] {
    let has_all = |member: &DataServerIdentity| has_all(shard, followers, member);
    let left = &shard.pending_delete_shard_nodes;
    match shard.ensemble.split_last() {
        Some((_, others)) if !others.iter().all(has_all) => &[],
        Some((last, _)) if has_all(last) => left,
        Some((last, _)) if known.is_draining(last) && left.len() == 1 => left,
        Some(_) | None => &[],
    }
}

fn has_all(shard: &ShardMetadata, followers: &Followers, member: &DataServerIdentity) -> bool {
    shard.leader.as_ref() == Some(member) || followers.is_in_sync(&member.id())
}

/// The member, or the one that is removed, that is this server or is at its address by now: in a broken document
/// one that has left may have stayed.
fn who_is_there<'a>(
    shard: &'a ShardMetadata,
    server: &DataServerIdentity,
    known: &Known<'_>,
) -> Option<&'a DataServerIdentity> {
    let server = known.addressed(server);
    let mut others = shard.ensemble.iter().chain(&shard.removed_nodes);
    others.find(|it| it.is_same_server(&server) || known.addressed(it).is_same_server(&server))
}
