//! L1, L11, while things go wrong: a shard that can be led is led soon, wherever faults permit it,
//! and what is written to it is committed.

use std::collections::BTreeMap;
use std::time::Duration;

use stepdown_core::call::ReplicaRole;
use stepdown_core::cluster::{NamespaceStatus, ShardMetadata};
use stepdown_core::{Role, ShardId, Term};

use super::Check;
use crate::sim::clock::At;
use crate::sim::phases::as_it_was;
use crate::sim::world::{What, World};

const EVERY: Duration = Duration::from_secs(5);
/// What a fault of coordinators, of their store or of their lease leaves behind has passed.
const SETTLES: Duration = Duration::from_secs(40);
/// What a fault of a data server leaves behind has passed.
const RECOVERS: Duration = Duration::from_secs(20);
const LED: Duration = Duration::from_secs(60);
/// A leader tries a follower again after up to a minute, and one that does not come nearer is
/// brought back by an election after a minute and a half, by its coordinator's clock.
const COMMITTED: Duration = Duration::from_secs(200);

/// Since when what ought not to last has lasted.
#[derive(Debug, Default)]
pub struct Overdue {
    unled: BTreeMap<ShardId, At>,
    uncommitted: BTreeMap<ShardId, (i64, At)>,
    nobody: Option<At>,
}

impl World<'_> {
    /// Something is wrong with a server until then.
    pub(in crate::sim) fn troubles(&mut self, server: usize, until: At) {
        let place = &mut self.servers[server];
        place.troubled = place.troubled.max(until);
    }

    pub(in crate::sim) fn look_around(&mut self) -> Check {
        self.queue.after(EVERY, What::LookAround);
        let now = self.queue.now();
        self.check_told_again()?;
        if self.calm.plus(SETTLES) > now {
            self.overdue = Overdue::default();
            return Ok(());
        }
        self.check_somebody_leads(now)?;
        let Some(status) = self.store.status().cloned() else {
            return Ok(());
        };
        for (id, shard) in status.namespaces.values().flat_map(NamespaceStatus::kept) {
            self.check_is_led(id, shard, now)?;
            self.check_is_committed(id, shard, now)?;
        }
        Ok(())
    }

    fn check_somebody_leads(&mut self, now: At) -> Check {
        let leaders = self.hosts.iter().filter(|host| {
            let machine = host.machine.as_ref();
            machine.is_some_and(|machine| machine.role() == Role::Leader)
        });
        if leaders.count() == 1 {
            self.overdue.nobody = None;
            return Ok(());
        }
        let since = *self.overdue.nobody.get_or_insert(now);
        if now.since(since) > LED {
            return Err(self.violation("L1 meanwhile", "not one coordinator is in office"));
        }
        Ok(())
    }

    /// Whether a majority of a shard's servers is well, remembers, has logs that can be made to fit,
    /// and has been so for a while; amid an exchange, also one of those that they were before.
    fn can_be_led(&self, id: ShardId, shard: &ShardMetadata, now: At) -> bool {
        let before = as_it_was(shard);
        self.is_majority_well(id, shard, now)
            && before.is_none_or(|before| self.is_majority_well(id, &before, now))
    }

    fn is_majority_well(&self, id: ShardId, shard: &ShardMetadata, now: At) -> bool {
        let members = shard.ensemble.iter();
        let members = members.filter_map(|member| self.server_at(&member.internal));
        let is_well = |server: &usize| {
            let server = &self.servers[*server];
            let votes = server.model.term(id) != Term::NEVER || !shard.was_led();
            votes && server.up && server.troubled.plus(RECOVERS) <= now
        };
        let well: Vec<usize> = members.filter(is_well).collect();
        let most = shard.ensemble.len() / 2;
        well.len() > most && (!shard.was_led() || self.logs_that_fit(&well, id, shard) > most)
    }

    fn check_is_led(&mut self, id: ShardId, shard: &ShardMetadata, now: At) -> Check {
        let leader = shard.leader.as_ref();
        let server = leader.and_then(|leader| self.server_at(&leader.internal));
        let replica = server.and_then(|server| self.servers[server].model.status(id));
        let leads = replica.is_some_and(|replica| {
            replica.role == ReplicaRole::Leader && replica.term == shard.term
        });
        if leads || !self.can_be_led(id, shard, now) {
            self.overdue.unled.remove(&id);
            return Ok(());
        }
        let since = *self.overdue.unled.entry(id).or_insert(now);
        if now.since(since) > LED {
            return Err(self.violation(
                "L1 meanwhile",
                format!("shard {id} could be led since {since}: {shard:?}, {replica:?}"),
            ));
        }
        self.sometimes.hit("unled_while_it_could_be_led");
        Ok(())
    }

    /// What each member has.
    fn replicas(&self, id: ShardId, shard: &ShardMetadata) -> String {
        let members = shard.ensemble.iter().map(|member| {
            let server = self.server_at(&member.internal);
            let model = server.map(|server| &self.servers[server].model);
            let has = model.map(|model| (model.status(id), model.log(id)));
            format!("{}: {has:?}", member.internal)
        });
        members.collect::<Vec<_>>().join(", ")
    }

    fn check_is_committed(&mut self, id: ShardId, shard: &ShardMetadata, now: At) -> Check {
        let leader = shard.leader.as_ref();
        let server = leader.and_then(|leader| self.server_at(&leader.internal));
        let server = server.map(|server| &self.servers[server]);
        let log = server
            .filter(|server| server.up && server.model.leads(id) == Some(shard.term))
            .and_then(|server| server.model.log(id));
        let offsets = log.map(|(log, committed)| (log.head().offset, committed));
        let Some((head, committed)) = offsets.filter(|(head, committed)| head > committed) else {
            self.overdue.uncommitted.remove(&id);
            return Ok(());
        };
        let can_be_led = self.can_be_led(id, shard, now);
        let (waits, since) = *self
            .overdue
            .uncommitted
            .entry(id)
            .and_modify(|overdue| {
                if committed >= overdue.0 || !can_be_led {
                    *overdue = (head, now);
                }
            })
            .or_insert((head, now));
        let clocks = self.hosts.iter().map(|host| host.clock);
        let longest = clocks.map(|clock| clock.stretch(COMMITTED)).max();
        if longest.is_some_and(|longest| now.since(since) > longest) {
            return Err(self.violation(
                "L11",
                format!(
                    "shard {id}: {waits} is not committed since {since}, but {committed}: {}",
                    self.replicas(id, shard)
                ),
            ));
        }
        Ok(())
    }
}
