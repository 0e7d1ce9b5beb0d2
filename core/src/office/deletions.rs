//! Deletion of namespaces that are not configured any more.
//!
//! A configuration that would delete more than it keeps, or everything, is put into force only once it has
//! stayed as it is for a while: an editor may have written only a part of it yet, or a person the wrong file.

use std::sync::Arc;

use super::Office;
use super::fresh::Fresh;
use crate::balance::HeldBack;
use crate::cluster::{ClusterConfiguration, ShardStatus};
use crate::context::Context;
use crate::id::{ShardId, Timestamp};
use crate::report::Report;
use crate::shard::ShardController;

/// A configuration that is not put into force yet.
#[derive(Clone, Debug)]
pub(super) struct Held {
    configuration: Arc<ClusterConfiguration>,
    /// What it would delete.
    namespaces: Vec<Arc<str>>,
    until: Timestamp,
}

impl Held {
    /// When it is put into force, once that is made sure of.
    pub(super) fn deadline(&self, fresh: &Fresh) -> Option<Timestamp> {
        (!fresh.is_being_asked()).then_some(self.until)
    }

    pub(super) fn configuration(&self) -> &Arc<ClusterConfiguration> {
        &self.configuration
    }

    fn told(&self) -> HeldBack {
        HeldBack {
            namespaces: self.namespaces.clone(),
            until: self.until,
        }
    }
}

impl Office {
    /// Holds a configuration back that would delete too much at once; returns one that would not.
    pub(super) fn held_back(
        &mut self,
        configuration: Arc<ClusterConfiguration>,
        context: &mut Context,
    ) -> Option<Arc<ClusterConfiguration>> {
        if self
            .held
            .as_ref()
            .is_some_and(|held| held.configuration == configuration)
        {
            return None;
        }
        self.held = None;
        let (gone, kept) = self.split_by(&configuration);
        if gone.is_empty() || gone.len() <= kept {
            return Some(configuration);
        }
        let wait = context.timing.delete_after;
        context.report(Report::DeletionHeld {
            namespaces: gone.clone(),
            wait,
        });
        self.held = Some(Held {
            configuration,
            namespaces: gone,
            until: context.now.after(wait),
        });
        None
    }

    pub(crate) fn held_back_now(&self) -> Option<HeldBack> {
        self.held.as_ref().map(Held::told)
    }

    /// It has not stayed as it is: what has come in its place is none. Returns whether one was held back.
    pub(crate) fn let_go_of_what_is_held(&mut self) -> bool {
        self.held.take().is_some()
    }

    /// It has stayed as it is for long enough.
    pub(super) fn put_held_into_force(&mut self, context: &mut Context) {
        let now = context.now;
        let due = self.held.as_ref().filter(|held| held.until <= now);
        let Some(configuration) = due.map(|held| held.configuration.clone()) else {
            return;
        };
        if self.is_sure_of(&configuration, context) {
            self.held = None;
            self.put_into_force(configuration, context);
        }
    }

    /// The document says something else than what is held back: it has not stayed as it is.
    pub(super) fn hold_longer(
        &mut self,
        configuration: &Arc<ClusterConfiguration>,
        context: &Context,
    ) {
        if let Some(held) = &mut self.held
            && Arc::ptr_eq(&held.configuration, configuration)
        {
            held.until = context.now.after(context.timing.delete_after);
        }
    }

    /// Marks the shards of namespaces that are not configured as those that are being deleted.
    pub(super) fn delete_namespaces(&mut self, context: &mut Context) {
        let Some(configuration) = self.configuration.clone() else {
            return;
        };
        let (gone, _) = self.split_by(&configuration);
        if gone.is_empty() || !self.is_sure_of(&configuration, context) {
            return;
        }
        let shards = self.shards.iter();
        let shards = shards.filter(|(_, shard)| gone.contains(shard.namespace()));
        let shards: Vec<ShardId> = shards.map(|(id, _)| *id).collect();
        for id in shards {
            self.with_shard(id, context, ShardController::delete);
            self.moves.forget(id);
        }
    }

    /// Ends the controllers of shards that the document does not know any more.
    pub(super) fn drop_deleted(&mut self, context: &mut Context) {
        let accepted = self.ledger.accepted().clone();
        let is_gone = |id: &ShardId, shard: &ShardController| {
            let is_stored = || {
                let namespace = accepted.namespaces.get(shard.namespace());
                namespace.is_some_and(|it| it.shards.contains_key(id))
            };
            // One that is new is on its way to the store.
            let is_to_be = || self.ledger.shard(shard.namespace(), *id).is_some();
            shard.is_deleted() && !is_stored() && !is_to_be()
        };
        let gone = self.shards.iter().filter(|(id, shard)| is_gone(id, shard));
        let gone: Vec<ShardId> = gone.map(|(id, _)| *id).collect();
        let mut is_any = false;
        for id in gone {
            let Some(shard) = self.shards.get(&id) else {
                continue;
            };
            let namespace = shard.namespace().clone();
            self.with_shard_alone(id, context, ShardController::park);
            self.shards.remove(&id);
            self.timers.set(crate::timers::Timer::Shard(id), None);
            self.outlook.forget(id);
            self.moves.forget(id);
            is_any = true;
            context.report(Report::ShardDeleted {
                namespace: namespace.clone(),
                shard: id,
            });
            if !accepted.namespaces.contains_key(&namespace)
                && !self.shards.values().any(|it| *it.namespace() == namespace)
            {
                context.report(Report::NamespaceDeleted { namespace });
            }
        }
        if is_any || self.has_idle_servers() {
            self.reconcile_servers(context);
            // One may have been configured again while it was being deleted.
            self.create_namespaces(context);
        }
    }

    /// The stored namespaces that are not configured, and how many are.
    fn split_by(&self, configuration: &ClusterConfiguration) -> (Vec<Arc<str>>, usize) {
        let is_kept = |name: &Arc<str>| {
            let mut configured = configuration.namespaces.iter();
            configured.any(|namespace| namespace.name == *name)
        };
        let stored = self.ledger.working().namespaces.iter();
        let live = stored.filter(|(_, namespace)| {
            let mut shards = namespace.shards.values();
            shards.any(|shard| shard.status != ShardStatus::Deleting)
        });
        let (kept, gone): (Vec<_>, Vec<_>) = live.map(|(name, _)| name.clone()).partition(is_kept);
        (gone, kept.len())
    }
}
