//! The office by itself, between a good store and servers that answer when they are told to.

mod creation;
mod documents;
mod handings;
mod news;
mod outlook;
mod publishing;
mod servers;
mod sweeps;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::documents::read;
use super::Office;
use crate::call::{Answer, Binding, Call, EntryId, ReplicaRole, ReplicaStatus};
use crate::cluster::{ClusterStatus, DataServerIdentity};
use crate::context::Context;
use crate::effect::Effect;
use crate::event::ConfigurationText;
use crate::event::Event;
use crate::id::{Epoch, ProcessId, RequestId, ServerId, ShardId, Timestamp, Version, WriteId};
use crate::ledger::{Conclusion, Ledger};
use crate::options::Timing;
use crate::report::Report;
use crate::scripted::name as name_of;
use crate::store::{LoadedStatus, StoreOutcome};

const START: Timestamp = Timestamp(1_000_000_000);

/// An office, and what it has asked for.
struct Opened {
    office: Office,
    context: Context,
    /// Calls that were not answered yet.
    calls: Vec<(RequestId, DataServerIdentity, Call)>,
    /// The newest health watch of each server.
    watches: BTreeMap<ServerId, RequestId>,
    /// The configuration document.
    document: String,
    /// The store that was not answered yet.
    sent: Option<RequestId>,
    version: u32,
    /// Whom somebody was told to lead.
    led: RefCell<BTreeSet<ShardId>>,
}

impl Opened {
    /// An office on this document, just fenced and opened.
    fn on(status: ClusterStatus, configuration: Option<&str>) -> Self {
        let context = Context::new(Timing::default(), 42, START);
        let loaded = LoadedStatus {
            version: Version::new("v0"),
            epoch: Epoch(1),
            write_id: Some(WriteId {
                epoch: Epoch(1),
                request: RequestId(1),
                process: ProcessId(3),
            }),
            intact: true,
            status: Arc::new(status),
            bytes: 100,
        };
        let (process, epoch) = (ProcessId(7), Epoch(2));
        let id = || "made".into();
        let ledger = Ledger::new(process, epoch, Some(loaded), id, START, &context.timing);
        let office = Office::new(ledger, &context);
        let mut opened = Self {
            office,
            context,
            calls: Vec::new(),
            watches: BTreeMap::new(),
            document: configuration.unwrap_or_default().to_owned(),
            sent: None,
            version: 0,
            led: RefCell::default(),
        };
        opened.answer_store(StoreOutcome::Stored).unwrap();
        opened.drain();
        let configuration = configuration.map(read);
        opened.office.open(configuration, &mut opened.context);
        opened
    }

    fn reconcile(&mut self, configuration: &str) {
        configuration.clone_into(&mut self.document);
        let configuration = Some(read(configuration));
        self.office.reconcile(configuration, &mut self.context);
    }

    /// Sends what is to be stored and lets it be stored. Returns what is told and asked for.
    fn store(&mut self) -> Vec<String> {
        self.answer_store(StoreOutcome::Stored).expect("a store");
        self.drain()
    }

    /// Likewise, but it does not fit.
    fn store_too_large(&mut self) -> Vec<String> {
        let outcome = |_| StoreOutcome::TooLarge("2 MiB".to_owned());
        self.answer_store(outcome).expect("a store");
        self.drain()
    }

    fn answer_store(&mut self, outcome: impl FnOnce(Version) -> StoreOutcome) -> Option<()> {
        if self.sent.is_none() {
            self.send_store();
        }
        let request = self.sent.take()?;
        self.version += 1;
        let version = Version::new(format!("v{}", self.version));
        let event = Event::StoreEnded {
            tenure: self.context.tenure,
            request,
            outcome: outcome(version),
        };
        match self.office.ledger.hear(&event, &mut self.context)? {
            Conclusion::Accepted(acceptances) => {
                self.office.accepted(acceptances, &mut self.context);
            }
            Conclusion::Rejected { namespaces, reason } => {
                self.office
                    .rejected(&namespaces, &reason, &mut self.context);
            }
            other => panic!("{other:?}"),
        }
        Some(())
    }

    /// Sends what is to be stored.
    fn send_store(&mut self) {
        self.pass(1_000);
        self.office.ledger.work(&mut self.context);
        self.drain();
    }

    /// Whether there is anything to store.
    fn is_changed(&self) -> bool {
        let ledger = &self.office.ledger;
        ledger.working() != &**ledger.accepted()
    }

    fn pass(&mut self, millis: u64) {
        self.context.now = self.context.now.after(Duration::from_millis(millis));
    }

    /// Lets time pass, a deadline at a time, and every call be answered. Returns what was asked
    /// for, and how many milliseconds after the start.
    fn run_for(&mut self, millis: u64) -> Vec<(u64, String)> {
        let end = self.context.now.after(Duration::from_millis(millis));
        let mut asked = Vec::new();
        loop {
            let at = self.office.deadline().unwrap();
            assert!(
                at > self.context.now || asked.is_empty(),
                "it spins at {at:?}"
            );
            self.context.now = at.min(end);
            self.office.time_passed(&mut self.context);
            let millis = self.context.now.since(START).as_millis();
            let millis = u64::try_from(millis).unwrap();
            let words = self.answer_calls();
            asked.extend(words.into_iter().map(|word| (millis, word)));
            if self.context.now == end {
                return asked;
            }
        }
    }

    /// Answers calls as a healthy cluster would until there are none. Returns what was asked for.
    fn answer_calls(&mut self) -> Vec<String> {
        let mut asked = self.drain();
        while !self.calls.is_empty() {
            asked.extend(self.answer_next());
        }
        asked
    }

    /// Answers the oldest call.
    fn answer_next(&mut self) -> Vec<String> {
        let (request, server, call) = self.calls.remove(0);
        let answer = self.answer(&server, &call);
        self.office
            .call_answered(request, Ok(answer), &mut self.context);
        self.drain()
    }

    /// Answers the calls to this server only.
    fn answer_calls_of(&mut self, server: &str) -> Vec<String> {
        let (its, others) = std::mem::take(&mut self.calls)
            .into_iter()
            .partition(|(_, asked, _)| &*asked.id().0 == server);
        self.calls = its;
        let asked = self.answer_calls();
        self.calls.extend(others);
        asked
    }

    fn answer(&self, server: &DataServerIdentity, call: &Call) -> Answer {
        match call {
            Call::AddFollower(_) => Answer::FollowerAdded,
            Call::BecomeLeader(call) => {
                self.led.borrow_mut().insert(call.shard);
                Answer::BecameLeader
            }
            Call::CheckHealth => Answer::Health { serving: true },
            Call::DeleteShard(_) => Answer::ShardDeleted,
            Call::GetStatus { shard } => Answer::Status(self.replica(server, *shard)),
            Call::Handshake => Answer::Handshaken {
                binding: Binding::Bound,
                features: BTreeSet::new(),
            },
            Call::NewTerm(_) => Answer::Fenced(EntryId::NONE),
            Call::Truncate(call) => Answer::Truncated(call.head),
        }
    }

    /// A replica that is what the document says; where that knows of no leader, but one was told
    /// to lead, whoever is asked is that one.
    fn replica(&self, server: &DataServerIdentity, id: ShardId) -> ReplicaStatus {
        let mut shards = self.office.ledger.accepted().shards();
        let (_, _, shard) = shards.find(|(_, found, _)| *found == id).unwrap();
        let leader = shard.leader.as_ref().map(DataServerIdentity::id);
        let was_told = self.led.borrow().contains(&id);
        let leads = leader.map_or(was_told, |leader| leader == server.id());
        ReplicaStatus {
            term: shard.term,
            role: if leads {
                ReplicaRole::Leader
            } else {
                ReplicaRole::Follower
            },
            head_offset: -1,
            commit_offset: -1,
        }
    }

    /// A server's health watch says whether it serves.
    fn observe(&mut self, server: &str, serving: bool) -> Vec<String> {
        let request = self.watches[&ServerId(server.into())];
        self.office
            .health_observed(request, serving, &mut self.context);
        self.drain()
    }

    /// What was told and asked for since the last time.
    fn drain(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while let Some(effect) = self.context.poll_effect() {
            words.extend(self.describe(effect));
        }
        words
    }

    fn describe(&mut self, effect: Effect) -> Option<String> {
        Some(match effect {
            Effect::Call {
                request,
                server,
                call,
                ..
            } => {
                let mut words = format!("{} {}", server.id(), name_of(&call));
                if let Call::GetStatus { shard } = &call {
                    words += &format!(" of {shard}");
                }
                self.calls.push((request, server, call));
                words
            }
            Effect::WatchHealth {
                request, server, ..
            } => {
                self.watches.insert(server.id(), request);
                format!("{} watch", server.id())
            }
            Effect::Cancel { request, .. } => {
                self.calls.retain(|(asked, _, _)| *asked != request);
                "cancel".to_owned()
            }
            Effect::ReadConfiguration { request, .. } => {
                let found = Ok(ConfigurationText {
                    source: "cluster.yaml".to_owned(),
                    text: Some(self.document.clone()),
                });
                self.office
                    .configuration_found(request, &found, &mut self.context);
                return None;
            }
            Effect::ForgetServer { server, .. } => format!("{server} forget"),
            Effect::PushAssignments {
                server,
                assignments,
                ..
            } => {
                let names: Vec<&str> = assignments.namespaces.keys().map(|it| &**it).collect();
                format!("{} push [{}]", server.id(), names.join(" "))
            }
            Effect::Store { request, .. } => {
                self.sent = Some(request);
                return None;
            }
            Effect::Report(report) => return told(report),
            other => format!("{other:?}"),
        })
    }
}

/// What concerns the office alone.
fn told(report: Report) -> Option<String> {
    match report {
        Report::NamespaceCreated { namespace, shards } => {
            Some(format!("created {namespace} of {shards}"))
        }
        Report::NamespaceRefused { namespace, reason } => {
            Some(format!("refused {namespace}: {reason}"))
        }
        Report::ServerChanged {
            server,
            state,
            reason,
        } => Some(format!("{server} is {state:?}: {reason}")),
        Report::ServerForgotten { server } => Some(format!("{server} is forgotten")),
        _ => None,
    }
}

/// Those that begin with this.
fn only(words: &[String], start: &str) -> Vec<String> {
    let words = words.iter().filter(|it| it.starts_with(start));
    words.cloned().collect()
}

/// Those that hold this.
fn having(words: &[String], part: &str) -> Vec<String> {
    let words = words.iter().filter(|it| it.contains(part));
    words.cloned().collect()
}
