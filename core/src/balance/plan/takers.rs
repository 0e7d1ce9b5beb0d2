//! Who can take in a shard, and why nobody can.

use std::collections::BTreeSet;

use super::Situation;
use crate::balance::load::Load;
use crate::balance::select::{EnsembleSelector, SelectionError};
use crate::call::Feature;
use crate::cluster::{DataServerIdentity, Namespace, ShardMetadata};
use crate::id::{ServerId, ShardId};

/// Of so many servers it is said why they can't.
const NAMED: usize = 5;

impl Situation<'_> {
    /// Where a shard may go that leaves this member: not where it is, nor where it was and is not gone yet.
    pub(super) fn place(
        &self,
        namespace: &Namespace,
        id: ShardId,
        shard: &ShardMetadata,
        from: &DataServerIdentity,
        load: &Load,
        is_meant: impl Fn(&ServerId) -> bool,
    ) -> Result<DataServerIdentity, String> {
        let stay: Vec<DataServerIdentity> = shard
            .ensemble
            .iter()
            .filter(|it| *it != from)
            .cloned()
            .collect();
        let common = self.common_features(shard, from);
        let free = self.configured().filter(|server| {
            let id = server.id();
            self.running.contains(&id)
                && is_meant(&id)
                && holder(shard, server).is_none()
                && self.is_able(server, &common)
        });
        let labels = &self.configuration.server_metadata;
        let mut selector = EnsembleSelector::new(free, labels, namespace, load);
        let chosen = selector.replacement(id, &stay);
        chosen.map_err(|error| match error {
            SelectionError::TooFewServers { .. } => self.why_nobody(shard, from),
            SelectionError::TooFewValues { .. }
            | SelectionError::Unsatisfiable { .. }
            | SelectionError::TooHard { .. } => error.to_string(),
        })
    }

    /// Whether somebody was to take this shard in, and has data of it.
    pub(super) fn has_been_declined(&self, id: ShardId) -> bool {
        self.declined.iter().any(|(shard, _)| *shard == id)
    }

    pub(super) fn is_willing(&self, id: ShardId, server: &ServerId) -> bool {
        !self.declined.contains(&(id, server.clone()))
    }

    /// Why none of the servers that are configured can take it in; of those that can't, a few are named.
    fn why_nobody(&self, shard: &ShardMetadata, from: &DataServerIdentity) -> String {
        let common = self.common_features(shard, from);
        let reason = |server: &DataServerIdentity| {
            let id = server.id();
            if let Some(holder) = holder(shard, server) {
                let named = holder.id();
                return if shard.pending_delete_shard_nodes.contains(holder) {
                    Some(format!("{named} is yet to delete what it had of it"))
                } else if named == id {
                    None
                } else {
                    Some(format!(
                        "{id} has the address of {named}, and so what that one has: name it {named} again"
                    ))
                };
            }
            if !self.running.contains(&id) {
                Some(format!("{id} is away"))
            } else if self.is_able(server, &common) {
                None
            } else {
                Some(format!("{id} can't do what all of its replicas can"))
            }
        };
        let reasons: Vec<String> = self.configured().filter_map(reason).take(NAMED).collect();
        let reasons = match reasons.as_slice() {
            [] => String::new(),
            some => format!(": {}", some.join(", ")),
        };
        format!("no other data server can take it in{reasons}; add one")
    }

    /// What all members of a shard can do; whoever leaves need not have told.
    fn common_features(
        &self,
        shard: &ShardMetadata,
        from: &DataServerIdentity,
    ) -> BTreeSet<Feature> {
        let told = |member: &DataServerIdentity| self.features.get(&member.id());
        let asked = shard.ensemble.iter();
        let asked = asked.filter(|member| *member != from || told(member).is_some());
        // Nothing, while it is not known what they have in common.
        Feature::common(asked.map(told)).unwrap_or_default()
    }

    fn is_able(&self, server: &DataServerIdentity, common: &BTreeSet<Feature>) -> bool {
        let features = self.features.get(&server.id());
        let has = |feature: &Feature| features.is_some_and(|it| it.contains(feature));
        common.iter().all(has)
    }
}

/// Who has something of this shard, or is to delete it, by this name or at this address.
fn holder<'a>(
    shard: &'a ShardMetadata,
    server: &DataServerIdentity,
) -> Option<&'a DataServerIdentity> {
    let left = shard.pending_delete_shard_nodes.iter();
    let mut holders = left.chain(&shard.removed_nodes).chain(&shard.ensemble);
    holders.find(|it| it.is_same_server(server))
}

pub(super) fn has_old_data(server: &ServerId) -> String {
    format!(
        "{server} could take it in, but has data of it, of an earlier time: delete its directories of this shard \
         while it is stopped, or add another data server"
    )
}
