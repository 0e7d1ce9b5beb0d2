//! Chooses the servers that replicate a shard.

mod error;
mod search;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use error::SelectionError;
use search::Search;

use super::affinity::{Constraints, Values};
use super::load::Load;
use crate::cluster::{DataServerIdentity, Namespace};
use crate::id::{ServerId, ShardId};

/// Blind alleys after which a search is given up. Only several strict labels that cut across each
/// other can make one so long.
const MAX_FAILURES: usize = 20_000;
/// How many of them each search earns back for the next, so that a namespace of many shards, each
/// hard to place, ends in an error too, and soon.
const EARNED_BACK: usize = 200;

/// Chooses ensembles for shards of one namespace, each aware of those before.
///
/// No two members share the value of a label that a strict rule names, and each has one. Among
/// what that leaves, servers that break the fewest relaxed rules come first, then those with the
/// fewest shards, then by a hash of shard and server, so that ties don't always go the same way.
#[derive(Clone, Debug)]
pub(crate) struct EnsembleSelector {
    namespace: Arc<str>,
    replication_factor: usize,
    constraints: Constraints,
    servers: Vec<Server>,
    labels: BTreeMap<ServerId, BTreeMap<Arc<str>, Arc<str>>>,
    /// Blind alleys that the next search may meet.
    patience: usize,
}

/// A server that may be chosen.
#[derive(Clone, Debug)]
struct Server {
    identity: DataServerIdentity,
    values: Values,
    hash: u64,
    shards: u64,
}

impl EnsembleSelector {
    /// A selector for `namespace` among `servers`, of which those with the same id count once.
    pub(crate) fn new<'a>(
        servers: impl IntoIterator<Item = &'a DataServerIdentity>,
        labels: &BTreeMap<ServerId, BTreeMap<Arc<str>, Arc<str>>>,
        namespace: &Namespace,
        load: &Load,
    ) -> Self {
        let mut constraints = Constraints::new(&namespace.anti_affinities);
        let by_id: BTreeMap<_, _> = servers.into_iter().map(|it| (it.id(), it)).collect();
        let servers = by_id
            .into_iter()
            .map(|(id, server)| Server {
                identity: server.named(),
                values: constraints.values(labels.get(&id)),
                hash: fnv_1a(FNV_START, id.0.as_bytes()),
                shards: load.shards(&id),
            })
            .collect();
        Self {
            namespace: namespace.name.clone(),
            replication_factor: usize::try_from(namespace.replication_factor).unwrap_or(usize::MAX),
            constraints,
            servers,
            labels: labels.clone(),
            patience: MAX_FAILURES,
        }
    }

    /// The ensemble of a new shard, which counts as load from then on. Names are filled in.
    pub(crate) fn select(
        &mut self,
        shard: ShardId,
    ) -> Result<Vec<DataServerIdentity>, SelectionError> {
        let chosen = self.search(shard, &[], self.replication_factor)?;
        let mut ensemble = Vec::with_capacity(chosen.len());
        for index in chosen {
            if let Some(server) = self.servers.get_mut(index) {
                server.shards = server.shards.saturating_add(1);
                ensemble.push(server.identity.clone());
            }
        }
        Ok(ensemble)
    }

    /// The server that best completes the ensemble of `shard` beside the members that stay. It
    /// does not count as load.
    pub(crate) fn replacement(
        &mut self,
        shard: ShardId,
        stay: &[DataServerIdentity],
    ) -> Result<DataServerIdentity, SelectionError> {
        let chosen = self.search(shard, stay, 1)?;
        chosen
            .first()
            .and_then(|index| self.servers.get(*index))
            .map(|server| server.identity.clone())
            .ok_or(SelectionError::TooFewServers {
                needed: 1,
                servers: 0,
            })
    }

    fn search(
        &mut self,
        shard: ShardId,
        stay: &[DataServerIdentity],
        needed: usize,
    ) -> Result<Vec<usize>, SelectionError> {
        let stay: Vec<_> = stay
            .iter()
            .map(|member| {
                (
                    member.id(),
                    self.constraints.values(self.labels.get(&member.id())),
                )
            })
            .collect();
        let search = Search {
            selector: self,
            seed: fnv_1a(
                fnv_1a(FNV_START, self.namespace.as_bytes()),
                &shard.0.to_le_bytes(),
            ),
            stay: &stay,
            needed,
        };
        search.check()?;
        let mut patience = self.patience;
        let chosen = search.run(&mut patience);
        self.patience = patience.saturating_add(EARNED_BACK).min(MAX_FAILURES);
        chosen
    }
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv_1a(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
