//! What a plan follows from, as a leader sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::place::placed;
use super::plan::{Handing, Move, Plan, Situation};
use crate::call::Feature;
use crate::cluster::{ClusterConfiguration, ClusterStatus, NamespaceStatus, ShardStatus};
use crate::id::{ServerId, ShardId, Timestamp};
use crate::shard::Holdup;

/// So many shards are forecast in all: a document with more is not stored either.
const MOST: usize = 65_536;

/// What a leader plans from. It is a copy, so whoever asked for it plans in his own time, and with a
/// configuration of his own.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The status as it will be once what is on its way is stored.
    pub status: ClusterStatus,
    /// The status that is stored.
    pub stored: Arc<ClusterStatus>,
    /// The configuration in force.
    pub configuration: Arc<ClusterConfiguration>,
    /// Every data server that is worked with, or waited for.
    pub servers: BTreeSet<ServerId>,
    /// Those of them that run.
    pub running: BTreeSet<ServerId>,
    /// Moves that have begun.
    pub under_way: Vec<Move>,
    /// Shards that are being elected so that others lead them.
    pub handed: Vec<Handing>,
    /// What is left of the last plan.
    pub planned: Plan,
    /// Shards that could not be moved, and are left alone for a while.
    pub resting: BTreeSet<ShardId>,
    /// Namespaces that are configured and can't be made, and why.
    pub refused: BTreeMap<Arc<str>, String>,
    /// What is yet to be put into force.
    pub held: Option<HeldBack>,
    /// What is to be deleted and is still there; nothing of it matters to a plan.
    pub waiting: Vec<Waiting>,
    /// So many shards are moved at once.
    pub most: usize,
    /// So many of them from, or to, one data server.
    pub each: usize,
    pub(crate) lasting: BTreeSet<ServerId>,
    pub(crate) features: BTreeMap<ServerId, BTreeSet<Feature>>,
    pub(crate) tired: BTreeSet<ShardId>,
    pub(crate) fresh: BTreeSet<(ShardId, ServerId)>,
    pub(crate) declined: BTreeSet<(ShardId, ServerId)>,
    pub(crate) settled: BTreeSet<ShardId>,
}

/// A configuration that would delete more than it keeps, or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// The namespaces that it would delete.
    pub namespaces: Vec<Arc<str>>,
    /// Then it is put into force, if it stays as it is.
    pub until: Timestamp,
}

/// A data server has not deleted what it is to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The data server.
    pub server: ServerId,
    /// Why not.
    pub reason: Holdup,
    /// Of so many shards.
    pub shards: usize,
    /// All of this namespace.
    pub namespace: Arc<str>,
    /// The first of them.
    pub first: ShardId,
}

/// What would be done with a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// What would be moved.
    pub plan: Plan,
    /// Namespaces that would be made, and how many shards each would have.
    pub made: BTreeMap<Arc<str>, usize>,
    /// Namespaces that would be deleted with all that is in them, and how many shards each has.
    pub deleted: BTreeMap<Arc<str>, usize>,
    /// Namespaces that can't be made, and why.
    pub refused: BTreeMap<Arc<str>, String>,
    /// Data servers of which nobody knows yet whether they run: they are taken to.
    pub supposed: BTreeSet<ServerId>,
    /// Of how many shards each data server would be a member then.
    pub shards: BTreeMap<ServerId, usize>,
}

impl Survey {
    /// What will be done next: what is left of the last plan, or else the next one.
    #[must_use]
    pub fn plan(&self) -> Plan {
        if self.planned.is_idle() {
            self.afresh()
        } else {
            self.planned.clone()
        }
    }

    /// Shards that are left alone for a while, or are not moved only to make servers equal: they could not be.
    #[must_use]
    pub fn left_alone(&self) -> BTreeSet<ShardId> {
        self.resting.union(&self.tired).copied().collect()
    }

    pub(crate) fn afresh(&self) -> Plan {
        let under_way = self.under_way.iter().map(|it| it.shard);
        let under_way = under_way.chain(self.handed.iter().map(|it| it.shard));
        let resting: BTreeSet<ShardId> = under_way.chain(self.resting.iter().copied()).collect();
        let situation = Situation {
            status: &self.status,
            configuration: &self.configuration,
            running: &self.running,
            lasting: &self.lasting,
            features: &self.features,
            tired: &self.tired,
            fresh: &self.fresh,
            declined: &self.declined,
            settled: &self.settled,
            resting: &resting,
        };
        let mut plan = situation.plan();
        // What rests is as stuck as it was.
        for (id, stuck) in &self.planned.stuck {
            if self.resting.contains(id) {
                plan.stuck.entry(*id).or_insert_with(|| stuck.clone());
            }
        }
        plan
    }

    /// What would be done if this configuration came into force now.
    #[must_use]
    pub fn forecast(mut self, configuration: ClusterConfiguration) -> Forecast {
        let mut forecast = Forecast::default();
        let before = std::mem::replace(&mut self.configuration, Arc::new(configuration));
        self.delete(&mut forecast);
        self.make(&mut forecast);
        self.suppose(&before, &mut forecast);
        // As at each change of the configuration.
        self.resting.clear();
        self.tired.clear();
        forecast.plan = self.afresh();
        forecast.shards = self.shards_after(&forecast.plan);
        forecast
    }

    /// Of how many shards each data server is a member once this is carried out.
    #[must_use]
    pub fn shards_after(&self, plan: &Plan) -> BTreeMap<ServerId, usize> {
        let mut shards: BTreeMap<ServerId, usize> = BTreeMap::new();
        let namespaces = self.status.namespaces.values();
        for (_, shard) in namespaces.flat_map(NamespaceStatus::kept) {
            for member in &shard.ensemble {
                *shards.entry(member.id()).or_default() += 1;
            }
        }
        for each in self.begun().chain(&plan.moves) {
            if let Some(left) = shards.get_mut(&each.from) {
                *left = left.saturating_sub(1);
            }
            *shards.entry(each.to.id()).or_default() += 1;
        }
        shards
    }

    /// The moves that have begun, but are not stored yet.
    fn begun(&self) -> impl Iterator<Item = &Move> {
        self.under_way.iter().filter(|begun| {
            let namespace = self.status.namespaces.get(&begun.namespace);
            let shard = namespace.and_then(|it| it.shards.get(&begun.shard));
            let is_member = |id: &ServerId| {
                let mut members = shard.into_iter().flat_map(|it| &it.ensemble);
                members.any(|member| member.id() == *id)
            };
            is_member(&begun.from) && !is_member(&begun.to.id())
        })
    }

    fn delete(&mut self, forecast: &mut Forecast) {
        for (name, namespace) in &mut self.status.namespaces {
            let shards = namespace.kept().count();
            if self.configuration.namespace(name).is_some() || shards == 0 {
                continue;
            }
            forecast.deleted.insert(name.clone(), shards);
            for shard in namespace.shards.values_mut() {
                Arc::make_mut(shard).status = ShardStatus::Deleting;
            }
        }
    }

    fn make(&mut self, forecast: &mut Forecast) {
        let mut all = self.status.shards().count();
        for namespace in &self.configuration.namespaces {
            let there = self.status.namespaces.get(&namespace.name);
            if there.is_some_and(|it| it.kept().next().is_some()) {
                continue;
            }
            let name = namespace.name.clone();
            let new = usize::try_from(namespace.initial_shard_count).unwrap_or(usize::MAX);
            all = all.saturating_add(new);
            if all > MOST {
                let reason = format!("there would be more than {MOST} shards in all");
                forecast.refused.insert(name, reason);
                continue;
            }
            match placed(namespace, &self.configuration, &self.status) {
                Ok((made, next_id)) => {
                    forecast.made.insert(name.clone(), made.shards.len());
                    let there = self.status.namespaces.entry(name).or_default();
                    there.replication_factor = made.replication_factor;
                    there.shards.extend(made.shards);
                    self.status.shard_id_generator = next_id;
                }
                Err(error) => {
                    forecast.refused.insert(name, error.to_string());
                }
            }
        }
    }

    /// Servers that are new, or elsewhere, are taken to run; and those of which it is not known, to be able to
    /// do what any other is.
    fn suppose(&mut self, before: &ClusterConfiguration, forecast: &mut Forecast) {
        let all: BTreeSet<Feature> = self.features.values().flatten().copied().collect();
        for server in &self.configuration.servers {
            let id = server.id();
            let mut known = before.servers.iter();
            let is_elsewhere = known.any(|it| it.id() == id && it != server);
            if self.servers.contains(&id) && !is_elsewhere {
                continue;
            }
            self.running.insert(id.clone());
            self.lasting.insert(id.clone());
            self.features
                .entry(id.clone())
                .or_insert_with(|| all.clone());
            forecast.supposed.insert(id);
        }
    }
}

#[cfg(test)]
mod tests;
