//! One shard's life: a duty at a time, each in a file of its own.
//!
//! A duty says of everything that happens what becomes of the shard: it goes on, or another duty
//! takes its place. *A duty can always begin from the document alone*: whatever a take-over or an
//! election interrupts is taken up again where the status says that it is, by [`found`]. What a
//! duty hands to the next one (followers, say) only spares questions.
//!
//! A shard waits for nobody but its own ensemble: each has its own retries, so one that can't be
//! elected delays no other.

mod attempt;
mod context;
mod deletion;
mod duty;
mod election;
mod exchange;
mod fence;
mod fencing;
mod follower;
mod followers;
mod holdup;
mod intent;
mod leaders;
mod leadership;
mod leavers;
mod led;
mod memory;
mod missing;
mod opened;
mod parked;
mod position;
mod probe;
mod promotion;
mod quorum;
mod recall;
#[cfg(test)]
mod tests;
mod told;
mod verification;

use std::sync::Arc;

pub(crate) use self::context::{Known, ShardContext};
use self::deletion::Deletion;
use self::duty::{Next, Perform, Start};
use self::election::Election;
pub(crate) use self::exchange::{Exchange, LEAST, Unfit};
use self::followers::Followers;
pub use self::holdup::Holdup;
pub(crate) use self::intent::Intent;
pub(crate) use self::leaders::Leaders;
use self::leadership::Leadership;
use self::memory::Memory;
use self::parked::Parked;
use self::verification::Verification;
use crate::call::{Answer, CallError};
use crate::cluster::{ShardMetadata, ShardStatus};
use crate::id::{RequestId, ServerId, ShardId, Timestamp};
use crate::ledger::Durable;

/// What a shard is at.
#[derive(Clone, Debug)]
enum Duty {
    Deletion(Deletion),
    Election(Election),
    Leadership(Leadership),
    Parked(Parked),
    Verification(Verification),
}

/// The duty that the document asks for.
fn found(shard: &ShardMetadata) -> Next {
    if shard.status == ShardStatus::Deleting {
        return Next::Delete { is_marked: true };
    }
    if shard.is_split_child() {
        let reason = "it is being split, which this release does not carry on";
        return Next::Park(Some(reason));
    }
    match (&shard.leader, shard.status) {
        // Somebody else may have stored one amid an exchange: only an election ends that.
        (Some(leader), ShardStatus::SteadyState)
            if shard.is_member(leader) && shard.removed_nodes.is_empty() =>
        {
            Next::Verify(Followers::found(shard), None)
        }
        (
            _,
            ShardStatus::Unknown
            | ShardStatus::SteadyState
            | ShardStatus::Election
            | ShardStatus::Deleting,
        ) => Next::Elect(Start::AtOnce),
    }
}

impl Duty {
    /// The duty that takes the place of another, if one does.
    fn after(next: Next) -> Option<Self> {
        Some(match next {
            Next::Stay => return None,
            Next::Delete { is_marked: true } => Self::Deletion(Deletion::found()),
            Next::Delete { is_marked: false } => Self::Deletion(Deletion::new()),
            Next::Elect(start) => Self::Election(Election::new(start)),
            Next::Lead(followers) => Self::Leadership(Leadership::new(followers)),
            Next::Park(reason) => Self::Parked(Parked::new(reason)),
            Next::Verify(followers, due) => Self::Verification(Verification::new(followers, due)),
        })
    }

    fn get(&self) -> &dyn Perform {
        match self {
            Self::Deletion(duty) => duty,
            Self::Election(duty) => duty,
            Self::Leadership(duty) => duty,
            Self::Parked(duty) => duty,
            Self::Verification(duty) => duty,
        }
    }

    fn get_mut(&mut self) -> &mut dyn Perform {
        match self {
            Self::Deletion(duty) => duty,
            Self::Election(duty) => duty,
            Self::Leadership(duty) => duty,
            Self::Parked(duty) => duty,
            Self::Verification(duty) => duty,
        }
    }
}

/// One shard's controller.
#[derive(Clone, Debug)]
pub(crate) struct ShardController {
    memory: Memory,
    duty: Duty,
}

impl ShardController {
    /// The controller of a shard found in the document; [`ShardController::start`] sets it going.
    pub(crate) fn found(namespace: Arc<str>, id: ShardId) -> Self {
        Self {
            memory: Memory::new(namespace, id),
            duty: Duty::Parked(Parked::new(None)),
        }
    }

    /// The controller of a shard whose creation and first term are on their way to the store.
    pub(crate) fn created(
        namespace: Arc<str>,
        id: ShardId,
        shard: &ShardMetadata,
        now: Timestamp,
    ) -> Self {
        let mut memory = Memory::new(namespace, id);
        memory.began = now;
        memory.find(shard);
        Self {
            memory,
            duty: Duty::Election(Election::created(shard.term)),
        }
    }

    pub(crate) fn namespace(&self) -> &Arc<str> {
        &self.memory.namespace
    }

    /// Whether it is led, as stored, and nothing is under way but followers.
    pub(crate) fn is_steady(&self) -> bool {
        matches!(self.duty, Duty::Leadership(_))
    }

    /// Whether it is led, and this member of it, the leader or another one, has what is committed.
    pub(crate) fn has_in_sync(&self, server: &ServerId, leader: Option<&ServerId>) -> bool {
        match &self.duty {
            Duty::Leadership(leadership) => {
                leader == Some(server) || leadership.has_in_sync(server)
            }
            Duty::Deletion(_) | Duty::Election(_) | Duty::Parked(_) | Duty::Verification(_) => {
                false
            }
        }
    }

    /// Why data servers that are to delete what they have of it have not yet.
    pub(crate) fn holdups(
        &self,
        stored: &ShardMetadata,
        known: &Known<'_>,
    ) -> Vec<(ServerId, Holdup)> {
        match &self.duty {
            Duty::Leadership(leadership) => leadership.holdups(stored, known),
            Duty::Deletion(deletion) => deletion.holdups(known),
            // For a moment.
            Duty::Verification(_) => Vec::new(),
            Duty::Election(_) | Duty::Parked(_) => {
                let left = stored.pending_delete_shard_nodes.iter();
                left.map(|it| (it.id(), Holdup::NotLed)).collect()
            }
        }
    }

    /// Whether it could be elected, but for a majority of its ensemble that runs.
    pub(crate) fn awaits_majority(&self) -> bool {
        matches!(&self.duty, Duty::Election(election) if election.awaits_majority())
    }

    /// How many of its replicas have what its leader had committed, the leader among them.
    pub(crate) fn in_sync(&self) -> usize {
        self.duty.get().in_sync()
    }

    pub(crate) fn start(&mut self, cx: &mut ShardContext<'_>) {
        // The configuration may have marked it already, and that is not stored yet.
        if self.is_deleted() {
            return;
        }
        if let Some(shard) = self.memory.metadata(cx) {
            self.memory.find(&shard);
            self.turn(found(&shard), cx);
        }
    }

    pub(crate) fn persisted(&mut self, durable: Durable<Intent>, cx: &mut ShardContext<'_>) {
        self.act(cx, |duty, memory, cx| duty.persisted(durable, memory, cx));
    }

    pub(crate) fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        cx: &mut ShardContext<'_>,
    ) {
        self.act(cx, |duty, memory, cx| {
            if !memory.asked_to_learn(request) {
                return duty.answered(request, result, memory, cx);
            }
            // An election that is under way jumps over the term anyway.
            if memory.learned(result, cx) && duty.is_settled() {
                Next::Elect(Start::Later)
            } else {
                Next::Stay
            }
        });
    }

    pub(crate) fn time_passed(&mut self, cx: &mut ShardContext<'_>) {
        self.act(cx, |duty, memory, cx| duty.time_passed(memory, cx));
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.duty.get().deadline()
    }

    pub(crate) fn server_running(&mut self, server: &ServerId, cx: &mut ShardContext<'_>) {
        self.act(cx, |duty, memory, cx| {
            duty.server_running(server, memory, cx)
        });
    }

    /// A server was bound to the cluster only now, though it ought to have had a replica.
    pub(crate) fn server_emptied(&mut self, server: &ServerId, cx: &mut ShardContext<'_>) {
        self.memory.server_emptied(server);
        match &mut self.duty {
            Duty::Leadership(leadership) => leadership.server_emptied(server, cx.context.now),
            Duty::Election(election) => election.server_emptied(server, cx),
            Duty::Deletion(_) | Duty::Parked(_) | Duty::Verification(_) => {}
        }
    }

    pub(crate) fn server_unavailable(
        &mut self,
        server: &ServerId,
        reason: &str,
        cx: &mut ShardContext<'_>,
    ) {
        self.act(cx, |duty, memory, cx| {
            duty.server_unavailable(server, reason, memory, cx)
        });
    }

    /// Whether it is being deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        matches!(self.duty, Duty::Deletion(_))
    }

    /// Deletes it, whatever is under way.
    pub(crate) fn delete(&mut self, cx: &mut ShardContext<'_>) {
        if !self.is_deleted() {
            self.turn(Next::Delete { is_marked: false }, cx);
        }
    }

    /// Lets one server take another's place, if all is such that it can be begun. How it ends is in the
    /// document.
    pub(crate) fn exchange(
        &mut self,
        exchange: Exchange,
        cx: &mut ShardContext<'_>,
    ) -> Result<(), Unfit> {
        match &mut self.duty {
            Duty::Leadership(leadership) => leadership.exchange(exchange, &self.memory, cx),
            Duty::Deletion(_) | Duty::Election(_) | Duty::Parked(_) | Duty::Verification(_) => {
                Err(Unfit::NotLed)
            }
        }
    }

    /// Elects anew, if it is led and every replica has what its leader has: another one may lead then.
    /// Returns whether it does.
    pub(crate) fn hand_over(&mut self, cx: &mut ShardContext<'_>) -> bool {
        let replicas = self.memory.metadata(cx).map(|shard| shard.ensemble.len());
        let is_whole = replicas.is_some_and(|replicas| self.in_sync() >= replicas);
        let can_be = self.is_steady() && is_whole && !self.is_exchanging();
        if can_be {
            self.turn(Next::Elect(Start::AtOnce), cx);
        }
        can_be
    }

    /// Whether one server is about to take another's place, and it is not stored yet that it has.
    pub(crate) fn is_exchanging(&self) -> bool {
        match &self.duty {
            Duty::Leadership(leadership) => leadership.is_exchanging(),
            Duty::Election(election) => election.exchange.is_some(),
            Duty::Deletion(_) | Duty::Parked(_) | Duty::Verification(_) => false,
        }
    }

    /// Who was to come last and has data of it, of an earlier time; told once.
    pub(crate) fn take_declined(&mut self) -> Option<ServerId> {
        self.memory.take_declined()
    }

    /// Verifies that its leader leads, as what is between this server and us broke, where it is one; whatever else
    /// is under way goes on instead.
    pub(crate) fn verify(&mut self, broken: Option<&ServerId>, cx: &mut ShardContext<'_>) {
        self.act(cx, |duty, memory, cx| duty.doubted(broken, memory, cx));
    }

    /// Elects, if its ensemble or leader is stored with another address than the configured one:
    /// an election refreshes it.
    pub(crate) fn readdress(&mut self, cx: &mut ShardContext<'_>) {
        if self.duty.get().is_settled() && self.memory.is_misaddressed(cx) {
            self.turn(Next::Elect(Start::AtOnce), cx);
        }
    }

    /// Ends whatever is under way and does nothing more.
    pub(crate) fn park(&mut self, cx: &mut ShardContext<'_>) {
        self.turn(Next::Park(None), cx);
    }

    fn turn(&mut self, next: Next, cx: &mut ShardContext<'_>) {
        self.act(cx, |_, _, _| next);
    }

    fn act(
        &mut self,
        cx: &mut ShardContext<'_>,
        act: impl FnOnce(&mut dyn Perform, &mut Memory, &mut ShardContext<'_>) -> Next,
    ) {
        let mut next = act(self.duty.get_mut(), &mut self.memory, cx);
        while let Some(duty) = Duty::after(next) {
            self.duty.get_mut().cancel(cx);
            self.duty = duty;
            next = self.duty.get_mut().begin(&mut self.memory, cx);
        }
    }
}
