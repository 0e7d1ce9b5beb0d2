//! Parked: the shard is not to be elected, or can't be.

use super::context::ShardContext;
use super::duty::{Next, Perform};
use super::intent::Intent;
use super::memory::Memory;
use crate::call::{Answer, CallError};
use crate::id::{RequestId, ServerId, Timestamp};
use crate::ledger::Durable;

/// Nothing is done, whatever happens.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    reason: Option<&'static str>,
}

impl Parked {
    /// Parked for a reason that people are told, if there is one.
    pub(super) fn new(reason: Option<&'static str>) -> Self {
        Self { reason }
    }
}

impl Perform for Parked {
    fn begin(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        cx.leaders.set(memory.id, None);
        if let Some(reason) = self.reason {
            memory.blocked(reason, cx);
        }
        Next::Stay
    }

    fn answered(
        &mut self,
        _: RequestId,
        _: Result<Answer, CallError>,
        _: &mut Memory,
        _: &mut ShardContext<'_>,
    ) -> Next {
        Next::Stay
    }

    fn persisted(&mut self, _: Durable<Intent>, _: &mut Memory, _: &mut ShardContext<'_>) -> Next {
        Next::Stay
    }

    fn time_passed(&mut self, _: &mut Memory, _: &mut ShardContext<'_>) -> Next {
        Next::Stay
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    fn server_running(&mut self, _: &ServerId, _: &mut Memory, _: &mut ShardContext<'_>) -> Next {
        Next::Stay
    }

    fn server_unavailable(
        &mut self,
        _: &ServerId,
        _: &str,
        _: &mut Memory,
        _: &mut ShardContext<'_>,
    ) -> Next {
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

    fn cancel(&mut self, _: &mut ShardContext<'_>) {}
}
