//! The office of a leader: its ledger, and a controller for every data server and every shard.
//!
//! It routes what happens to the controller that it concerns, and keeps what concerns all of them:
//! the configuration's consequences, the assignments, the sweeps.

mod binding;
mod deletions;
mod fresh;
mod giving_up;
mod handings;
mod moves;
mod namespaces;
mod outlook;
mod publish;
mod reconcile;
mod survey;
mod sweep;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::binding::{is_uninitialized, is_unreachable};
use self::deletions::Held;
use self::fresh::Fresh;
use self::moves::Moves;
use self::outlook::{Outlook, Standing};
use self::publish::Publisher;
use self::sweep::Sweep;
use crate::call::{Answer, CallError};
use crate::cluster::{ClusterConfiguration, ShardMetadata};
use crate::context::{Asked, Context, Owner};
use crate::id::{RequestId, ServerId, ShardId, Timestamp};
use crate::ledger::{Acceptance, Ledger};
use crate::report::Report;
use crate::server::{News, ServerController};
use crate::shard::{Intent, Known, Leaders, ShardContext, ShardController};
use crate::timers::{Timer, Timers};

/// Everything that exists only while in office.
#[derive(Clone, Debug)]
pub(crate) struct Office {
    pub(crate) ledger: Ledger<Intent>,
    since: Timestamp,
    pub(crate) configuration: Option<Arc<ClusterConfiguration>>,
    leaders: Leaders,
    servers: BTreeMap<ServerId, ServerController>,
    shards: BTreeMap<ShardId, ShardController>,
    timers: Timers,
    publisher: Publisher,
    sweep: Sweep,
    outlook: Outlook,
    moves: Moves,
    held: Option<Held>,
    fresh: Fresh,
    /// Namespaces on their way to the store.
    created: Vec<Arc<str>>,
    /// Groups of namespaces that are still to be tried, each in a store of its own, the next one
    /// last.
    groups: Vec<Vec<Arc<str>>>,
    /// Namespaces that can't be created, and why, so that it is said once.
    refused: BTreeMap<Arc<str>, String>,
}

impl Office {
    /// An office, not yet open, on the document that the fencing write made ours.
    pub(crate) fn new(ledger: Ledger<Intent>, context: &Context) -> Self {
        Self {
            ledger,
            since: context.now,
            configuration: None,
            leaders: Leaders::default(),
            servers: BTreeMap::new(),
            shards: BTreeMap::new(),
            timers: Timers::default(),
            publisher: Publisher::new(context),
            sweep: Sweep::new(context),
            outlook: Outlook::default(),
            moves: Moves::new(context),
            held: None,
            fresh: Fresh::default(),
            created: Vec::new(),
            groups: Vec::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Opens it: a controller for every server and every shard.
    pub(crate) fn open(
        &mut self,
        configuration: Option<Arc<ClusterConfiguration>>,
        context: &mut Context,
    ) {
        let stored: Vec<(Arc<str>, ShardId)> = self
            .ledger
            .accepted()
            .shards()
            .map(|(name, id, _)| (name.clone(), id))
            .collect();
        for (namespace, id) in stored {
            self.report_shard(&namespace, id, context);
            self.shards
                .insert(id, ShardController::found(namespace, id));
        }
        self.moves.go_on(self.ledger.accepted(), context);
        let found: Vec<ShardId> = self.shards.keys().copied().collect();
        self.reconcile(configuration, context);
        for id in found {
            self.with_shard(id, context, ShardController::start);
        }
        self.reconcile_addresses(context);
    }

    /// The accepted document holds these changes now; what waited for them may happen.
    pub(crate) fn accepted(&mut self, acceptances: Vec<Acceptance<Intent>>, context: &mut Context) {
        let mut moved = false;
        for Acceptance {
            namespace,
            shard,
            durable,
        } in acceptances
        {
            self.report_shard(&namespace, shard, context);
            moved = true;
            if let Some(durable) = durable {
                self.with_shard(shard, context, |shard, cx| shard.persisted(durable, cx));
            }
        }
        if moved {
            self.drop_deleted(context);
            self.report_created(context);
            self.create_next(context);
            self.publish(context);
        }
    }

    pub(crate) fn call_answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        context: &mut Context,
    ) {
        let Some(Asked { owner, server }) = context.answered(request) else {
            return;
        };
        let uninitialized = result.as_ref().is_err_and(is_uninitialized);
        match owner {
            Owner::Shard(id) => {
                if result.as_ref().is_err_and(is_unreachable) {
                    self.unreached(&server, context);
                }
                self.with_shard(id, context, |shard, cx| shard.answered(request, result, cx));
            }
            Owner::Server(id) => {
                let instance_id = self.ledger.accepted().instance_id.clone();
                self.with_server(&id, context, |server, context| {
                    server.answered(request, result, &instance_id, context)
                });
            }
        }
        if uninitialized {
            self.uninitialized(&server, Some(request), context);
        }
    }

    pub(crate) fn health_observed(
        &mut self,
        request: RequestId,
        serving: bool,
        context: &mut Context,
    ) {
        if let Some(Owner::Server(id)) = context.observed(request) {
            self.with_server(&id, context, |server, context| {
                server.observed(request, serving, context)
            });
        }
    }

    pub(crate) fn watch_ended(
        &mut self,
        request: RequestId,
        error: &CallError,
        context: &mut Context,
    ) {
        self.stream_ended(request, error, context, |server, context| {
            server.watch_ended(request, error, context)
        });
    }

    pub(crate) fn push_ended(
        &mut self,
        request: RequestId,
        error: &CallError,
        context: &mut Context,
    ) {
        self.stream_ended(request, error, context, |server, context| {
            server.push_ended(request, context);
            News::None
        });
    }

    fn stream_ended(
        &mut self,
        request: RequestId,
        error: &CallError,
        context: &mut Context,
        act: impl FnOnce(&mut ServerController, &mut Context) -> News,
    ) {
        let Some(Asked { server, .. }) = context.answered(request) else {
            return;
        };
        self.with_server(&server, context, act);
        if is_uninitialized(error) {
            self.uninitialized(&server, None, context);
        }
    }

    pub(crate) fn time_passed(&mut self, context: &mut Context) {
        // Each timer fires at most once here, even one that is set to the past again.
        let mut due = Vec::new();
        while let Some(timer) = self.timers.pop(context.now) {
            due.push(timer);
        }
        for timer in due {
            match timer {
                Timer::Server(id) => self.with_server(&id, context, |server, context| {
                    server.time_passed(context);
                    News::None
                }),
                Timer::Shard(id) => self.with_shard(id, context, ShardController::time_passed),
            }
        }
        self.publish_again(context);
        self.sweep(context);
        self.put_held_into_force(context);
        self.make_sure_again(context);
        self.move_shards(context);
        self.look_out(context);
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        [
            self.timers.next(),
            Some(self.publisher.deadline()),
            Some(self.sweep.deadline()),
            Some(self.moves.deadline()),
            self.held.as_ref().and_then(|it| it.deadline(&self.fresh)),
            self.fresh.deadline(),
            self.outlook.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When it was made.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    /// Every data server that it has a controller for.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&ServerId, &ServerController)> {
        self.servers.iter()
    }

    /// How many shards are led, as stored, and how many there are.
    pub(crate) fn steady(&self) -> (usize, usize) {
        (
            self.shards
                .values()
                .filter(|shard| shard.is_steady())
                .count(),
            self.shards.len(),
        )
    }

    /// Lets a shard act, with what it works with, and looks what has become of it.
    fn with_shard(
        &mut self,
        id: ShardId,
        context: &mut Context,
        act: impl FnOnce(&mut ShardController, &mut ShardContext<'_>),
    ) {
        self.with_shard_alone(id, context, act);
        self.look_at_move(id, context);
    }

    fn with_shard_alone(
        &mut self,
        id: ShardId,
        context: &mut Context,
        act: impl FnOnce(&mut ShardController, &mut ShardContext<'_>),
    ) {
        let Some(shard) = self.shards.get_mut(&id) else {
            return;
        };
        let mut cx = ShardContext {
            context,
            ledger: &mut self.ledger,
            leaders: &mut self.leaders,
            known: Known {
                servers: &self.servers,
                configuration: self.configuration.as_deref(),
            },
        };
        act(shard, &mut cx);
        self.timers.set(Timer::Shard(id), shard.deadline());
        let namespace = shard.namespace().clone();
        let stored = self.ledger.shard(&namespace, id);
        let standing = Standing {
            in_sync: shard.in_sync(),
            // One that is being deleted is short of nothing.
            replicas: stored
                .filter(|_| !shard.is_deleted())
                .map_or(0, |it| it.ensemble.len()),
            awaits_majority: shard.awaits_majority(),
            namespace,
        };
        self.outlook.note(id, standing, context);
    }

    /// Lets a server act, and tells the shards what follows from it.
    fn with_server(
        &mut self,
        id: &ServerId,
        context: &mut Context,
        act: impl FnOnce(&mut ServerController, &mut Context) -> News,
    ) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        let news = act(server, context);
        self.timers
            .set(Timer::Server(id.clone()), server.deadline());
        match news {
            News::None => {}
            News::Running { emptied } => {
                self.moves.server_running(context);
                if emptied {
                    self.report_emptied(id, context);
                    self.each_shard(context, |shard, cx| shard.server_emptied(id, cx));
                }
                self.each_shard(context, |shard, cx| shard.server_running(id, cx));
            }
            News::Unavailable(reason) => {
                self.each_shard(context, |shard, cx| {
                    shard.server_unavailable(id, &reason, cx)
                });
            }
            News::Watched => self.verify(id, context, |shard| {
                let leader = shard.leader.as_ref();
                leader.is_some_and(|leader| leader.id() == *id)
            }),
            // A follower's log may be shorter than it was, and its leader does not notice.
            News::Restarted => self.verify(id, context, |shard| {
                shard.ensemble.iter().any(|member| member.id() == *id)
            }),
        }
    }

    fn each_shard(
        &mut self,
        context: &mut Context,
        mut act: impl FnMut(&mut ShardController, &mut ShardContext<'_>),
    ) {
        let ids: Vec<ShardId> = self.shards.keys().copied().collect();
        for id in ids {
            self.with_shard(id, context, &mut act);
        }
    }

    fn verify(
        &mut self,
        broken: &ServerId,
        context: &mut Context,
        choose: impl Fn(&ShardMetadata) -> bool,
    ) {
        let shards = self.ledger.working().shards();
        let chosen = shards.filter(|(_, _, shard)| choose(shard));
        let chosen: Vec<ShardId> = chosen.map(|(_, id, _)| id).collect();
        for id in chosen {
            self.with_shard(id, context, |shard, cx| shard.verify(Some(broken), cx));
        }
    }

    fn report_shard(&self, namespace: &Arc<str>, id: ShardId, context: &mut Context) {
        let accepted = self.ledger.accepted();
        let shard = accepted
            .namespaces
            .get(namespace)
            .and_then(|found| found.shards.get(&id));
        if let Some(shard) = shard {
            context.report(Report::ShardAccepted {
                namespace: namespace.clone(),
                shard: id,
                term: shard.term,
                leader: shard
                    .leader
                    .as_ref()
                    .map(crate::cluster::DataServerIdentity::id),
            });
        }
    }
}
