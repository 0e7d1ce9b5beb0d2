//! What is not as it should be: said once for all shards where they wait for the same thing, and by
//! name where a shard has too few replicas in sync for long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Office;
use crate::context::Context;
use crate::id::{ServerId, ShardId, Timestamp};
use crate::report::Report;
use crate::server::{Reach, ServerController};

/// Shards of which the same comes to be true within this time are told of together.
const GATHERED: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Default)]
pub(super) struct Outlook {
    in_sync: BTreeMap<ShardId, InSync>,
    /// When it is to be said that a shard has had too few replicas in sync for long.
    short: BTreeSet<(Timestamp, ShardId)>,
    /// Shards that are whole again, of which it was said that they are not.
    whole: BTreeMap<ShardId, Arc<str>>,
    /// When that is to be said.
    whole_at: Option<Timestamp>,
    /// Shards that could be elected, but for a majority of their ensembles.
    waiting: BTreeSet<ShardId>,
    /// When that is to be said; `None` once it was.
    say_at: Option<Timestamp>,
    said: bool,
}

#[derive(Clone, Debug)]
struct InSync {
    namespace: Arc<str>,
    replicas: usize,
    of: usize,
    /// When it is, or was, to be said that these are too few.
    short: Option<Timestamp>,
    said: bool,
}

/// A shard as it stands after it has acted.
pub(super) struct Standing {
    pub(super) namespace: Arc<str>,
    pub(super) in_sync: usize,
    pub(super) replicas: usize,
    pub(super) awaits_majority: bool,
}

impl Outlook {
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let short = self.short.first().map(|(at, _)| at.after(GATHERED));
        [self.say_at, short, self.whole_at]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn note(&mut self, id: ShardId, now: Standing, context: &mut Context) {
        if now.awaits_majority {
            if self.waiting.insert(id) && !self.said && self.say_at.is_none() {
                self.say_at = Some(context.now.after(GATHERED));
            }
        } else if self.waiting.remove(&id) && self.waiting.is_empty() {
            self.say_at = None;
            if std::mem::take(&mut self.said) {
                context.report(Report::MajorityBack);
            }
        }
        let before = self.in_sync.entry(id).or_insert_with(|| InSync {
            namespace: now.namespace.clone(),
            replicas: 0,
            of: 0,
            short: None,
            said: false,
        });
        if (before.replicas, before.of) == (now.in_sync, now.replicas) {
            return;
        }
        (before.replicas, before.of) = (now.in_sync, now.replicas);
        context.report(Report::ShardInSync {
            namespace: now.namespace,
            shard: id,
            in_sync: now.in_sync,
            replicas: now.replicas,
        });
        let is_short = before.replicas < before.of;
        match before.short {
            None if is_short => {
                let at = context.now.after(context.timing.short_for);
                before.short = Some(at);
                self.short.insert((at, id));
            }
            Some(at) if !is_short => {
                before.short = None;
                self.short.remove(&(at, id));
                if std::mem::take(&mut before.said) {
                    self.whole.insert(id, before.namespace.clone());
                    let at = context.now.after(GATHERED);
                    self.whole_at.get_or_insert(at);
                }
            }
            Some(_) | None => {}
        }
    }

    fn say_what_is_short(&mut self, context: &mut Context) {
        let is_due = |(at, _): &(Timestamp, ShardId)| at.after(GATHERED) <= context.now;
        if !self.short.first().is_some_and(is_due) {
            return;
        }
        let mut shards = Vec::new();
        while let Some((_, id)) = self.pop_short(context.now) {
            if let Some(shard) = self.in_sync.get_mut(&id) {
                shard.said = true;
                // What became whole and short again is not told of as whole.
                self.whole.remove(&id);
                shards.push((shard.namespace.clone(), id, shard.replicas, shard.of));
            }
        }
        context.report(Report::ShardsShort { shards });
    }

    fn pop_short(&mut self, now: Timestamp) -> Option<(Timestamp, ShardId)> {
        let is_due = self.short.first().is_some_and(|(at, _)| *at <= now);
        is_due.then(|| self.short.pop_first()).flatten()
    }

    fn say_what_is_whole(&mut self, context: &mut Context) {
        if self.whole_at.is_some_and(|at| at <= context.now) {
            self.whole_at = None;
            let shards = std::mem::take(&mut self.whole).into_iter();
            let shards: Vec<_> = shards.map(|(id, namespace)| (namespace, id)).collect();
            if !shards.is_empty() {
                context.report(Report::ShardsWhole { shards });
            }
        }
    }

    pub(super) fn forget(&mut self, id: ShardId) {
        self.whole.remove(&id);
        self.waiting.remove(&id);
        if let Some(at) = self.in_sync.remove(&id).and_then(|gone| gone.short) {
            self.short.remove(&(at, id));
        }
    }
}

impl Office {
    /// Says what has lasted for long enough.
    pub(super) fn look_out(&mut self, context: &mut Context) {
        if self.outlook.say_at.is_some_and(|at| at <= context.now) {
            self.outlook.say_at = None;
            self.outlook.said = true;
            let away = |server: &&ServerController| server.reach() != Reach::Running;
            let away = self.servers.values().filter(away);
            let servers: Vec<ServerId> = away.map(|server| server.identity().id()).collect();
            context.report(Report::MajorityAwaited {
                shards: self.outlook.waiting.len(),
                servers,
            });
        }
        self.outlook.say_what_is_short(context);
        self.outlook.say_what_is_whole(context);
    }
}
