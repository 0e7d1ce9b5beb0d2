//! S1, S8, S9, T1, T10, P1, E1 to E4, X1, X2: every version that the store accepts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::Feature;
use stepdown_core::cluster::{
    ClusterStatus, DataServerIdentity, HashRange, LastLeader, NamespaceStatus, ShardMetadata,
    ShardStatus,
};
use stepdown_core::{ServerId, ShardId, Term};

use super::Check;
use crate::sim::server::common;
use crate::sim::world::World;

/// So old a configuration may be by which a namespace is deleted: it was read, and then stored, which may stall.
const A_MOMENT: Duration = Duration::from_secs(120);

impl World<'_> {
    pub(in crate::sim) fn check_accepted(&mut self) -> Check {
        let (before, latest) = match self.store.chain.as_slice() {
            [] => return Ok(()),
            [first] => (None, first.clone()),
            [.., before, last] => (Some(before.clone()), last.clone()),
        };
        if let Some(by) = latest.by {
            let owner = *self.history.epochs.entry(latest.epoch.0).or_insert(by);
            if owner != by {
                return Err(self.violation(
                    "epoch",
                    format!("{:?} and {by:?} both write in {}", owner, latest.epoch),
                ));
            }
        }
        if latest.by.is_some() && latest.epoch < self.store.epoch {
            return Err(self.violation("epoch", format!("it falls to {}", latest.epoch)));
        }
        let status = &latest.status;
        match &self.history.instance_id {
            None if !status.instance_id.is_empty() => {
                self.history.instance_id = Some(status.instance_id.clone());
            }
            Some(id) if *id != status.instance_id => {
                return Err(self.violation(
                    "S8",
                    format!("the instance id {id} becomes {}", status.instance_id),
                ));
            }
            _ => {}
        }
        self.note_holders(status);
        if let Some(before) = &before {
            if before.status.shard_id_generator > status.shard_id_generator {
                return Err(self.violation("S9", "the shard id generator falls"));
            }
            for (name, namespace) in &before.status.namespaces {
                let kept = status.namespaces.get(name);
                for (id, shard) in &namespace.shards {
                    let Some(now) = kept.and_then(|kept| kept.shards.get(id)) else {
                        self.check_gone(*id, shard)?;
                        continue;
                    };
                    let is_marked = |shard: &ShardMetadata| shard.status == ShardStatus::Deleting;
                    if !is_marked(shard) && is_marked(now) && !latest.is_restored {
                        self.check_is_taken_out(*id, name)?;
                    }
                    if is_marked(shard) && !is_marked(now) {
                        let text = format!("shard {id} was being deleted, and is not any more");
                        return Err(self.violation("X1", text));
                    }
                    if !is_marked(now) && !latest.is_restored {
                        let exchanged = self.check_exchange(*id, shard, now);
                        self.heed(exchanged)?;
                    }
                    if now.term < shard.term && !latest.is_restored {
                        return Err(self.violation("T1", format!("shard {id}: its term falls")));
                    }
                }
            }
        }
        let generator = status.shard_id_generator;
        for (name, id, shard) in status.shards() {
            let known = before.as_ref().is_some_and(|before| {
                before.status.namespaces.get(name).is_some_and(|namespace| {
                    namespace
                        .shards
                        .get(&id)
                        .is_some_and(|old| Arc::ptr_eq(old, shard))
                })
            });
            if known {
                continue;
            }
            let owner = self
                .history
                .shards
                .entry(id)
                .or_insert_with(|| name.clone());
            if *owner != *name || id.0 >= generator {
                return Err(self.violation("S9", format!("shard id {id} is used twice")));
            }
            self.check_shard(id, shard)?;
        }
        for namespace in status.namespaces.values() {
            self.check_ranges(namespace)?;
        }
        Ok(())
    }

    /// X2: a shard is marked only where the configuration did not name its namespace a moment ago.
    fn check_is_taken_out(&self, id: ShardId, namespace: &Arc<str>) -> Check {
        let mut configured = self.configured.namespaces.iter();
        let since = self.configured.since.get(&**namespace).copied();
        let is_named = configured.any(|(name, _)| *name == **namespace);
        if is_named && self.queue.now().since(since.unwrap_or_default()) > A_MOMENT {
            let text = format!("shard {id} is deleted, and {namespace} is configured");
            return Err(self.violation("X2", text));
        }
        Ok(())
    }

    /// X1: a shard goes from the document only once it was marked, and everybody who ever had a part of it has
    /// said that it has none any more.
    fn check_gone(&self, id: ShardId, shard: &ShardMetadata) -> Check {
        if shard.status != ShardStatus::Deleting {
            return Err(self.violation("X1", format!("shard {id} is gone, and was not marked")));
        }
        match self.history.held.get(&id) {
            Some(held) if !held.is_empty() => {
                let text = format!("shard {id} is gone, but {held:?} may have some of it");
                Err(self.violation("X1", text))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn note_holders(&mut self, status: &ClusterStatus) {
        for (_, id, shard) in status.shards() {
            if shard.status == ShardStatus::Deleting {
                continue;
            }
            let held = self.history.held.entry(id).or_default();
            let members = shard.ensemble.iter().map(|member| member.id());
            held.extend(members.filter(|member| !self.history.given_up.contains(member)));
        }
    }

    /// E1, E2: one member at a time is exchanged for another, with a new term, and it is stored who left; it is
    /// forgotten only once somebody leads, and then its data is still to be deleted.
    ///
    /// E3: and none of fewer than three: nobody could be elected without the one that comes.
    ///
    /// E4: nor for one that can do less than all of them.
    fn check_exchange(&self, id: ShardId, old: &ShardMetadata, new: &ShardMetadata) -> Check {
        let ids = |servers: &[DataServerIdentity]| -> BTreeSet<ServerId> {
            servers.iter().map(DataServerIdentity::id).collect()
        };
        let (before, now) = (ids(&old.ensemble), ids(&new.ensemble));
        let (removed, still) = (ids(&old.removed_nodes), ids(&new.removed_nodes));
        let left: BTreeSet<ServerId> = before.difference(&now).cloned().collect();
        let wrong = |text: &str| {
            Err(self.violation("E1", format!("shard {id}: {text}: {old:?} becomes {new:?}")))
        };
        if before == now {
            let over: BTreeSet<ServerId> = removed.difference(&still).cloned().collect();
            let pending = ids(&new.pending_delete_shard_nodes);
            // It may have led, and have failed, before that was stored.
            let has_led = |last: &LastLeader| last.term >= old.term;
            let has_led = new.leader.is_some() || new.last_leader.as_ref().is_some_and(has_led);
            if !(over.is_empty() || has_led && over.is_subset(&pending)) {
                return wrong("who left is forgotten");
            }
            return Ok(());
        }
        if before.len() < 3 {
            let text = format!("shard {id}: {old:?} becomes {new:?}");
            return Err(self.violation("E3", text));
        }
        if new.term <= old.term {
            return wrong("it changes within a term");
        }
        if left.len() != 1 || now.len() != before.len() {
            return wrong("more than one changes");
        }
        // Who came may go again, and who left come back.
        if !now.is_superset(&removed) || still != left {
            return wrong("it is not stored who left");
        }
        let common = self.common_features(&old.ensemble);
        // Who was to leave may come back where nobody can lead without it.
        let came = new.ensemble.iter();
        let came = came.filter(|it| !before.contains(&it.id()) && !removed.contains(&it.id()));
        for came in came {
            if !common.is_subset(&self.common_features(std::slice::from_ref(came))) {
                let text = format!("shard {id}: {came:?} can't do all of {common:?}");
                return Err(self.violation("E4", text));
            }
        }
        Ok(())
    }

    /// What all of these can do.
    pub(in crate::sim) fn common_features(
        &self,
        servers: &[DataServerIdentity],
    ) -> BTreeSet<Feature> {
        let places = servers.iter().map(|it| self.server_named(it));
        common(places.map(|it| Some(self.servers[it?].model.features())))
    }

    /// T10: the leader is a member, the members are distinct and as many as they should be.
    fn check_shard(&self, id: ShardId, shard: &ShardMetadata) -> Check {
        let names: BTreeSet<_> = shard.ensemble.iter().map(|member| member.id()).collect();
        let places: BTreeSet<_> = shard
            .ensemble
            .iter()
            .map(|member| &member.internal)
            .collect();
        let count = self.plan.replication as usize;
        // Of one that is deleted, who is given up is forgotten, and those that left before are told of as members.
        let is_deleted = shard.status == ShardStatus::Deleting;
        let is_whole = names.len() == count || is_deleted && !names.is_empty();
        if !is_whole || places.len() != names.len() || shard.ensemble.len() != names.len() {
            return Err(self.violation("T10", format!("shard {id}: ensemble {:?}", shard.ensemble)));
        }
        if let Some(leader) = &shard.leader
            && !names.contains(&leader.id())
        {
            return Err(self.violation("T10", format!("shard {id}: the leader is no member")));
        }
        if shard.status == ShardStatus::Deleting {
            return Ok(());
        }
        let steady = shard.status == ShardStatus::SteadyState;
        if steady != shard.leader.is_some() || shard.term == Term::NEVER && steady {
            return Err(self.violation(
                "T10",
                format!(
                    "shard {id}: {:?} with leader {:?}",
                    shard.status, shard.leader
                ),
            ));
        }
        Ok(())
    }

    /// P1: the shards of a namespace cover every hash exactly once.
    fn check_ranges(&self, namespace: &NamespaceStatus) -> Check {
        let kept = namespace.kept();
        let mut ranges: Vec<HashRange> = kept
            .filter_map(|(_, shard)| shard.int32_hash_range)
            .collect();
        if ranges.is_empty() {
            return Ok(());
        }
        ranges.sort_by_key(|range| range.min);
        let mut next = Some(0);
        for range in &ranges {
            if next != Some(range.min) || range.max < range.min {
                return Err(self.violation("P1", format!("{ranges:?}")));
            }
            next = range.max.checked_add(1);
        }
        if next.is_some() {
            return Err(self.violation("P1", format!("{ranges:?}")));
        }
        Ok(())
    }
}
