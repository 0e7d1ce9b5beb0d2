//! What a data server keeps on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stepdown_core::call::EntryId;
use stepdown_core::{ShardId, Term};

use super::log::Log;

/// All that a data server keeps on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurableServer {
    /// The cluster it is bound to.
    pub instance_id: Option<Arc<str>>,
    /// Its shards.
    pub shards: BTreeMap<ShardId, DurableShard>,
}

/// What a server keeps of a shard on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurableShard {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its term.
    pub term: Term,
    /// All its entries, in the log or not.
    pub log: Log,
    /// Where the log begins: what is before came by a snapshot or was trimmed, and is in the
    /// database alone.
    pub first: i64,
    /// How far the log is known to be committed: as far as it is in the database, which may be
    /// further than a log that was truncated or lost. It alone is no reason to write.
    pub commit_offset: i64,
    /// How far the database was when it was last flushed. One that is opened again is no further.
    pub flushed: i64,
}

impl DurableShard {
    /// The last entry of the log, or [`EntryId::NONE`] where it has none since a snapshot.
    pub(super) fn head(&self) -> EntryId {
        let head = self.log.head();
        if head.offset < self.first {
            EntryId::NONE
        } else {
            head
        }
    }

    /// The last entry that the log has and whose term is at most `term`.
    pub(super) fn last_at_most(&self, term: Term) -> EntryId {
        let last = self.log.last_at_most(term);
        if last.offset < self.first {
            EntryId::NONE
        } else {
            last
        }
    }

    /// Loses the log while the server is down; what was flushed of the database stays.
    pub fn drop_log(&mut self) {
        self.commit_offset = self.flushed;
        self.clear();
    }

    /// Empties the log; the database stays.
    pub(super) fn clear(&mut self) {
        self.log.truncate(self.commit_offset);
        self.first = self.log.head().offset.saturating_add(1);
    }

    /// Drops every entry after `offset` from the log. The database keeps what it has, and takes
    /// for applied whatever comes at the same offsets.
    pub(super) fn truncate(&mut self, offset: i64) {
        self.log.truncate(offset);
    }
}

/// What has changed since the last sync.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The cluster it was bound to meanwhile.
    pub instance_id: Option<Arc<str>>,
    /// The changed shards; `None` where one was deleted.
    pub shards: BTreeMap<ShardId, Option<DurableShard>>,
}

impl DurableServer {
    /// Takes in what has changed.
    pub(crate) fn apply(&mut self, changes: Changes) {
        if let Some(instance_id) = changes.instance_id {
            self.instance_id = Some(instance_id);
        }
        for (id, shard) in changes.shards {
            match shard {
                Some(shard) => self.shards.insert(id, shard),
                None => self.shards.remove(&id),
            };
        }
    }
}

impl Changes {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.instance_id.is_none() && self.shards.is_empty()
    }
}

/// When outputs may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Whatever is handled is durable at once.
    Immediate,
    /// Outputs are held back until `sync` says that everything before is durable.
    Deferred,
}

/// What a restart does to changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// They happened to reach the disk.
    Kept,
    /// They are gone.
    Lost,
}
