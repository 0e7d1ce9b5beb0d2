//! Creation of namespaces: all of a namespace's shards, or none.
//!
//! All that are missing go into one store. If that is refused, they are tried in halves, and those
//! in halves again, each in a store of its own: so one that does not fit takes no other with it. The
//! store looks whether they fit as they will be once they are led ([`ClusterStatus::grown`]).
//!
//! [`ClusterStatus::grown`]: crate::cluster::ClusterStatus::grown

use std::sync::Arc;

use super::Office;
use crate::balance::placed;
use crate::cluster::NamespaceStatus;
use crate::context::Context;
use crate::id::ShardId;
use crate::report::Report;
use crate::shard::{Intent, ShardController};

impl Office {
    /// Creates every configured namespace that has no status yet, but for what is still being deleted of
    /// it. One that has is left as it is, whatever the configuration says now.
    pub(super) fn create_namespaces(&mut self, context: &mut Context) {
        let Some(configuration) = self.configuration.clone() else {
            return;
        };
        self.refused.retain(|name, _| {
            configuration
                .namespaces
                .iter()
                .any(|namespace| namespace.name == *name)
        });
        self.groups.clear();
        let names = configuration.namespaces.iter().map(|it| it.name.clone());
        self.create(&names.collect::<Vec<_>>(), context);
    }

    /// Creates those of these namespaces that are not there yet.
    fn create(&mut self, names: &[Arc<str>], context: &mut Context) {
        let Some(configuration) = self.configuration.clone() else {
            return;
        };
        for namespace in &configuration.namespaces {
            let is_there = |it: &Self| {
                let namespaces = &it.ledger.working().namespaces;
                namespaces.get(&namespace.name).is_some_and(is_created)
            };
            if !names.contains(&namespace.name) || is_there(self) {
                continue;
            }
            match placed(namespace, &configuration, self.ledger.working()) {
                Ok((status, next_id)) => self.admit(&namespace.name, status, next_id, context),
                Err(error) => self.refuse(&namespace.name, error.to_string(), context),
            }
        }
    }

    /// Goes on with the namespaces that are still to be tried, once nothing of the kind is on its
    /// way.
    pub(super) fn create_next(&mut self, context: &mut Context) {
        while self.created.is_empty()
            && let Some(group) = self.groups.pop()
        {
            self.create(&group, context);
        }
    }

    /// The store did not take these namespaces, all together.
    pub(crate) fn rejected(
        &mut self,
        namespaces: &[Arc<str>],
        reason: &str,
        context: &mut Context,
    ) {
        for name in namespaces {
            let gone: Vec<ShardId> = self
                .shards
                .iter()
                .filter(|(_, shard)| shard.namespace() == name && !shard.is_deleted())
                .filter(|(id, _)| self.ledger.shard(name, **id).is_none())
                .map(|(id, _)| *id)
                .collect();
            for id in gone {
                self.with_shard(id, context, ShardController::park);
                self.shards.remove(&id);
                self.outlook.forget(id);
            }
        }
        self.created.retain(|created| !namespaces.contains(created));
        if let [name] = namespaces {
            self.refuse(name, reason.to_owned(), context);
        } else {
            let (first, second) = namespaces.split_at(namespaces.len().div_euclid(2));
            self.groups.extend([second.to_vec(), first.to_vec()]);
        }
        self.create_next(context);
        // Where nothing is left to be created, there may be nothing to wait for any more.
        self.publish(context);
    }

    /// Says which namespaces have become durable.
    pub(super) fn report_created(&mut self, context: &mut Context) {
        // Some have been taken out of the configuration again.
        let working = self.ledger.working();
        let is_to_be = |name: &Arc<str>| working.namespaces.get(name).is_some_and(is_created);
        self.created.retain(is_to_be);
        let accepted = self.ledger.accepted();
        let is_accepted = |name: &Arc<str>| accepted.namespaces.get(name).is_some_and(is_created);
        let (created, pending) = std::mem::take(&mut self.created)
            .into_iter()
            .partition::<Vec<_>, _>(is_accepted);
        self.created = pending;
        for namespace in created {
            let found = accepted.namespaces.get(&namespace);
            let shards = found.map_or(0, |found| found.kept().count());
            let shards = u32::try_from(shards).unwrap_or(u32::MAX);
            context.report(Report::NamespaceCreated { namespace, shards });
        }
    }

    fn admit(
        &mut self,
        name: &Arc<str>,
        status: NamespaceStatus,
        next_id: i64,
        context: &mut Context,
    ) {
        self.refused.remove(name);
        self.created.push(name.clone());
        for (id, shard) in &status.shards {
            let controller = ShardController::created(name.clone(), *id, shard, context.now);
            self.shards.insert(*id, controller);
        }
        self.ledger
            .admit(name, status, next_id, |shard| Intent::Fence(shard.term));
    }

    fn refuse(&mut self, name: &Arc<str>, reason: String, context: &mut Context) {
        self.created.retain(|created| created != name);
        if self.refused.get(name) != Some(&reason) {
            self.refused.insert(name.clone(), reason.clone());
            context.report(Report::NamespaceRefused {
                namespace: name.clone(),
                reason,
            });
        }
    }
}

/// Whether more of it is there than what is being deleted.
fn is_created(namespace: &NamespaceStatus) -> bool {
    namespace.shards.is_empty() || namespace.kept().next().is_some()
}
