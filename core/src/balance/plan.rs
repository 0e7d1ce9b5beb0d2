//! Which shards are to go from which server to which: as few as are needed, and nowhere where nobody is.
//!
//! A plan follows from the document, the configuration and what is known of the servers, and from nothing
//! else: whoever has the same of these sees the same plan.

mod takers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::takers::has_old_data;
use super::leaders::Leads;
use super::load::Load;
use crate::call::Feature;
use crate::cluster::{
    ClusterConfiguration, ClusterStatus, DataServerIdentity, Namespace, NamespaceStatus,
    ShardMetadata, ShardStatus,
};
use crate::id::{ServerId, ShardId};
use crate::shard::LEAST;

/// One shard goes from one server to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The shard's namespace.
    pub namespace: Arc<str>,
    /// The shard.
    pub shard: ShardId,
    /// Who leaves.
    pub from: ServerId,
    /// Who comes.
    pub to: DataServerIdentity,
}

impl Move {
    /// Whether this server leaves, or comes.
    pub(crate) fn concerns(&self, server: &ServerId) -> bool {
        self.from == *server || self.to.id() == *server
    }
}

/// One shard is to be led by somebody else, by an election in which nobody leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handing {
    /// The shard's namespace.
    pub namespace: Arc<str>,
    /// The shard.
    pub shard: ShardId,
    /// Who leads it.
    pub from: ServerId,
    /// Who leads the fewest shards of those that may.
    pub to: ServerId,
}

/// Why one shard can't leave a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The server.
    pub server: ServerId,
    /// Why.
    pub reason: String,
}

/// What is to be done, and what can't be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Those that empty servers which are not configured any more come first.
    pub moves: Vec<Move>,
    /// Once nothing is to be moved: each move brings an election, and so another leader.
    pub handings: Vec<Handing>,
    /// Shards that can't leave a server that is not configured any more; or could not, and are tried again.
    pub stuck: BTreeMap<ShardId, Stuck>,
    /// Shards that are to leave such a server once they are led.
    pub later: BTreeSet<ShardId>,
}

impl Plan {
    /// Whether there is nothing to be done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.moves.is_empty() && self.handings.is_empty()
    }
}

/// What a plan follows from.
pub(super) struct Situation<'a> {
    pub(super) status: &'a ClusterStatus,
    pub(super) configuration: &'a ClusterConfiguration,
    /// The servers that can be worked with.
    pub(super) running: &'a BTreeSet<ServerId>,
    /// Those of them that can be relied on: they did not fail lately.
    pub(super) lasting: &'a BTreeSet<ServerId>,
    /// What each data server can do, as far as it has told.
    pub(super) features: &'a BTreeMap<ServerId, BTreeSet<Feature>>,
    /// Shards that are not moved only to make servers equal: they could not be again and again.
    pub(super) tired: &'a BTreeSet<ShardId>,
    /// Where shards have come to lately: they don't leave again only to make servers equal.
    pub(super) fresh: &'a BTreeSet<(ShardId, ServerId)>,
    /// Who has data of which shard, of an earlier time, and can't take it in before that is deleted.
    pub(super) declined: &'a BTreeSet<(ShardId, ServerId)>,
    /// Shards that nobody else can lead.
    pub(super) settled: &'a BTreeSet<ShardId>,
    /// Shards that stay where they are for now: one is on its way, or could not be moved before.
    pub(super) resting: &'a BTreeSet<ShardId>,
}

impl Situation<'_> {
    pub(super) fn plan(&self) -> Plan {
        let mut plan = Plan::default();
        let mut load = Load::of(self.status);
        let configured: BTreeSet<ServerId> = self.configured().map(|it| it.id()).collect();
        for namespace in &self.configuration.namespaces {
            self.empty(namespace, &configured, &mut load, &mut plan);
            self.keep_the_lonely(namespace, &configured, &mut plan);
        }
        if self.configuration.load_balancer.paused {
            return plan;
        }
        for namespace in &self.configuration.namespaces {
            self.level(namespace, &mut load, &mut plan);
        }
        if plan.moves.is_empty() {
            plan.handings = self.spread_leaders(&configured);
        }
        plan
    }

    /// Takes the shards of a namespace off the servers that are not configured any more.
    fn empty(
        &self,
        namespace: &Namespace,
        configured: &BTreeSet<ServerId>,
        load: &mut Load,
        plan: &mut Plan,
    ) {
        let leaves = |member: &&DataServerIdentity| !configured.contains(&member.id());
        for (id, shard) in self.shards(namespace) {
            let is_waiting = !shard.is_deleting() && !is_whole(shard) && shard.split.is_none();
            if is_waiting && shard.ensemble.iter().any(|it| leaves(&it)) {
                plan.later.insert(id);
            }
        }
        for (id, shard) in self.movable(namespace) {
            let leaving = shard.ensemble.iter().filter(leaves);
            // Nobody else is exchanged while one is away, which is never in sync.
            let Some(from) = leaving.min_by_key(|it| self.running.contains(&it.id())) else {
                continue;
            };
            let willing = |server: &ServerId| self.is_willing(id, server);
            let mut place = self.place(namespace, id, shard, from, load, willing);
            if place.is_err() && self.has_been_declined(id) {
                // What it has may have been deleted by now.
                place = self.place(namespace, id, shard, from, load, |_| true);
                if let Ok(to) = &place {
                    let (server, reason) = (from.id(), has_old_data(&to.id()));
                    plan.stuck.insert(id, Stuck { server, reason });
                }
            }
            match place {
                Ok(to) => {
                    load.subtract(std::slice::from_ref(from));
                    load.add(std::slice::from_ref(&to));
                    plan.moves.push(moved(namespace, id, from, to));
                }
                Err(reason) => {
                    let server = from.id();
                    plan.stuck.insert(id, Stuck { server, reason });
                }
            }
        }
    }

    /// Shards of fewer than three replicas can't leave a server that is not configured any more.
    fn keep_the_lonely(
        &self,
        namespace: &Namespace,
        configured: &BTreeSet<ServerId>,
        plan: &mut Plan,
    ) {
        let status = self.status.namespaces.get(&namespace.name);
        for (id, shard) in status.into_iter().flat_map(NamespaceStatus::kept) {
            let mut members = shard.ensemble.iter().map(DataServerIdentity::id);
            let gone = members.find(|member| !configured.contains(member));
            if let Some(server) = gone.filter(|_| shard.ensemble.len() < LEAST) {
                let reason = format!(
                    "{server} has one of {} replicas, and shards of fewer than three are not moved: configure it \
                     again, or delete the namespace",
                    shard.ensemble.len()
                );
                plan.stuck.insert(id, Stuck { server, reason });
            }
        }
    }

    /// Takes shards of a namespace from the server with the most shards to those with the fewest, while that
    /// makes two more than one less equal.
    fn level(&self, namespace: &Namespace, load: &mut Load, plan: &mut Plan) {
        let mut moved_already: BTreeSet<ShardId> = plan.moves.iter().map(|it| it.shard).collect();
        moved_already.extend(self.tired);
        moved_already.extend(plan.stuck.keys());
        let mut by_server: BTreeMap<ServerId, Vec<(ShardId, &Arc<ShardMetadata>)>> =
            BTreeMap::new();
        // Nobody is exchanged while another one is away, which is never in sync.
        let is_there = |member: &DataServerIdentity| self.running.contains(&member.id());
        let movable = self.movable(namespace);
        for (id, shard) in movable.filter(|(_, shard)| shard.ensemble.iter().all(is_there)) {
            for member in &shard.ensemble {
                by_server.entry(member.id()).or_default().push((id, shard));
            }
        }
        // What is away may be back soon.
        let servers = self.configured().map(DataServerIdentity::id);
        let mut servers: Vec<ServerId> = servers.filter(|id| self.running.contains(id)).collect();
        servers.sort();
        servers.dedup();
        let mut settled: BTreeSet<ServerId> = BTreeSet::new();
        loop {
            let candidates = servers.iter().filter(|id| !settled.contains(*id));
            let Some(from) = candidates.max_by_key(|id| load.shards(id)).cloned() else {
                return;
            };
            let least = servers.iter().map(|id| load.shards(id)).min();
            if least.is_none_or(|least| least + 1 >= load.shards(&from)) {
                return;
            }
            let shards = by_server.get(&from).map(Vec::as_slice).unwrap_or_default();
            let mut found = None;
            for (id, shard) in shards.iter().rev() {
                if moved_already.contains(id) || self.fresh.contains(&(*id, from.clone())) {
                    continue;
                }
                let member = shard.ensemble.iter().find(|member| member.id() == from);
                let Some(member) = member else { continue };
                let willing = |server: &ServerId| self.is_willing(*id, server);
                let Ok(to) = self.place(namespace, *id, shard, member, load, willing) else {
                    continue;
                };
                if load.shards(&to.id()) + 1 < load.shards(&from) {
                    found = Some((*id, member.clone(), to));
                    break;
                }
            }
            let Some((id, member, to)) = found else {
                settled.insert(from);
                continue;
            };
            load.subtract(std::slice::from_ref(&member));
            load.add(std::slice::from_ref(&to));
            moved_already.insert(id);
            plan.moves.push(moved(namespace, id, &member, to));
        }
    }

    /// Which shards are to be led by others, so that no member of any leads two fewer than its leader.
    fn spread_leaders(&self, configured: &BTreeSet<ServerId>) -> Vec<Handing> {
        let namespaces = &self.configuration.namespaces;
        let shards = namespaces
            .iter()
            .flat_map(|it| self.movable(it).map(|(id, shard)| (&it.name, id, shard)));
        let may_be_led = |id: ShardId| !self.settled.contains(&id);
        let may_lead = |id: &ServerId| self.lasting.contains(id) && configured.contains(id);
        let all = self.status.shards().map(|(_, _, shard)| shard);
        Leads::of(all, shards, may_lead).spread(may_be_led)
    }

    /// The shards of a namespace that may be moved.
    fn movable(
        &self,
        namespace: &Namespace,
    ) -> impl Iterator<Item = (ShardId, &Arc<ShardMetadata>)> {
        self.shards(namespace).filter(|(id, shard)| {
            is_whole(shard) && !self.resting.contains(id) && shard.ensemble.len() >= LEAST
        })
    }

    fn shards(
        &self,
        namespace: &Namespace,
    ) -> impl Iterator<Item = (ShardId, &Arc<ShardMetadata>)> {
        let status = self.status.namespaces.get(&namespace.name);
        let shards = status.into_iter().flat_map(|status| &status.shards);
        shards.map(|(id, shard)| (*id, shard))
    }

    fn configured(&self) -> impl Iterator<Item = &DataServerIdentity> {
        self.configuration.servers.iter()
    }
}

/// Whether it is led, and nobody is on the way from or to it.
fn is_whole(shard: &ShardMetadata) -> bool {
    shard.status == ShardStatus::SteadyState
        && shard.split.is_none()
        && shard.removed_nodes.is_empty()
}

fn moved(
    namespace: &Namespace,
    shard: ShardId,
    from: &DataServerIdentity,
    to: DataServerIdentity,
) -> Move {
    Move {
        namespace: namespace.name.clone(),
        shard,
        from: from.id(),
        to,
    }
}

#[cfg(test)]
mod tests;
