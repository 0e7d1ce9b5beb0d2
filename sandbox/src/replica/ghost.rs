//! A witness beside the cluster that remembers what was committed.

use std::collections::BTreeMap;

use stepdown_core::{ShardId, Term};

use super::log::Log;
use super::model::DataServerModel;

/// Remembers, for each shard, the entries that were committed, and checks every leader's log
/// against them.
///
/// An entry counts as committed once its leader knows that a quorum has an entry of the leader's
/// *own* term, at or after it. Oxia leaders also report older entries as committed as soon as a
/// quorum has them, before they have written any of their own; such an entry can still be
/// replaced, by a log that ends in a higher term. No client was ever told that it was written.
#[derive(Clone, Debug, Default)]
pub struct Ghost {
    committed: BTreeMap<ShardId, Log>,
}

/// A leader lacks entries that were committed before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "shard {shard}: the leader of term {term} lost committed entries: it has {log:?}, committed were {committed:?}"
)]
pub struct LostEntries {
    /// The shard.
    pub shard: ShardId,
    /// The leader's term.
    pub term: Term,
    /// The leader's log.
    pub log: Log,
    /// What was committed.
    pub committed: Log,
}

impl Ghost {
    /// Looks at one server's replica of a shard, after anything has happened to it.
    pub fn observe(&mut self, server: &DataServerModel, shard: ShardId) -> Result<(), LostEntries> {
        match server.leads(shard).zip(server.log(shard)) {
            Some((term, (log, commit_offset))) => self.look(shard, term, log, commit_offset),
            None => Ok(()),
        }
    }

    /// Looks at what a leader has, and up to where it is committed.
    pub fn look(
        &mut self,
        shard: ShardId,
        term: Term,
        log: &Log,
        commit_offset: i64,
    ) -> Result<(), LostEntries> {
        let committed = self.committed.entry(shard).or_default();
        if log.term_at(commit_offset) == Some(term) {
            let known = committed.head().offset;
            if known <= commit_offset && log.starts_with(committed) {
                if known < commit_offset {
                    committed.become_prefix(log, commit_offset);
                }
                return Ok(());
            }
            // A deposed leader that has not heard of it knows less, and that is no loss.
            if committed.starts_with(&log.up_to(commit_offset)) {
                return Ok(());
            }
        } else if log.starts_with(committed) || self.is_deposed(shard, term) {
            return Ok(());
        }
        Err(LostEntries {
            shard,
            term,
            log: log.clone(),
            committed: self.committed(shard).cloned().unwrap_or_default(),
        })
    }

    /// What was committed of a shard.
    pub fn committed(&self, shard: ShardId) -> Option<&Log> {
        self.committed.get(&shard)
    }

    fn is_deposed(&self, shard: ShardId, term: Term) -> bool {
        self.committed(shard)
            .is_some_and(|committed| committed.head().term > term)
    }
}
