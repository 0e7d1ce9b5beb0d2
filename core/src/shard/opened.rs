//! Empty replicas that [`Probe`]s have made servers open: whoever does not become a member deletes its own.
//!
//! It is known in this tenure alone: one that ends between a probe and the term that is stored with the exchange
//! leaves an empty replica, in which nobody ever writes, on a server that is no member. Were it stored first, what
//! a server turns out to have of an earlier time would be deleted by a coordinator that comes after, without a word.

use std::collections::BTreeMap;

use super::context::ShardContext;
use super::intent::Intent;
use super::memory::Memory;
use super::probe::{Probe, Probed};
use crate::backoff::Backoff;
use crate::call::{Answer, CallError};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::{RequestId, ServerId, Timestamp};
use crate::server::Reach;

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
}

impl Opened {
    /// This server is asked for a vote in no term.
    pub(super) fn may_be_at(&mut self, server: &DataServerIdentity) {
        self.found(server, false);
    }

    /// It has an empty replica.
    pub(super) fn is_empty_at(&mut self, server: &DataServerIdentity) {
        self.found(server, true);
    }

    /// It has more than that, which nobody has asked to delete.
    pub(super) fn is_not_empty_at(&mut self, server: &ServerId) {
        self.at.remove(server);
    }

    fn found(&mut self, server: &DataServerIdentity, is_empty: bool) {
        let server = server.clone();
        let replica = Replica { server, is_empty };
        self.at.insert(replica.server.id(), replica);
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &DataServerIdentity> {
        self.at.values().map(|replica| &replica.server)
    }

    /// The document tells of it by now, and what is to become of what it has.
    fn forget_members(&mut self, shard: &ShardMetadata) {
        let others = shard.ensemble.iter().chain(&shard.removed_nodes);
        let others = others.chain(&shard.pending_delete_shard_nodes);
        self.at.retain(|id, replica| {
            let mut others = others.clone();
            !others.any(|it| it.id() == *id || it.internal == replica.server.internal)
        });
    }
}

/// Those who did not become members are asked whether they have such a replica, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Tidying {
    probe: Option<(ServerId, Probe)>,
    /// When the next one is asked, as the last one did not answer.
    due: Option<Timestamp>,
    backoff: Backoff,
}

impl Tidying {
    /// Has those who are known to have one delete it, and asks one of the others; but for this one, which is
    /// about to become a member.
    pub(super) fn drive(
        &mut self,
        coming: Option<&ServerId>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) {
        if memory.opened.at.is_empty() {
            return;
        }
        let Some(shard) = memory.metadata(cx) else {
            return;
        };
        memory.opened.forget_members(&shard);
        let left = memory
            .opened
            .at
            .iter()
            .filter(|(id, _)| Some(*id) != coming);
        let (empty, others): (Vec<_>, Vec<_>) = left.partition(|(_, replica)| replica.is_empty);
        let next = others.into_iter().map(|(_, replica)| &replica.server);
        let mut next = next.filter(|server| cx.reach(server) == Reach::Running);
        let next = next.next().cloned();
        let empty = empty.into_iter().map(|(_, it)| cx.addressed(&it.server));
        let empty: Vec<DataServerIdentity> = empty.collect();
        if !empty.is_empty() {
            let (namespace, leave) = (&memory.namespace, Intent::Leave);
            cx.ledger.change(namespace, memory.id, leave, |shard| {
                shard.pending_delete_shard_nodes.extend(empty);
            });
        }
        self.due.take_if(|due| *due <= cx.context.now);
        if let Some(server) = next
            && self.probe.is_none()
            && self.due.is_none()
        {
            let server = cx.addressed(&server);
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
        match probe.answered(result.clone(), memory, cx) {
            Probed::On(probe) => self.probe = Some((id, probe)),
            Probed::Clean | Probed::HasData => self.backoff.reset(),
            Probed::Silent(_) => {
                let timing = &cx.context.timing;
                let (first, most) = (timing.reconnect_first, timing.reconnect_most);
                self.due = Some(cx.context.wait(&mut self.backoff, first, most));
            }
        }
        true
    }

    /// A server is back, which may be the one that did not answer.
    pub(super) fn hurry(&mut self) {
        self.due = None;
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
