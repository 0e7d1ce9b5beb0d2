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
    /// When it is dealt with; `None` once it may be, and that as soon as it can.
    due: Option<Timestamp>,
}

impl Opened {
    /// This server has, or may have, one.
    pub(super) fn note(&mut self, server: &DataServerIdentity, now: Timestamp) {
        let replica = Replica {
            server: server.clone(),
            due: Some(now.after(COMES)),
        };
        self.at.insert(server.id(), replica);
    }

    /// It has more than that, which nobody has asked to delete.
    pub(super) fn note_data(&mut self, server: &ServerId) {
        self.at.remove(server);
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
}

/// Those who did not become members are asked once more whether they have such a replica, one after the other, and
/// are to delete it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tidying {
    probe: Option<(ServerId, Probe)>,
    /// When there is something to do next, if nothing happens before.
    due: Option<Timestamp>,
}

impl Tidying {
    /// Asks the next one; but for this one, which is about to become a member.
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
        self.due = memory.opened.wake(cx.context.now);
        if self.probe.is_some() || !is_deleted_at_once(&shard, followers) {
            return;
        }
        let opened = memory.opened.at.iter();
        let mut opened = opened.filter(|(id, replica)| {
            let is_there = cx.reach(&replica.server) == Reach::Running;
            let is_due = replica.due.is_none() && is_there && Some(*id) != coming;
            is_due && !cx.is_given_up(&replica.server)
        });
        if let Some((id, replica)) = opened.next() {
            let (id, server) = (id.clone(), cx.addressed(&replica.server));
            self.probe = Some((id, Probe::begin(server, memory, cx)));
        }
    }

    /// Takes in an answer, if it is one of these.
    pub(super) fn answered(
        &mut self,
        request: RequestId,
        result: &Result<Answer, CallError>,
        coming: Option<&ServerId>,
        followers: &Followers,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> bool {
        let Some((id, probe)) = self.probe.take_if(|(_, it)| it.request() == request) else {
            return false;
        };
        let server = probe.server().clone();
        match probe.answered(result.clone(), memory, cx) {
            Probed::On(probe) => self.probe = Some((id, probe)),
            Probed::Clean if coming != Some(&id) => {
                if let Some(shard) = memory.metadata(cx)
                    && is_deleted_at_once(&shard, followers)
                {
                    memory.opened.at.remove(&id);
                    let (namespace, leave) = (&memory.namespace, Intent::Leave);
                    cx.ledger.change(namespace, memory.id, leave, |shard| {
                        shard.pending_delete_shard_nodes.push(server);
                    });
                }
            }
            Probed::Silent(_) => memory.opened.note(&server, cx.context.now),
            Probed::Clean | Probed::HasData => {}
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

/// Whether who is to delete what it has does so at once. Else it would be kept from taking in the shard until it has,
/// and it may be the only one that can; and whoever has left would wait for it.
fn is_deleted_at_once(shard: &ShardMetadata, followers: &Followers) -> bool {
    shard.pending_delete_shard_nodes.is_empty() && followers.in_sync() + 1 >= shard.ensemble.len()
}
