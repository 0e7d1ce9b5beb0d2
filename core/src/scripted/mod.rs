//! A scripted world for tests: it answers every effect as a healthy cluster would, unless told
//! otherwise.

mod servers;
mod store;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::servers::{error, name};
use crate::call::{CallErrorKind, EntryId, ReplicaStatus};
use crate::store::{LoadOutcome, StatusDocument, StoreOutcome};
use crate::{
    ConfigurationText, CoordinatorState, Effect, Event, Options, ProcessId, RequestId, ShardId,
    Tenure, Term, Timestamp, Timing,
};

pub(crate) const CONFIGURATION: &str = "
namespaces:
  - name: default
    initialShardCount: 2
    replicationFactor: 3
servers:
  - {name: s1, public: 's1:6648', internal: 's1:6649'}
  - {name: s2, public: 's2:6648', internal: 's2:6649'}
  - {name: s3, public: 's3:6648', internal: 's3:6649'}
";

/// One coordinator, one store, and data servers that do what they are told.
pub(crate) struct World {
    timing: Timing,
    /// The configuration document; `None` where it can't be read.
    pub(crate) configured: Option<ConfigurationText>,
    pub(crate) machine: CoordinatorState,
    pub(crate) now: Timestamp,
    pub(crate) stored: Option<(u64, StatusDocument)>,
    /// Answers for the next stores; where it is empty they succeed.
    pub(crate) script: Vec<StoreOutcome>,
    /// Calls that fail, by internal address and kind.
    pub(crate) failing: BTreeMap<(String, &'static str), CallErrorKind>,
    /// Calls that are never answered, by internal address and kind.
    pub(crate) silent: BTreeSet<(String, &'static str)>,
    /// Servers that are bound to this cluster, by internal address.
    pub(crate) bound: BTreeSet<String>,
    /// Servers that answer, and say that they do not serve, by internal address.
    pub(crate) not_serving: BTreeSet<String>,
    /// Servers that are bound to another cluster, by internal address.
    pub(crate) mismatched: BTreeSet<String>,
    /// What loading gives instead of what is stored.
    pub(crate) unreadable: Option<LoadOutcome>,
    /// Effects that are never answered.
    pub(crate) hang: Option<fn(&Effect) -> bool>,
    /// The heads of the servers' logs, by internal address; empty logs where there is none.
    pub(crate) heads: BTreeMap<String, EntryId>,
    /// What servers say of their replicas, by internal address, instead of what is stored.
    pub(crate) replicas: BTreeMap<String, ReplicaStatus>,
    /// What servers say of their replicas from when they lead, by internal address.
    pub(crate) leading: BTreeMap<String, ReplicaStatus>,
    /// Servers that lead once they are told to, and whose answer to that is lost, by internal address.
    pub(crate) leading_unheard: BTreeSet<String>,
    /// Who was made to lead, by internal address.
    led: BTreeSet<(ShardId, Term, String)>,
    /// Servers that were told of a shard, though nobody knows it.
    pub(crate) known: BTreeSet<String>,
    /// Servers that have lost their disks, and whose replicas nobody has opened since.
    pub(crate) forgetful: BTreeSet<String>,
    /// Those that no leader feeds, until one takes them in.
    pub(crate) unfed: BTreeSet<String>,
    /// Those that are in a sync when they are cut off.
    pub(crate) syncing: BTreeSet<String>,
    /// Those that answer no `NewTerm`, since they were cut off amid a sync.
    pub(crate) overrun: BTreeSet<String>,
    /// Replicas that are not open until they are sent a term.
    pub(crate) closed: BTreeSet<(String, ShardId)>,
    /// In which terms replicas were fenced, and what of their logs was cut off since.
    fenced: BTreeMap<(String, ShardId), (Term, i64)>,
    /// Everything that was asked for, in order.
    pub(crate) log: Vec<Effect>,
    /// Whether stores are held.
    pub(crate) hold_stores: bool,
    /// Effects that are not answered until [`World::release`].
    pub(crate) held: Vec<Effect>,
    /// The health watches, by internal address.
    pub(crate) watches: BTreeMap<String, RequestId>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Timing::default())
    }

    fn with(timing: Timing) -> Self {
        let options = Options {
            process: ProcessId(7),
            seed: 42,
            timing: timing.clone(),
        };
        let now = Timestamp(1_000_000_000);
        Self {
            timing,
            configured: None,
            machine: CoordinatorState::new(options, now),
            now,
            stored: None,
            script: Vec::new(),
            failing: BTreeMap::new(),
            silent: BTreeSet::new(),
            unreadable: None,
            hang: None,
            bound: BTreeSet::new(),
            not_serving: BTreeSet::new(),
            mismatched: BTreeSet::new(),
            heads: BTreeMap::new(),
            replicas: BTreeMap::new(),
            leading: BTreeMap::new(),
            leading_unheard: BTreeSet::new(),
            led: BTreeSet::new(),
            known: BTreeSet::new(),
            forgetful: BTreeSet::new(),
            unfed: BTreeSet::new(),
            syncing: BTreeSet::new(),
            overrun: BTreeSet::new(),
            closed: BTreeSet::new(),
            fenced: BTreeMap::new(),
            log: Vec::new(),
            hold_stores: false,
            held: Vec::new(),
            watches: BTreeMap::new(),
        }
    }

    /// A world whose coordinator leads, and whose shards are all led.
    pub(crate) fn steady() -> Self {
        Self::steady_with(Timing::default(), CONFIGURATION, 2)
    }

    pub(crate) fn steady_with(timing: Timing, configuration: &str, shards: usize) -> Self {
        let mut world = Self::with(timing);
        world.configure(Some(configuration));
        world.settle();
        world.run_for(3_000);
        assert_eq!(
            world.machine.steady_shards(),
            Some((shards, shards)),
            "{:#?}",
            world.log
        );
        world.log.clear();
        world
    }

    /// Another process over the same store and servers.
    pub(crate) fn restarted(self) -> Self {
        let mut world = Self::with(self.timing);
        world.stored = self.stored;
        world.bound = self.bound;
        world.now = self.now;
        world
    }

    /// The same, where the servers have what they had.
    pub(crate) fn restarted_alone(self) -> Self {
        let (heads, replicas) = (self.heads.clone(), self.replicas.clone());
        Self {
            heads,
            replicas,
            ..self.restarted()
        }
    }

    pub(crate) fn configure(&mut self, text: Option<&str>) {
        let text = ConfigurationText {
            source: "cluster.yaml".to_owned(),
            text: text.map(str::to_owned),
        };
        self.feed(Event::ConfigurationRead(text));
    }

    /// Feeds one event and answers everything that follows at once.
    pub(crate) fn feed(&mut self, event: Event) {
        if let Event::ConfigurationRead(text) = &event {
            self.configured = Some(text.clone());
        }
        self.machine.handle(self.now, event);
        self.settle();
    }

    /// Feeds one event and returns what the machine asks for, unanswered.
    pub(crate) fn raw(&mut self, event: Event) -> Vec<Effect> {
        self.machine.handle(self.now, event);
        self.drain()
    }

    pub(crate) fn drain(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.machine.poll_effect()).collect()
    }

    /// Answers effects until there are none.
    pub(crate) fn settle(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            self.log.push(effect.clone());
            if self.hang.is_some_and(|hang| hang(&effect)) {
                continue;
            }
            let hold = self.hold_stores && matches!(effect, Effect::Store { .. });
            if hold {
                self.held.push(effect);
            } else {
                self.answer(effect);
            }
        }
    }

    /// Answers the effects that were held.
    pub(crate) fn release(&mut self) {
        for effect in std::mem::take(&mut self.held) {
            self.answer(effect);
        }
        self.settle();
    }

    /// Lets time pass, a deadline at a time.
    pub(crate) fn run_for(&mut self, millis: u64) {
        let end = Timestamp(self.now.0 + millis * 1_000_000);
        let mut steps = 0;
        while let Some((at, reason)) = self.machine.poll_deadline()
            && at <= end
        {
            self.now = self.now.max(at);
            self.feed(Event::TimePassed);
            steps += 1;
            assert!(steps < 100_000, "the machine spins: {reason:?}");
        }
        self.now = end;
        self.feed(Event::TimePassed);
    }

    pub(crate) fn tenure(&self) -> Tenure {
        self.machine.tenure()
    }

    pub(crate) fn answer(&mut self, effect: Effect) {
        let event = match effect {
            Effect::Campaign { tenure } => Event::LeadershipWon {
                tenure,
                authority: None,
            },
            Effect::Load { tenure, request } => Event::Loaded {
                tenure,
                request,
                outcome: self.load(),
            },
            Effect::Store {
                tenure,
                request,
                expected,
                document,
            } => {
                let outcome = self.store(expected, document);
                Event::StoreEnded {
                    tenure,
                    request,
                    outcome,
                }
            }
            Effect::ReadConfiguration { tenure, request } => Event::ConfigurationFound {
                tenure,
                request,
                found: self
                    .configured
                    .clone()
                    .ok_or_else(|| "told to fail".to_owned()),
            },
            Effect::ReadHead { tenure, request } => Event::HeadRead {
                tenure,
                request,
                outcome: self.head(),
            },
            Effect::Call { server, call, .. }
                if self
                    .silent
                    .contains(&(server.internal.to_string(), name(&call))) =>
            {
                return;
            }
            Effect::Call {
                tenure,
                request,
                server,
                call,
            } => {
                let result = self.call(&server, &call);
                Event::CallAnswered {
                    tenure,
                    request,
                    result,
                }
            }
            Effect::WatchHealth {
                tenure,
                request,
                server,
            } => {
                self.watches.insert(server.internal.to_string(), request);
                Event::HealthObserved {
                    tenure,
                    request,
                    serving: true,
                }
            }
            Effect::CloseOffice { tenure } => Event::Drained { tenure },
            Effect::Cancel { .. }
            | Effect::Exit
            | Effect::ForgetServer { .. }
            | Effect::OpenOffice { .. }
            | Effect::PushAssignments { .. }
            | Effect::Release { .. }
            | Effect::Report(_) => return,
        };
        self.machine.handle(self.now, event);
    }
}
