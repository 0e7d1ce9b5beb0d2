//! What every duty can be told, and what it may say becomes of the shard.

use super::context::ShardContext;
use super::exchange::Exchange;
use super::followers::Followers;
use super::intent::Intent;
use super::memory::Memory;
use crate::call::{Answer, CallError};
use crate::id::{RequestId, ServerId, Timestamp};
use crate::ledger::Durable;

/// What becomes of a shard's duty. Where another takes its place, what it still has under way is
/// given up.
#[derive(Debug)]
#[must_use]
pub(super) enum Next {
    /// It goes on.
    Stay,
    /// The shard is deleted; whether it is stored that it is.
    Delete { is_marked: bool },
    /// An election takes its place.
    Elect(Start),
    /// The shard is led, as stored.
    Lead(Followers),
    /// Nothing more is done; people are told why, if there is a reason.
    Park(Option<&'static str>),
    /// The leader is asked whether it leads: now, or at this time.
    Verify(Followers, Option<Timestamp>),
}

/// When an election begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Now, if a majority of the ensemble runs.
    AtOnce,
    /// After a wait that grows from attempt to attempt: a follower can't be had without it, and
    /// one that asks for it again and again gets it less and less often.
    Later,
    /// Likewise, as the attempt before has failed for this reason.
    AfterFailure(String),
    /// Now, and one server takes another's place with it.
    Exchanging(Box<Exchange>),
}

/// A duty.
pub(super) trait Perform {
    /// It takes its place.
    fn begin(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next;

    /// A data server has answered a request of this shard, or failed to.
    fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next;

    /// A change that the ledger was given has become durable.
    fn persisted(
        &mut self,
        durable: Durable<Intent>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next;

    /// Its deadline has passed, or may have.
    fn time_passed(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next;

    /// When it has something to do, if nothing happens before.
    fn deadline(&self) -> Option<Timestamp>;

    /// A server can be worked with again.
    fn server_running(
        &mut self,
        server: &ServerId,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next;

    /// A server can't be worked with any more.
    fn server_unavailable(
        &mut self,
        server: &ServerId,
        reason: &str,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next;

    /// It has become doubtful that the leader leads: what is between this server and us broke, where it is one.
    fn doubted(
        &mut self,
        broken: Option<&ServerId>,
        memory: &Memory,
        cx: &ShardContext<'_>,
    ) -> Next;

    /// Whether it only looks after a leader that is stored: then it can give way to an election.
    fn is_settled(&self) -> bool;

    /// How many replicas have what the leader had committed, the leader among them.
    fn in_sync(&self) -> usize;

    /// Gives up whatever is under way.
    fn cancel(&mut self, cx: &mut ShardContext<'_>);
}
