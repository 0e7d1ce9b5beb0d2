//! The office of a leader: its ledger, and a controller for every data server and every shard.
//!
//! It routes what happens to the controller that it concerns, and keeps what concerns all of them:
//! the configuration's consequences, the assignments, the sweeps.

mod namespaces;
mod publish;
mod reconcile;
mod sweep;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::publish::Publisher;
use self::sweep::Sweep;
use crate::call::{Answer, CallError};
use crate::cluster::ClusterConfiguration;
use crate::id::{RequestId, ServerId, ShardId, Timestamp};
use crate::ledger::{Acceptance, Ledger};
use crate::report::Report;
use crate::server::{News, ServerController};
use crate::shard::{Desk, Leaders, ShardController};
use crate::timers::{Timer, Timers};
use crate::tools::{Owner, Tools};

/// Everything that exists only while in office.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) ledger: Ledger,
    configuration: Option<Arc<ClusterConfiguration>>,
    leaders: Leaders,
    servers: BTreeMap<ServerId, ServerController>,
    shards: BTreeMap<ShardId, ShardController>,
    timers: Timers,
    publisher: Publisher,
    sweep: Sweep,
    /// Namespaces on their way to the store.
    created: Vec<Arc<str>>,
    /// Namespaces that can't be created, and why, so that it is said once.
    refused: BTreeMap<Arc<str>, String>,
}

impl Office {
    /// Opens the office on the document that the fencing write made ours.
    pub(crate) fn open(
        ledger: Ledger,
        configuration: Option<Arc<ClusterConfiguration>>,
        tools: &mut Tools,
    ) -> Self {
        let publisher = Publisher::new(tools);
        let sweep = Sweep::new(tools);
        let mut office = Self {
            ledger,
            configuration: None,
            leaders: Leaders::default(),
            servers: BTreeMap::new(),
            shards: BTreeMap::new(),
            timers: Timers::default(),
            publisher,
            sweep,
            created: Vec::new(),
            refused: BTreeMap::new(),
        };
        let stored: Vec<(Arc<str>, ShardId)> = office
            .ledger
            .accepted()
            .shards()
            .map(|(name, id, _)| (name.clone(), id))
            .collect();
        for (namespace, id) in stored {
            office.report_shard(&namespace, id, tools);
            office
                .shards
                .insert(id, ShardController::found(namespace, id));
        }
        let found: Vec<ShardId> = office.shards.keys().copied().collect();
        office.reconcile(configuration, tools);
        for id in found {
            office.with_shard(id, tools, ShardController::start);
        }
        office.reconcile_addresses(tools);
        office
    }

    /// The accepted document holds these changes now; what waited for them may happen.
    pub(crate) fn accepted(&mut self, acceptances: Vec<Acceptance>, tools: &mut Tools) {
        let mut moved = false;
        for Acceptance {
            namespace,
            shard,
            notice,
        } in acceptances
        {
            self.report_shard(&namespace, shard, tools);
            moved = true;
            if let Some(notice) = notice {
                self.with_shard(shard, tools, |shard, desk| shard.persisted(notice, desk));
            }
        }
        if moved {
            self.report_created(tools);
            self.publish(tools);
        }
    }

    pub(crate) fn call_answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        tools: &mut Tools,
    ) {
        match tools.answered(request) {
            Some(Owner::Shard(id)) => {
                self.with_shard(id, tools, |shard, desk| {
                    shard.answered(request, result, desk)
                });
            }
            Some(Owner::Server(id)) => {
                self.with_server(&id, tools, |server, tools| {
                    server.answered(request, result, tools)
                });
            }
            None => {}
        }
    }

    pub(crate) fn health_observed(&mut self, request: RequestId, serving: bool, tools: &mut Tools) {
        if let Some(Owner::Server(id)) = tools.observed(request) {
            self.with_server(&id, tools, |server, tools| {
                server.observed(request, serving, tools)
            });
        }
    }

    pub(crate) fn watch_ended(&mut self, request: RequestId, error: &CallError, tools: &mut Tools) {
        if let Some(Owner::Server(id)) = tools.answered(request) {
            self.with_server(&id, tools, |server, tools| {
                server.watch_ended(request, error, tools)
            });
        }
    }

    pub(crate) fn push_ended(&mut self, request: RequestId, tools: &mut Tools) {
        if let Some(Owner::Server(id)) = tools.answered(request) {
            self.with_server(&id, tools, |server, tools| {
                server.push_ended(request, tools);
                News::None
            });
        }
    }

    pub(crate) fn time_passed(&mut self, tools: &mut Tools) {
        // Each timer fires at most once here, even one that is set to the past again.
        let mut due = Vec::new();
        while let Some(timer) = self.timers.pop(tools.now) {
            due.push(timer);
        }
        for timer in due {
            match timer {
                Timer::Server(id) => self.with_server(&id, tools, |server, tools| {
                    server.time_passed(tools);
                    News::None
                }),
                Timer::Shard(id) => self.with_shard(id, tools, ShardController::time_passed),
            }
        }
        self.publish_again(tools);
        self.sweep(tools);
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        [
            self.timers.next(),
            Some(self.publisher.deadline()),
            Some(self.sweep.deadline()),
        ]
        .into_iter()
        .flatten()
        .min()
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

    /// Lends a shard its desk.
    fn with_shard(
        &mut self,
        id: ShardId,
        tools: &mut Tools,
        act: impl FnOnce(&mut ShardController, &mut Desk<'_>),
    ) {
        let Some(shard) = self.shards.get_mut(&id) else {
            return;
        };
        let mut desk = Desk {
            tools,
            ledger: &mut self.ledger,
            leaders: &mut self.leaders,
            servers: &self.servers,
            configuration: self.configuration.as_deref(),
        };
        act(shard, &mut desk);
        self.timers.set(Timer::Shard(id), shard.deadline());
    }

    /// Lets a server act, and tells the shards what follows from it.
    fn with_server(
        &mut self,
        id: &ServerId,
        tools: &mut Tools,
        act: impl FnOnce(&mut ServerController, &mut Tools) -> News,
    ) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        let news = act(server, tools);
        self.timers
            .set(Timer::Server(id.clone()), server.deadline());
        match news {
            News::None => {}
            News::Running => {
                self.each_shard(tools, |shard, desk| shard.server_running(id, desk));
            }
            News::Unavailable(reason) => {
                self.each_shard(tools, |shard, desk| {
                    shard.server_unavailable(id, &reason, desk)
                });
            }
            News::Restarted => self.verify_led_by(id, tools),
        }
    }

    fn each_shard(
        &mut self,
        tools: &mut Tools,
        mut act: impl FnMut(&mut ShardController, &mut Desk<'_>),
    ) {
        let ids: Vec<ShardId> = self.shards.keys().copied().collect();
        for id in ids {
            self.with_shard(id, tools, &mut act);
        }
    }

    fn verify_led_by(&mut self, server: &ServerId, tools: &mut Tools) {
        let led: Vec<ShardId> = self
            .ledger
            .working()
            .shards()
            .filter(|(_, _, shard)| {
                shard
                    .leader
                    .as_ref()
                    .is_some_and(|leader| leader.id() == *server)
            })
            .map(|(_, id, _)| id)
            .collect();
        for id in led {
            self.with_shard(id, tools, ShardController::verify);
        }
    }

    fn report_shard(&self, namespace: &Arc<str>, id: ShardId, tools: &mut Tools) {
        let accepted = self.ledger.accepted();
        let shard = accepted
            .namespaces
            .get(namespace)
            .and_then(|found| found.shards.get(&id));
        if let Some(shard) = shard {
            tools.report(Report::ShardAccepted {
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
