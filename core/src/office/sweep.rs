//! Sweeps: every shard's leader is verified now and then, a few shards at a time.

use super::Office;
use crate::id::{ShardId, Timestamp};
use crate::shard::ShardController;
use crate::tools::Tools;

/// Where the sweep is, and when it goes on.
#[derive(Debug)]
pub(super) struct Sweep {
    last: Option<ShardId>,
    next: Timestamp,
}

impl Sweep {
    pub(super) fn new(tools: &Tools) -> Self {
        Self {
            last: None,
            next: tools.now.after(tools.timing.lease),
        }
    }

    pub(super) fn deadline(&self) -> Timestamp {
        self.next
    }
}

impl Office {
    pub(super) fn sweep(&mut self, tools: &mut Tools) {
        if self.sweep.next > tools.now {
            return;
        }
        let rest = match self.sweep.last {
            Some(last) => self.shards.range(last.next()..),
            None => self.shards.range(..),
        };
        let ids: Vec<ShardId> = rest
            .take(tools.timing.sweep_shards)
            .map(|(id, _)| *id)
            .collect();
        for id in &ids {
            self.with_shard(*id, tools, ShardController::verify);
        }
        self.sweep.last = ids.last().copied();
        let wait = match self.sweep.last {
            Some(_) => tools.timing.sweep_every,
            None => tools.timing.reverify_every,
        };
        self.sweep.next = tools.now.after(wait);
    }
}
