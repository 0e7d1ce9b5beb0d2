//! What must hold once everything is healed: store, servers and assignments agree, and stay so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::ReplicaRole;
use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardMetadata, ShardStatus};
use stepdown_core::{Role, ShardId, Term};
use stepdown_sandbox::replica::{Ghost, Log, PATIENCE};

use super::check::Check;
use super::configuration::name_at;
use super::host::Host;
use super::plan::FaultKind;
use super::world::World;

const WRITE: Duration = Duration::from_secs(10);
const FURTHER_TERMS: usize = 3;
const TRIED_IN_VAIN: usize = 12;

/// What stays so once everything is healed.
pub struct Settled {
    terms: BTreeMap<ShardId, Term>,
    /// How many versions of the document there have been.
    versions: usize,
}

impl World<'_> {
    pub(super) fn settled(&self) -> Settled {
        Settled {
            terms: self.terms(),
            versions: self.store.chain.len(),
        }
    }

    /// What is not as it should be: one leader in office, every shard led and stored so.
    pub(super) fn unsettled(&self) -> Option<String> {
        let leaders: Vec<usize> = (0..self.hosts.len())
            .filter(|host| {
                let machine = self.hosts[*host].machine.as_ref();
                machine.is_some_and(|machine| machine.role() == Role::Leader)
            })
            .collect();
        if leaders.len() != 1 {
            return Some(format!("coordinators in office: {leaders:?}"));
        }
        let Some(status) = self.store.status() else {
            return Some("there is no document".to_owned());
        };
        for (name, _) in &self.configured.namespaces {
            let there = status.namespaces.get(name.as_str());
            if there.is_none_or(|there| there.kept().next().is_none()) {
                return Some(format!("there is no namespace {name}"));
            }
        }
        for (_, id, shard) in kept(status) {
            let Some(leader) = &shard.leader else {
                if self.is_hopeless(id, shard) {
                    continue;
                }
                return Some(format!("shard {id} has no leader: {shard:?}"));
            };
            let server = self.server_at(&leader.internal);
            let replica = server.and_then(|server| self.servers[server].model.status(id));
            let leads = replica.is_some_and(|replica| {
                replica.role == ReplicaRole::Leader && replica.term == shard.term
            });
            if shard.status != ShardStatus::SteadyState || !leads {
                return Some(format!(
                    "shard {id} is not led: {shard:?}, replica {replica:?}"
                ));
            }
        }
        None
    }

    /// L2: all reachable members follow in the stored term, and have what was `committed` long ago.
    pub(super) fn everybody_follows(&mut self, committed: &Ghost) -> Check {
        let Some(status) = self.store.status().cloned() else {
            return Ok(());
        };
        for (_, id, shard) in kept(&status) {
            if self.is_hopeless(id, shard) {
                self.sometimes.hit("logs_that_do_not_fit");
                continue;
            }
            for member in &shard.ensemble {
                let Some(server) = self.server_at(&member.internal) else {
                    return Err(self.violation("L2", format!("shard {id}: {member:?} has moved")));
                };
                let leads = shard.leader.as_ref().is_some_and(|leader| leader == member);
                if leads || !self.servers[server].up {
                    continue;
                }
                // A log that data servers can't make fit keeps its replica out, until it is emptied.
                let unfit = (id, name_at(&member.internal));
                if self.hosts.iter().any(|it| it.facts.unfit.contains(&unfit)) {
                    self.sometimes.hit("log_that_does_not_fit");
                    continue;
                }
                let replica = self.servers[server].model.status(id);
                let follows = replica.is_some_and(|replica| {
                    replica.term == shard.term
                        && matches!(replica.role, ReplicaRole::Follower | ReplicaRole::Fenced)
                });
                if !follows {
                    return Err(self.violation(
                        "L2",
                        format!(
                            "shard {id} in {}: {} is {replica:?}",
                            shard.term, member.internal
                        ),
                    ));
                }
                let log = self.servers[server].model.log(id).map(|(log, _)| log);
                let whole = committed
                    .committed(id)
                    .is_none_or(|committed| log.is_some_and(|log| log.starts_with(committed)));
                if !whole {
                    return Err(self.violation(
                        "L2",
                        format!(
                            "shard {id} in {}: {} is {replica:?} and has {log:?}, not {:?}",
                            shard.term,
                            member.internal,
                            committed.committed(id)
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// L6: nothing is being moved or deleted any more, where everybody is there.
    pub(super) fn nothing_is_left(&mut self) -> Check {
        let Some(status) = self.store.status().cloned() else {
            return Ok(());
        };
        let is_there = |server: &DataServerIdentity| {
            let at = self.server_at(&server.internal);
            at.is_some_and(|at| self.servers[at].up)
        };
        for (name, id, shard) in status.shards() {
            let is_configured = |(other, _): &(String, u32)| *other == **name;
            let is_wanted = self.configured.namespaces.iter().any(is_configured);
            let is_marked = shard.status == ShardStatus::Deleting;
            if !is_wanted && !is_marked {
                return Err(self.violation("L6", format!("shard {id} of {name} is not deleted")));
            }
            let pending = &shard.pending_delete_shard_nodes;
            let all = shard.ensemble.iter().chain(&shard.removed_nodes);
            let stuck = if is_marked {
                all.chain(pending).all(is_there)
            } else {
                // It is waited for those that have come in their places.
                let are_there = shard.ensemble.iter().all(is_there);
                // One whose log does not fit waits for a person.
                let is_unfit = |member: &DataServerIdentity| {
                    let unfit = (id, name_at(&member.internal));
                    self.hosts.iter().any(|it| it.facts.unfit.contains(&unfit))
                };
                let are_there = are_there && !shard.ensemble.iter().any(is_unfit);
                // Who has left and is away may still lead, until a person gives it up: anew, where another coordinator
                // has come since.
                let are_there = are_there && !pending.is_empty() && pending.iter().all(is_there);
                are_there && !self.is_hopeless(id, shard)
            };
            if stuck {
                return Err(self.violation("L6", format!("shard {id} of {name}: {shard:?}")));
            }
        }
        Ok(())
    }

    /// L7: nothing is left on servers that are not configured any more, where it can go elsewhere.
    pub(super) fn whoever_left_is_empty(&mut self) -> Check {
        let Some(status) = self.store.status().cloned() else {
            return Ok(());
        };
        // Who is down may be a member, and then nobody is exchanged.
        if self.plan.partial_heal {
            return Ok(());
        }
        let is_configured = |member: &DataServerIdentity| {
            let mut configured = self.configured.servers.iter();
            configured.any(|it| it.name == name_of(member))
        };
        let is_unfit = |id: ShardId, member: &DataServerIdentity| {
            let unfit = (id, name_at(&member.internal));
            self.hosts.iter().any(|it| it.facts.unfit.contains(&unfit))
        };
        for (name, id, shard) in kept(&status) {
            let mut members = shard.ensemble.iter();
            let Some(left) = members.find(|member| !is_configured(member)) else {
                continue;
            };
            let is_unfit = shard.ensemble.iter().any(|member| is_unfit(id, member));
            if shard.ensemble.len() < 3 || is_unfit || self.is_hopeless(id, shard) {
                continue;
            }
            if let Some(free) = self.free_server(id, shard) {
                let text =
                    format!("shard {id} of {name} could go from {left:?} to {free}: {shard:?}");
                return Err(self.violation("L7", text));
            }
        }
        Ok(())
    }

    /// A server that could take a place in this shard's ensemble.
    fn free_server(&self, id: ShardId, shard: &ShardMetadata) -> Option<&str> {
        let common = self.common_features(&shard.ensemble);
        let pending = &shard.pending_delete_shard_nodes;
        let configured = self.configured.servers.iter().map(|it| it.name.as_str());
        let mut free = configured.filter(|name| {
            let is_it = |it: &DataServerIdentity| name_of(it) == *name;
            !shard.ensemble.iter().chain(pending).any(is_it)
        });
        free.find(|name| {
            let place = self.server_by(name);
            place.is_some_and(|place| {
                let is_clean = place.model.term(id) == Term::NEVER && place.model.log(id).is_none();
                place.up && is_clean && common.is_subset(place.model.features())
            })
        })
    }

    /// T11: and the coordinator knows it, as long as no look at a follower is under way.
    pub(super) fn everybody_is_known_to_follow(&mut self) -> Check {
        if self.plan.partial_heal {
            return Ok(());
        }
        let mut short = None;
        // A leader that tries to take in a log that does not fit answers nothing else meanwhile.
        let looks = (PATIENCE + Duration::from_secs(5)).as_millis() / 250;
        for _ in 0..looks {
            short = self.known_to_be_short();
            if short.is_none() {
                return Ok(());
            }
            self.run_until(self.queue.now().plus(Duration::from_millis(250)))?;
        }
        let short = short.unwrap_or_default();
        Err(self.violation("T11", format!("not known to be in sync: {short}")))
    }

    fn known_to_be_short(&self) -> Option<String> {
        let leads = |host: &&Host| {
            let machine = host.machine.as_ref();
            machine.is_some_and(|machine| machine.role() == Role::Leader)
        };
        let leader = self.hosts.iter().find(leads)?;
        let shards = kept(self.store.status()?);
        let mut short = shards.filter_map(|(_, id, shard)| {
            let in_sync = leader.facts.in_sync.get(&id).copied().unwrap_or(0);
            let all = shard.ensemble.len();
            if self.is_hopeless(id, shard) {
                return None;
            }
            // A log that can't be made to fit stays out.
            let unfit = shard.ensemble.iter().filter(|member| {
                let follower = (id, name_at(&member.internal));
                leader.facts.unfit.contains(&follower) && !self.has_all(id, &member.internal)
            });
            (in_sync + unfit.count() < all).then(|| format!("shard {id}: {in_sync} of {all}"))
        });
        short.next()
    }

    /// Whether a server's log has all that is committed.
    fn has_all(&self, id: ShardId, internal: &str) -> bool {
        let server = self.server_at(internal);
        let log = server.and_then(|server| self.servers[server].model.log(id));
        let committed = self.ghost.committed(id);
        committed.is_none_or(|committed| log.is_some_and(|(log, _)| log.starts_with(committed)))
    }

    /// L11: what is written to a shard that is led is committed soon.
    pub(super) fn everything_is_committed(&mut self) -> Check {
        let Some(status) = self.store.status().cloned() else {
            return Ok(());
        };
        let mut written = Vec::new();
        for (_, id, shard) in kept(&status) {
            for server in 0..self.servers.len() {
                let model = &self.servers[server].model;
                if self.servers[server].up && model.leads(id) == Some(shard.term) {
                    self.append_to(server, id);
                    let log = self.servers[server].model.log(id);
                    written.extend(log.map(|(log, _)| (id, log.head())));
                }
            }
        }
        self.run_until(self.queue.now().plus(WRITE))?;
        for (id, entry) in written {
            let committed = self.ghost.committed(id).map(Log::head);
            if committed.is_none_or(|head| head.offset < entry.offset) {
                return Err(self.violation(
                    "L11",
                    format!("shard {id}: {entry:?} is not committed, but {committed:?}"),
                ));
            }
        }
        Ok(())
    }

    /// L4: every data server has the latest assignments.
    pub(super) fn everybody_is_told(&mut self) -> Check {
        let Some(last) = self.store.chain.len().checked_sub(1) else {
            return Ok(());
        };
        let published = self.published(last);
        for (server, place) in self.servers.iter().enumerate() {
            let told = place
                .assignments
                .as_ref()
                .map(|assignments| &assignments.namespaces);
            if place.up && self.is_needed(server) && told != Some(&*published) {
                return Err(self.violation(
                    "L4",
                    format!("server {server} was told {told:?}, not {published:?}"),
                ));
            }
        }
        Ok(())
    }

    /// Whether a server is configured, or still has a shard.
    fn is_needed(&self, server: usize) -> bool {
        let address = &self.servers[server].address;
        let mut shards = self.store.status().into_iter().flat_map(|it| it.shards());
        self.configured.servers.contains(address)
            || shards.any(|(_, _, shard)| {
                let mut members = shard.ensemble.iter();
                members.any(|member| *member.internal == *address.internal)
            })
    }

    /// The terms, but of shards that can only be tried in vain.
    fn terms(&self) -> BTreeMap<ShardId, Term> {
        let status = self.store.status();
        status
            .into_iter()
            .flat_map(|status| kept(status))
            .filter(|(_, id, shard)| !self.is_hopeless(*id, shard))
            .map(|(_, id, shard)| (id, shard.term))
            .collect()
    }

    /// L3. Terms are counted, however far apart they are, but for those in which one takes another's place.
    pub(super) fn few_further_terms(&mut self, before: usize) -> Check {
        let mut used: BTreeMap<ShardId, BTreeSet<Term>> = BTreeMap::new();
        let mut last: BTreeMap<ShardId, &[DataServerIdentity]> = BTreeMap::new();
        for accepted in &self.store.chain[before.saturating_sub(1)..] {
            for (_, id, shard) in accepted.status.shards() {
                let ensemble = shard.ensemble.as_slice();
                if last
                    .insert(id, ensemble)
                    .is_none_or(|last| last == ensemble)
                {
                    used.entry(id).or_default().insert(shard.term);
                }
            }
        }
        let status = self.store.status().cloned().unwrap_or_default();
        for (_, id, shard) in status.shards() {
            if self.is_hopeless(id, shard) {
                used.remove(&id);
            }
        }
        for (id, terms) in used {
            // Where nobody can know which logs fit, those that answer first are tried in vain.
            let in_vain = if self.history.untold.contains_key(&id) {
                TRIED_IN_VAIN
            } else {
                0
            };
            // The one that it was in is none of them.
            if terms.len() > FURTHER_TERMS + in_vain + 1 {
                return Err(self.violation("L3", format!("shard {id} goes through {terms:?}")));
            }
        }
        Ok(())
    }

    /// L7: moves come to an end.
    fn nothing_moves(&self, version: usize, settled: &BTreeMap<ShardId, Term>) -> Check {
        let [before, now] = [version - 1, version].map(|it| &self.store.chain[it].status);
        let before: BTreeMap<_, _> = before.shards().map(|(_, id, shard)| (id, shard)).collect();
        for (_, id, shard) in kept(now).filter(|(_, id, _)| settled.contains_key(id)) {
            if before
                .get(&id)
                .is_some_and(|it| it.ensemble != shard.ensemble)
            {
                let text = format!("shard {id} is moved in the quiet: {shard:?}");
                return Err(self.violation("L7", text));
            }
        }
        Ok(())
    }

    /// L3, L10: no election without a cause.
    pub(super) fn stays_quiet(&mut self, settled: &Settled) -> Check {
        if let Some(why) = self.unsettled() {
            return Err(self.violation("L1", format!("it did not last: {why}")));
        }
        let versions = self.store.chain.len();
        for version in settled.versions.max(1)..versions {
            self.nothing_moves(version, &settled.terms)?;
        }
        let now = self.terms();
        if now != settled.terms {
            let before = &settled.terms;
            let text = format!("elections in the quiet: {before:?}, {now:?}");
            return Err(self.violation("L3", text));
        }
        let calm = !self.plan.partial_heal
            && self
                .plan
                .faults
                .iter()
                .all(|fault| fault.kind == FaultKind::Shutdown);
        let is_handed = |id: &ShardId| self.history.handed.contains(id);
        let is_elected = |(id, term): (&ShardId, &Term)| *term != Term(0) && !is_handed(id);
        if calm && now.iter().any(is_elected) {
            return Err(self.violation("L10", format!("elections without a fault: {now:?}")));
        }
        if self.plan.faults.is_empty()
            && self.sometimes.hits("stepped_down") > 0
            && !self.plan.partial_heal
        {
            return Err(self.violation("L10", "a step-down without a fault"));
        }
        self.everybody_is_told()
    }
}

/// The shards that are not being deleted.
pub(super) fn kept(
    status: &ClusterStatus,
) -> impl Iterator<Item = (&Arc<str>, ShardId, &Arc<ShardMetadata>)> {
    let shards = status.shards();
    shards.filter(|(_, _, shard)| shard.status != ShardStatus::Deleting)
}

fn name_of(server: &DataServerIdentity) -> &str {
    server.name.as_deref().unwrap_or_default()
}
