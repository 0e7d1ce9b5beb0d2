//! Empty replicas that were opened only to learn that they are empty ([`Probe`]): whoever does not become a member
//! deletes its own.
//!
//! It is told to in no term at all, which whoever was ever fenced refuses: nothing else can be lost with it. So it
//! need not be stored, nor be the last that has happened to the shard. A coordinator that ends between the two leaves
//! an empty replica, in which nobody ever writes, on a server that is no member.

use std::collections::BTreeMap;
use std::time::Duration;

use super::context::ShardContext;
use super::memory::Memory;
use super::probe::{Probe, Probed};
use crate::backoff::Backoff;
use crate::call::{Answer, CallError, CallErrorKind};
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::context::Context;
use crate::id::{RequestId, ServerId, Term, Timestamp};
use crate::server::Reach;

/// After how long it is tried again at first, where it failed. Meanwhile who was slow to open it may be asked once
/// more to become a member.
const AGAIN: Duration = Duration::from_secs(10);
/// And where it fails again and again.
const SELDOM: Duration = Duration::from_secs(300);

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
    backoff: Backoff,
}

impl Opened {
    /// This server has, or may have, one.
    pub(super) fn note(&mut self, server: &DataServerIdentity) {
        let replica = self.at.entry(server.id()).or_insert_with(|| Replica {
            server: server.clone(),
            due: None,
            backoff: Backoff::default(),
        });
        replica.server = server.clone();
        replica.due = None;
    }

    /// If it has one, that could not be learned, or it could not be deleted.
    pub(super) fn put_off(&mut self, server: &ServerId, context: &mut Context) {
        if let Some(replica) = self.at.get_mut(server) {
            replica.due = Some(context.wait(&mut replica.backoff, AGAIN, SELDOM));
        }
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
        self.at
            .retain(|_, replica| !others.clone().any(|it| it.is_same_server(&replica.server)));
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
/// delete it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tidying {
    asked: Option<Asked>,
    /// When there is something to do next, if nothing happens before.
    due: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Asked {
    server: DataServerIdentity,
    step: Step,
}

#[derive(Clone, Debug)]
enum Step {
    Probe(Probe),
    Delete(RequestId),
}

impl Asked {
    fn request(&self) -> RequestId {
        match &self.step {
            Step::Probe(probe) => probe.request(),
            Step::Delete(request) => *request,
        }
    }
}

impl Tidying {
    /// Asks the next one; but for this one, which is about to become a member.
    pub(super) fn drive(
        &mut self,
        coming: Option<&DataServerIdentity>,
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
        if self.asked.is_some() {
            return;
        }
        let opened = memory.opened.at.values();
        let mut opened = opened.filter(|replica| {
            let is_there = cx.reach(&replica.server) == Reach::Running;
            let comes = |it: &DataServerIdentity| it.is_same_server(&replica.server);
            replica.due.is_none() && is_there && !coming.is_some_and(comes)
        });
        if let Some(replica) = opened.next() {
            let server = cx.addressed(&replica.server);
            let step = Step::Probe(Probe::begin(server.clone(), memory, cx));
            self.asked = Some(Asked { server, step });
        }
    }

    /// Whether this server is being asked: until it has answered it can't become a member.
    pub(super) fn concerns(&self, server: &DataServerIdentity) -> bool {
        let asked = self.asked.as_ref().map(|asked| &asked.server);
        asked.is_some_and(|it| it.is_same_server(server))
    }

    /// Takes in an answer, if it is one of these.
    pub(super) fn answered(
        &mut self,
        request: RequestId,
        result: &Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> bool {
        let Some(Asked { server, step }) = self.asked.take_if(|it| it.request() == request) else {
            return false;
        };
        let step = match step {
            Step::Probe(probe) => match probe.answered(result.clone(), memory, cx) {
                Probed::On(probe) => Some(Step::Probe(probe)),
                Probed::Clean => Some(Step::Delete(memory.send_delete(Term::NEVER, &server, cx))),
                Probed::HasData | Probed::Silent(_) => None,
            },
            Step::Delete(_) => {
                let kind = result.as_ref().err().map(|error| error.kind);
                match kind {
                    // Deleted, or fenced since.
                    None | Some(CallErrorKind::InvalidTerm | CallErrorKind::NotMember) => {
                        memory.opened.at.remove(&server.id());
                    }
                    Some(_) => memory.opened.put_off(&server.id(), cx.context),
                }
                None
            }
        };
        self.asked = step.map(|step| Asked { server, step });
        true
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due
    }

    pub(super) fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        if let Some(asked) = self.asked.take() {
            cx.context.cancel(asked.request());
        }
    }
}
