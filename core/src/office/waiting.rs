//! Data that is to be deleted and is still there, for whoever asks why.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Office;
use crate::balance::Waiting;
use crate::id::{ServerId, ShardId};
use crate::shard::{Holdup, Known};

impl Office {
    /// Every reason for which a data server has not deleted yet what it is to, with how many shards that is.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let known = Known {
            servers: &self.servers,
            configuration: self.configuration.as_deref(),
        };
        let mut all: BTreeMap<(ServerId, Holdup), (usize, Arc<str>, ShardId)> = BTreeMap::new();
        for (id, shard) in &self.shards {
            let Some(stored) = self.ledger.shard(shard.namespace(), *id) else {
                continue;
            };
            for key in shard.holdups(stored, &known) {
                let first = || (0, shard.namespace().clone(), *id);
                let (shards, _, _) = all.entry(key).or_insert_with(first);
                *shards += 1;
            }
        }
        let all = all.into_iter();
        all.map(|((server, reason), (shards, namespace, first))| Waiting {
            server,
            reason,
            shards,
            namespace,
            first,
        })
        .collect()
    }
}
