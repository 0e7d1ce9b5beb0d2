//! The world: everything there is, and what can happen in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::assign::ShardAssignments;
use stepdown_core::call::CallError;
use stepdown_core::lease::LeaseEvent;
use stepdown_core::store::{StatusDocument, StoreOutcome};
use stepdown_core::{Event, ShardId, Tenure, Version};
use stepdown_sandbox::replica::{DurableServer, Ghost, Message};

use super::alone::Alone;
use super::chance::Chance;
use super::check::{Check, History, Overdue, Violation};
use super::clock::{At, Clock};
use super::configuration::{Address, Configured};
use super::documents::Read;
use super::host::{Host, Leaving};
use super::lease::{Ask, Object};
use super::machine::Factory;
use super::network::Network;
use super::plan::{Leadership, Plan};
use super::queue::Queue;
use super::server::{CallResult, Caller, Packet, Server, Token};
use super::sometimes::Sometimes;
use super::store::{Accepted, Store};
use super::trace::Trace;

/// Everything there is.
pub struct World<'a> {
    pub plan: &'a Plan,
    pub factory: &'a dyn Factory,
    pub queue: Queue<What>,
    pub chance: Chance,
    pub hosts: Vec<Host>,
    pub servers: Vec<Server>,
    pub network: Network,
    pub store: Store,
    pub lease: Object,
    pub locked: Option<(usize, u32)>,
    pub configured: Configured,
    pub ghost: Ghost,
    pub history: History,
    pub sometimes: Sometimes,
    pub trace: Trace,
    pub healed: bool,
    /// When a configuration that would delete much was seen last: it is held back from then on.
    pub held: At,
    pub chaos_ends: At,
    /// Until when anything may have gone wrong with coordinators, their store or their lease.
    pub calm: At,
    pub overdue: Overdue,
    /// Shards whose leaders are to write alone.
    pub alone: BTreeMap<ShardId, Alone>,
    /// Data servers and coordinators that stay down when the rest is healed.
    pub left_down: (Vec<usize>, Vec<usize>),
    tokens: u64,
}

/// What can happen.
#[derive(Debug)]
pub enum What {
    HostStarts(usize),
    HostResumes(usize, u32),
    Wake(usize, u32, At),
    Delivered(usize, u32, Event),
    ConfigurationChanged(usize, u32),
    DrainBudgetSpent(usize, u32, Tenure),
    LockTried {
        host: usize,
        boot: u32,
        generation: u64,
    },
    LeaseArrives(Box<Ask>),
    LeaseTold(usize, u32, Box<LeaseEvent>),
    LeaseWakes(usize, u32, At),
    LeaseHinted,
    SuccessorDue(u64, At),
    StoreArrives(Caller, Option<Version>, StatusDocument, bool),
    StoreEnds(Caller, StoreOutcome),
    ReadArrives(Caller, Read, At),
    ReadAnswers(Caller, Event),
    TimedOut(Caller),
    CallLeaves(Leaving),
    CallArrives(usize, Packet),
    AnswerLeaves(usize, Caller, CallResult),
    CallAnswered(Caller, CallResult),
    CallTimedOut(Caller),
    CancelArrives(usize, Token),
    WatchArrives(usize, Token, Caller),
    WatchSays(Caller, bool),
    WatchEnds(Caller, CallError),
    ServingChanged(usize),
    PushArrives(usize, u32, Caller, Option<Arc<str>>, Arc<ShardAssignments>),
    PushEnds(Caller, CallError),
    LinkLost(usize, usize),
    MessageArrives(usize, u32, Message),
    Sync(usize, u32),
    LogSynced(usize, u32, ShardId),
    Resend(usize, u32, Arc<str>),
    Reconnects {
        server: usize,
        boot: u32,
        to: usize,
        tries: u32,
    },
    /// The streams between a server, by its address then, and another have ended.
    Parted(usize, String, usize),
    PatienceEnds(usize, u32, Token),
    ServerStarts(usize),
    ServerRestarts {
        server: usize,
        times: u32,
        apart: Duration,
    },
    /// A server that was left alone.
    Dies {
        server: usize,
        boot: u32,
        down: Duration,
    },
    /// A person says of a server that was lost that it never comes back.
    GivenUp(usize),
    Fault(usize),
    DiskPutBack(usize, DurableServer),
    DocumentPutBack(Box<Accepted>),
    ConfigurationMended,
    Append,
    LookAround,
}

impl<'a> World<'a> {
    pub fn new(plan: &'a Plan, factory: &'a dyn Factory, kept: usize) -> Self {
        let mut chance = Chance::new(plan.seed);
        let hosts = (0..plan.coordinators)
            .map(|_| Host::new(Clock::drawn(plan.wild_clocks, &mut chance.clocks)))
            .collect();
        let configured = Configured {
            namespaces: vec![("default".to_owned(), plan.shards)],
            replication: plan.replication,
            servers: (0..plan.servers)
                .map(|index| Address::of(index, 0))
                .collect(),
            broken: None,
            unreadable: At(0),
            since: BTreeMap::new(),
            // Else so seldom that no election for it mends what a mistake has spoiled; or so often that all
            // is where it is to be before it is looked whether nothing moves any more.
            balanced_every: if plan.seed.is_multiple_of(2) {
                "1h"
            } else {
                "5s"
            },
        };
        let mut world = Self {
            plan,
            factory,
            queue: Queue::new(),
            chance,
            hosts,
            servers: (0..plan.servers).map(Server::new).collect(),
            network: Network::new(plan.coordinators, plan.servers),
            store: Store::default(),
            lease: Object::default(),
            locked: None,
            configured,
            ghost: Ghost::default(),
            history: History::default(),
            sometimes: Sometimes::default(),
            trace: Trace::new(kept),
            healed: false,
            held: At(0),
            chaos_ends: At(0),
            calm: At(0),
            overdue: Overdue::default(),
            alone: BTreeMap::new(),
            left_down: (Vec::new(), Vec::new()),
            tokens: 0,
        };
        for host in 0..plan.coordinators {
            let delay = world.chance.workload.millis(0, 3_000);
            world.queue.after(delay, What::HostStarts(host));
        }
        world.queue.after(Duration::from_secs(1), What::Append);
        world.queue.after(Duration::from_secs(1), What::LookAround);
        world
    }

    /// Lets everything happen until `end`.
    pub fn run_until(&mut self, end: At) -> Check {
        while let Some(what) = self.queue.pop(end) {
            self.happen(what)?;
        }
        Ok(())
    }

    fn happen(&mut self, what: What) -> Check {
        match what {
            What::HostStarts(host) => return self.start_host(host),
            What::HostResumes(host, boot) => return self.resume(host, boot),
            What::Wake(host, boot, at) => return self.wake(host, boot, at),
            What::Delivered(host, boot, event) if self.hosts[host].boot == boot => {
                return self.deliver(host, event);
            }
            What::Delivered(..) => {}
            What::ConfigurationChanged(host, boot) => {
                let deaf = self.hosts[host].deaf;
                if self.hosts[host].boot == boot && self.queue.now() < deaf {
                    self.queue.at(deaf, What::ConfigurationChanged(host, boot));
                } else if self.hosts[host].boot == boot {
                    // Read when it is noticed: a watch never goes back to an older document.
                    return self.deliver(host, self.configured.read());
                }
            }
            What::DrainBudgetSpent(host, boot, tenure) => {
                self.drain_budget_spent(host, boot, tenure)
            }
            What::LockTried {
                host,
                boot,
                generation,
            } => return self.try_lock(host, boot, generation),
            What::LeaseArrives(ask) => return self.lease_asked(*ask),
            What::LeaseTold(host, boot, event) => return self.lease_told(host, boot, *event),
            What::LeaseWakes(host, boot, at) => return self.lease_wakes(host, boot, at),
            What::LeaseHinted => self.hint_at_lease(),
            What::SuccessorDue(version, released) => {
                return self.check_successor(version, released);
            }
            What::StoreArrives(caller, expected, document, heard) => {
                return self.store_arrived(caller, expected, &document, heard);
            }
            What::StoreEnds(caller, outcome) => return self.store_ended(caller, outcome),
            What::ReadArrives(caller, read, gives_up) => {
                self.read_arrived(caller, read, gives_up);
            }
            What::ReadAnswers(caller, event) => return self.answered(caller, event),
            What::TimedOut(caller) => return self.timed_out(caller),
            What::CallLeaves(leaving) => return self.call_leaves(leaving),
            What::CallArrives(server, packet) => return self.call_arrived(server, packet),
            What::AnswerLeaves(server, caller, answer) => self.send_answer(server, caller, answer),
            What::CallAnswered(caller, answer) => return self.call_answered(caller, answer),
            What::CallTimedOut(caller) => return self.call_timed_out(caller),
            What::CancelArrives(server, token) => return self.cancel_at(server, token),
            What::WatchArrives(server, token, caller) => self.watch_arrived(server, token, caller),
            What::WatchSays(caller, serving) => return self.watch_said(caller, serving),
            What::WatchEnds(caller, error) => return self.watch_ended(caller, error),
            What::ServingChanged(server) => self.serving_changed(server),
            What::PushArrives(server, boot, caller, instance_id, assignments) => {
                self.push_arrived(server, boot, caller, instance_id, assignments);
            }
            What::PushEnds(caller, error) => return self.push_ended(caller, error),
            What::LinkLost(host, server) => self.link_lost(host, server),
            What::MessageArrives(server, boot, message) => {
                return self.message_arrived(server, boot, message);
            }
            What::Sync(server, boot) => return self.synced(server, boot),
            What::LogSynced(server, boot, shard) => self.log_synced(server, boot, shard),
            What::Resend(server, boot, peer) => self.resend(server, boot, peer),
            What::Reconnects {
                server,
                boot,
                to,
                tries,
            } => self.reconnects(server, boot, to, tries),
            What::Parted(server, address, other) => self.part(server, &address, other),
            What::PatienceEnds(server, boot, token) => self.patience_ends(server, boot, token),
            What::ServerStarts(server) => self.server_started(server),
            What::ServerRestarts {
                server,
                times,
                apart,
            } => self.restart_server(server, times, apart),
            What::Dies { server, boot, down } => self.dies(server, boot, down),
            What::GivenUp(server) => return self.give_up(server),
            What::Fault(index) => return self.strike(index),
            What::DiskPutBack(server, disk) => self.put_disk_back(server, &disk),
            What::DocumentPutBack(copy) => return self.put_document_back(*copy),
            What::ConfigurationMended => {
                self.configured.broken = None;
                self.announce_configuration();
            }
            What::LookAround => return self.look_around(),
            What::Append => {
                let delay = self.chance.workload.millis(100, 1_500);
                self.queue.after(delay, What::Append);
                return self.append_somewhere();
            }
        }
        Ok(())
    }

    /// Tells every coordinator what the configuration document says now.
    pub fn announce_configuration(&mut self) {
        for host in 0..self.hosts.len() {
            let boot = self.hosts[host].boot;
            let delay = self.chance.workload.millis(1, 2_000);
            self.queue
                .after(delay, What::ConfigurationChanged(host, boot));
        }
    }

    pub fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    pub fn violation(&self, property: &'static str, text: impl Into<String>) -> Violation {
        Violation {
            property,
            at: self.queue.now(),
            text: text.into(),
        }
    }

    pub fn is_lease(&self) -> bool {
        self.plan.leadership == Leadership::Lease
    }
}
