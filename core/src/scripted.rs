//! A scripted world for tests: it answers every effect as a healthy cluster would, unless told
//! otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::call::{
    Answer, Binding, Call, CallError, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus,
};
use crate::cluster::{ClusterStatus, DataServerIdentity, ShardMetadata};
use crate::store::{Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome};
use crate::{
    ConfigurationText, CoordinatorState, Effect, Epoch, Event, Options, ProcessId, RequestId,
    ShardId, Tenure, Timestamp, Timing, Version,
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
    pub(crate) machine: CoordinatorState,
    pub(crate) now: Timestamp,
    pub(crate) stored: Option<(u64, StatusDocument)>,
    /// Answers for the next stores; where it is empty they succeed.
    pub(crate) script: Vec<StoreOutcome>,
    /// Calls that fail, by internal address and kind.
    pub(crate) failing: BTreeMap<(String, &'static str), CallErrorKind>,
    /// Calls that are never answered, by internal address and kind.
    pub(crate) silent: BTreeSet<(String, &'static str)>,
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
    /// Everything that was asked for, in order.
    pub(crate) log: Vec<Effect>,
    /// Effects that are not answered until [`World::release`].
    pub(crate) hold_stores: bool,
    pub(crate) held: Vec<Effect>,
    pub(crate) watches: BTreeMap<String, RequestId>,
}

impl World {
    pub(crate) fn new() -> Self {
        let options = Options {
            process: ProcessId(7),
            seed: 42,
            timing: Timing::default(),
        };
        let now = Timestamp(1_000_000_000);
        Self {
            machine: CoordinatorState::new(options, now),
            now,
            stored: None,
            script: Vec::new(),
            failing: BTreeMap::new(),
            silent: BTreeSet::new(),
            unreadable: None,
            hang: None,
            mismatched: BTreeSet::new(),
            heads: BTreeMap::new(),
            replicas: BTreeMap::new(),
            log: Vec::new(),
            hold_stores: false,
            held: Vec::new(),
            watches: BTreeMap::new(),
        }
    }

    /// A world whose coordinator leads, and whose shards are all led.
    pub(crate) fn steady() -> Self {
        let mut world = Self::new();
        world.configure(Some(CONFIGURATION));
        world.settle();
        world.run_for(3_000);
        assert_eq!(
            world.machine.steady_shards(),
            Some((2, 2)),
            "{:#?}",
            world.log
        );
        world.log.clear();
        world
    }

    /// Another process over the same store and servers.
    pub(crate) fn restarted(self) -> Self {
        let mut world = Self::new();
        world.stored = self.stored;
        world.now = self.now;
        world
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

    /// Somebody edits a shard of the stored document.
    pub(crate) fn edit(&mut self, id: ShardId, edit: impl FnOnce(&mut ShardMetadata)) {
        let (_, document) = self.stored.as_mut().unwrap();
        let mut namespaces = Arc::make_mut(&mut document.status).namespaces.values_mut();
        let shard = namespaces.find_map(|namespace| namespace.shards.get_mut(&id));
        edit(Arc::make_mut(shard.unwrap()));
    }

    /// A server's health watch breaks.
    pub(crate) fn break_watch(&mut self, server: &str) {
        let (tenure, request) = (self.tenure(), *self.watches.get(server).unwrap());
        self.feed(Event::HealthWatchEnded {
            tenure,
            request,
            error: error(CallErrorKind::Unreachable),
        });
    }

    /// A server says that it does not serve, and fails these calls from now on.
    pub(crate) fn lose(&mut self, server: &str, failing: &[&'static str]) {
        for call in failing {
            self.failing
                .insert((server.to_owned(), call), CallErrorKind::Unreachable);
        }
        self.observe(server, false);
    }

    /// A server's health watch says whether it serves.
    pub(crate) fn observe(&mut self, server: &str, serving: bool) {
        let (tenure, request) = (self.tenure(), *self.watches.get(server).unwrap());
        self.feed(Event::HealthObserved {
            tenure,
            request,
            serving,
        });
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

    pub(crate) fn status(&self) -> &ClusterStatus {
        &self.stored.as_ref().unwrap().1.status
    }

    /// Somebody else writes the document.
    pub(crate) fn overwrite(&mut self) {
        self.stored.as_mut().unwrap().0 += 1;
    }

    pub(crate) fn calls(&self, kind: &str) -> usize {
        self.log
            .iter()
            .filter(|effect| matches!(effect, Effect::Call { call, .. } if name(call) == kind))
            .count()
    }

    pub(crate) fn stores(&self) -> usize {
        self.log
            .iter()
            .filter(|effect| matches!(effect, Effect::Store { .. }))
            .count()
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
            | Effect::PushAssignments { .. }
            | Effect::Release { .. }
            | Effect::Report(_)
            | Effect::OpenOffice { .. } => return,
        };
        self.machine.handle(self.now, event);
    }

    fn load(&self) -> LoadOutcome {
        if let Some(outcome) = &self.unreadable {
            return outcome.clone();
        }
        match &self.stored {
            None => LoadOutcome::Absent { epoch: Epoch(0) },
            Some((version, document)) => LoadOutcome::Found(LoadedStatus {
                version: Version::new(version.to_string()),
                epoch: document.epoch,
                write_id: Some(document.write_id),
                intact: true,
                status: document.status.clone(),
                bytes: 1_000,
            }),
        }
    }

    pub(crate) fn head(&self) -> HeadOutcome {
        match &self.stored {
            None => HeadOutcome::Absent,
            Some((version, document)) => HeadOutcome::Found(Head {
                version: Version::new(version.to_string()),
                write_id: Some(document.write_id),
                intact: true,
            }),
        }
    }

    pub(crate) fn store(
        &mut self,
        expected: Option<Version>,
        document: StatusDocument,
    ) -> StoreOutcome {
        if !self.script.is_empty() {
            return self.script.remove(0);
        }
        self.apply(expected, document)
    }

    pub(crate) fn apply(
        &mut self,
        expected: Option<Version>,
        document: StatusDocument,
    ) -> StoreOutcome {
        let version = self.stored.as_ref().map(|(version, _)| *version);
        if expected != version.map(|version| Version::new(version.to_string())) {
            return StoreOutcome::Conflict("another version".to_owned());
        }
        let next = version.unwrap_or(0) + 1;
        self.stored = Some((next, document));
        StoreOutcome::Stored(Version::new(next.to_string()))
    }

    fn call(&mut self, server: &DataServerIdentity, call: &Call) -> Result<Answer, CallError> {
        if let Some(kind) = self.failing.get(&(server.internal.to_string(), name(call))) {
            return Err(error(*kind));
        }
        Ok(match call {
            Call::AddFollower(_) => Answer::FollowerAdded,
            Call::BecomeLeader(_) => Answer::BecameLeader,
            Call::CheckHealth => Answer::Health { serving: true },
            Call::GetStatus { shard } => Answer::Status(self.replica(server, *shard)?),
            Call::Handshake => {
                let ours = !self.mismatched.contains(&*server.internal);
                let binding = if ours {
                    Binding::Bound
                } else {
                    Binding::Mismatch
                };
                Answer::Handshaken {
                    binding,
                    features: BTreeSet::new(),
                }
            }
            Call::NewTerm(_) => {
                let head = self.heads.get(&*server.internal).copied();
                Answer::Fenced(head.unwrap_or(EntryId::NONE))
            }
        })
    }
}

impl World {
    /// A replica that is what the document says; followers are idle.
    fn replica(
        &self,
        server: &DataServerIdentity,
        id: ShardId,
    ) -> Result<ReplicaStatus, CallError> {
        if let Some(status) = self.replicas.get(&*server.internal) {
            return Ok(*status);
        }
        let shard = self
            .stored
            .iter()
            .flat_map(|(_, document)| document.status.shards());
        let shard = shard.into_iter().find(|(_, found, _)| *found == id);
        let (_, _, shard) = shard.ok_or_else(|| error(CallErrorKind::NotMember))?;
        let leads = shard
            .leader
            .as_ref()
            .is_some_and(|leader| leader.internal == server.internal);
        let role = if leads {
            ReplicaRole::Leader
        } else {
            ReplicaRole::Fenced
        };
        Ok(ReplicaStatus {
            term: shard.term,
            role,
            head_offset: -1,
            commit_offset: -1,
        })
    }
}

pub(crate) fn error(kind: CallErrorKind) -> CallError {
    CallError {
        kind,
        message: "told to fail".to_owned(),
    }
}

pub(crate) fn name(call: &Call) -> &'static str {
    match call {
        Call::AddFollower(_) => "AddFollower",
        Call::BecomeLeader(_) => "BecomeLeader",
        Call::CheckHealth => "CheckHealth",
        Call::GetStatus { .. } => "GetStatus",
        Call::Handshake => "Handshake",
        Call::NewTerm(_) => "NewTerm",
    }
}
