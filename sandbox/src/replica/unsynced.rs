//! What is not durable yet, and the outputs that wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use stepdown_core::ShardId;

use super::context::Context;
use super::durable::{Durability, DurableShard};
use super::output::Output;

/// Changes since the last sync, and what may be told only once they are durable.
#[derive(Clone, Debug)]
pub(super) struct Unsynced {
    durability: Durability,
    pub(super) trusting: bool,
    newly_bound: bool,
    /// What the disk holds of the shards that changed since the last sync.
    before: BTreeMap<ShardId, Option<DurableShard>>,
    held: VecDeque<Output>,
    ready: VecDeque<Output>,
}

impl Unsynced {
    pub(super) fn new(durability: Durability) -> Self {
        Self {
            durability,
            trusting: false,
            newly_bound: false,
            before: BTreeMap::new(),
            held: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    pub(super) fn durability(&self) -> Durability {
        self.durability
    }

    /// The server has just been bound to a cluster.
    pub(super) fn bind(&mut self) {
        self.newly_bound = self.durability == Durability::Deferred;
    }

    pub(super) fn is_newly_bound(&self) -> bool {
        self.newly_bound
    }

    /// The shards that have changed.
    pub(super) fn shards(&self) -> impl Iterator<Item = ShardId> + '_ {
        self.before.keys().copied()
    }

    /// What the disk holds of the shards that have changed.
    pub(super) fn take_before(&mut self) -> BTreeMap<ShardId, Option<DurableShard>> {
        std::mem::take(&mut self.before)
    }

    /// What a shard of the server at `address` needs to work.
    pub(super) fn context<'a>(&'a mut self, address: &'a Arc<str>) -> Context<'a> {
        Context {
            address,
            trusting: self.trusting,
            outputs: &mut self.held,
            before: (self.durability == Durability::Deferred).then_some(&mut self.before),
        }
    }

    pub(super) fn hold(&mut self, output: Output) {
        self.held.push_back(output);
    }

    /// Everything so far is durable: lets the outputs go that waited for it.
    pub(super) fn sync(&mut self) {
        self.newly_bound = false;
        self.before.clear();
        self.ready.append(&mut self.held);
    }

    /// Lets the outputs go that need not wait.
    pub(super) fn settle(&mut self) {
        match self.durability {
            Durability::Immediate => self.sync(),
            // What depends on no change need not wait for one.
            Durability::Deferred if self.before.is_empty() && !self.newly_bound => {
                self.ready.append(&mut self.held);
            }
            Durability::Deferred => {}
        }
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }
}
