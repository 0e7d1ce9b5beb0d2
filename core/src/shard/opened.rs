//! Empty replicas that were opened only to learn that they are empty ([`Probe`]): whoever does not become a member
//! deletes its own.
//!
//! It is known in this tenure alone: one that ends between a probe and the term that is stored with the exchange
//! leaves an empty replica, in which nobody ever writes, on a server that is no member. Were it stored first, what
//! a server turns out to have of an earlier time would be deleted by a coordinator that comes after, without a word.

use std::collections::BTreeMap;
use std::time::Duration;

use super::context::ShardContext;
use super::followers::Followers;
use super::intent::Intent;
use super::memory::Memory;
use super::probe::{Probe, Probed};
use crate::call::{Answer, CallError};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::{RequestId, ServerId, Timestamp};
use crate::server::Reach;

/// For so long whoever was asked may be asked again, to become a member: what it opened then serves it.
const COMES: Duration = Duration::from_secs(60);

/// Where they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened {
    at: BTreeMap<ServerId, Replica>,
}

#[derive(Clone, Debug)]
struct Replica {
    server: DataServerIdentity,
    /// That is known, not only supposed.
    is_empty: bool,
    /// When it is dealt with; `None` once it may be, and that as soon as it can.
    due: Option<Timestamp>,
}

impl Opened {
    /// This server is asked for a vote in no term.
    pub(super) fn note_probed(&mut self, server: &DataServerIdentity, now: Timestamp) {
        self.note(server, false, now);
    }

    /// It has an empty replica.
    pub(super) fn note_empty(&mut self, server: &DataServerIdentity, now: Timestamp) {
        self.note(server, true, now);
    }

    /// It has more than that, which nobody has asked to delete.
    pub(super) fn note_data(&mut self, server: &ServerId) {
        self.at.remove(server);
    }

    fn note(&mut self, server: &DataServerIdentity, is_empty: bool, now: Timestamp) {
        let replica = Replica {
            server: server.clone(),
            is_empty,
            due: Some(now.after(COMES)),
        };
        self.at.insert(server.id(), replica);
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &DataServerIdentity> {
        self.at.values().map(|replica| &replica.server)
    }

    /// The document tells of it by now, and what is to become of what it has.
    pub(super) fn forget_those_told_of(&mut self, shard: &ShardMetadata) {
        let others = shard.ensemble.iter().chain(&shard.removed_nodes);
        let others = others.chain(&shard.pending_delete_shard_nodes);
        self.at.retain(|id, replica| {
            let mut others = others.clone();
            !others.any(|it| it.id() == *id || it.internal == replica.server.internal)
        });
    }

    /// Returns when the next one is due of those that are not by now.
    fn wake(&mut self, now: Timestamp) -> Option<Timestamp> {
        for replica in self.at.values_mut() {
            replica.due.take_if(|due| *due <= now);
        }
        self.at.values().filter_map(|replica| replica.due).min()
    }

    /// Where a server has moved to it may have something else.
    fn follow(&mut self, cx: &ShardContext<'_>) {
        for replica in self.at.values_mut() {
            let server = cx.addressed(&replica.server);
            replica.is_empty &= server.same_addresses(&replica.server);
            replica.server = server;
        }
    }
}

/// Those who did not become members are asked whether they have such a replica, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Tidying {
    probe: Option<(ServerId, Probe)>,
    /// When there is something to do next, if nothing happens before.
    due: Option<Timestamp>,
}

impl Tidying {
    /// Has those who are known to have one delete it, and asks one of the others; but for this one, which is
    /// about to become a member.
    ///
    /// Only where every member has all that is committed: it is deleted at once then. Else it would be kept from
    /// taking in the shard until it is, and it may be the only one that can.
    pub(super) fn drive(
        &mut self,
        coming: Option<&ServerId>,
        followers: &Followers,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) {
        self.due = None;
        if memory.opened.at.is_empty() {
            return;
        }
        let Some(shard) = memory.metadata(cx) else {
            return;
        };
        memory.opened.forget_those_told_of(&shard);
        memory.opened.follow(cx);
        self.due = memory.opened.wake(cx.context.now);
        if followers.in_sync() + 1 < shard.ensemble.len() {
            return;
        }
        let due = memory.opened.at.iter().filter(|(id, replica)| {
            let is_there = cx.reach(&replica.server) == Reach::Running;
            replica.due.is_none() && is_there && Some(*id) != coming
        });
        let (empty, others): (Vec<_>, Vec<_>) = due.partition(|(_, replica)| replica.is_empty);
        let next = others.first().map(|(_, replica)| replica.server.clone());
        let empty = empty.into_iter().map(|(_, replica)| replica.server.clone());
        let empty: Vec<DataServerIdentity> = empty.collect();
        if !empty.is_empty() {
            let (namespace, leave) = (&memory.namespace, Intent::Leave);
            cx.ledger.change(namespace, memory.id, leave, |shard| {
                shard.pending_delete_shard_nodes.extend(empty);
            });
        }
        if let Some(server) = next
            && self.probe.is_none()
        {
            self.probe = Some((server.id(), Probe::begin(server, memory, cx)));
        }
    }

    /// Takes in an answer, if it is one of these.
    pub(super) fn answered(
        &mut self,
        request: RequestId,
        result: &Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> bool {
        let Some((id, probe)) = self.probe.take_if(|(_, it)| it.request() == request) else {
            return false;
        };
        let later = cx.context.now.after(COMES);
        let probed = probe.answered(result.clone(), memory, cx);
        let replica = memory.opened.at.get_mut(&id);
        match (probed, replica) {
            (Probed::On(probe), _) => self.probe = Some((id, probe)),
            // It has been waited for already.
            (Probed::Clean, Some(replica)) => replica.due = None,
            (Probed::Silent(_), Some(replica)) => replica.due = Some(later),
            (Probed::Clean | Probed::HasData | Probed::Silent(_), _) => {}
        }
        true
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        if let Some((_, probe)) = self.probe.take() {
            cx.context.cancel(probe.request());
        }
    }
}
