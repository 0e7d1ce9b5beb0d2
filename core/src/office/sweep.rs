//! Sweeps: every shard's leader is verified now and then, a few shards at a time.

use super::Office;
use crate::context::Context;
use crate::id::{ShardId, Timestamp};

/// Where the sweep is, and when it goes on.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    last: Option<ShardId>,
    next: Timestamp,
}

impl Sweep {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            last: None,
            next: context.now.after(context.timing.lease),
        }
    }

    pub(super) fn deadline(&self) -> Timestamp {
        self.next
    }
}

impl Office {
    pub(super) fn sweep(&mut self, context: &mut Context) {
        if self.sweep.next > context.now {
            return;
        }
        let rest = match self.sweep.last {
            Some(last) => self.shards.range(last.next()..),
            None => self.shards.range(..),
        };
        let ids: Vec<ShardId> = rest
            .take(context.timing.sweep_shards)
            .map(|(id, _)| *id)
            .collect();
        for id in &ids {
            self.with_shard(*id, context, |shard, cx| shard.verify(None, cx));
        }
        self.sweep.last = ids.last().copied();
        let wait = match self.sweep.last {
            Some(_) => context.timing.sweep_every,
            None => context.timing.reverify_every,
        };
        self.sweep.next = context.now.after(wait);
    }
}
