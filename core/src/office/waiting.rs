//! Data that is to be deleted and is still there, for whoever asks why.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Office;
use crate::balance::Waiting;
use crate::id::{ServerId, ShardId};
use crate::shard::{Holdup, Known};

impl Office {
    /// Every reason for which a data server has not deleted yet what it is to of a namespace, with how many
    /// shards that is.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let known = Known {
            servers: &self.servers,
            configuration: self.configuration.as_deref(),
        };
        let mut all: BTreeMap<(ServerId, Holdup, Arc<str>), (usize, ShardId)> = BTreeMap::new();
        for (id, shard) in &self.shards {
            let Some(stored) = self.ledger.shard(shard.namespace(), *id) else {
                continue;
            };
            for (server, reason) in shard.holdups(stored, &known) {
                let key = (server, reason, shard.namespace().clone());
                let (shards, _) = all.entry(key).or_insert((0, *id));
                *shards += 1;
            }
        }
        let all = all.into_iter();
        all.map(|((server, reason, namespace), (shards, first))| Waiting {
            server,
            reason,
            shards,
            namespace,
            first,
        })
        .collect()
    }
}
