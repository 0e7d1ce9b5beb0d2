//! What one tenure of one coordinator has been told, and what it has asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepdown_core::call::{Answer, Binding, Call, CallErrorKind, EntryId, ReplicaRole};
use stepdown_core::cluster::{ClusterConfiguration, ClusterStatus, DataServerIdentity};
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Event, RequestId, ServerId, ShardId, Tenure, Term, Timestamp, Version};

use super::Check;
use crate::sim::clock::At;
use crate::sim::world::World;

/// What one tenure knows.
#[derive(Debug, Default)]
pub struct Facts {
    pub tenure: Tenure,
    pub won: bool,
    pub authority: Option<Timestamp>,
    pub absent: bool,
    pub loaded_at: usize,
    pub accepted: Option<(Version, Arc<ClusterStatus>)>,
    pub store: Option<Writing>,
    pub ambiguous: Option<Writing>,
    pub resend: Option<Writing>,
    /// Head reads under way, with the number of stores begun before each.
    pub looks: BTreeMap<RequestId, u64>,
    pub stores: u64,
    pub stored: bool,
    pub opened: Option<At>,
    pub must_close: Option<&'static str>,
    pub closing: bool,
    pub drained: bool,
    pub calls: BTreeMap<RequestId, (DataServerIdentity, Call)>,
    pub watches: BTreeMap<RequestId, ServerId>,
    pub heads: BTreeMap<(ShardId, Term), BTreeMap<ServerId, EntryId>>,
    pub led: BTreeMap<(ShardId, Term), ServerId>,
    pub reported: BTreeMap<ShardId, Term>,
    pub mismatched: BTreeSet<Arc<str>>,
    pub doubted: BTreeSet<ShardId>,
    pub down: BTreeSet<ServerId>,
    pub running: BTreeSet<ServerId>,
    pub failures: BTreeMap<ServerId, u32>,
    pub hard: BTreeSet<ServerId>,
    pub pushed: BTreeMap<RequestId, usize>,
}

/// A store under way.
#[derive(Clone, Debug)]
pub struct Writing {
    pub request: RequestId,
    pub expected: Option<Version>,
    pub document: StatusDocument,
}

impl World<'_> {
    /// Takes note of what the machine is about to be told.
    pub(in crate::sim) fn heard(&mut self, host: usize, event: &Event) -> Check {
        let latest_is = self.store.chain.len();
        let mut position = latest_is;
        if let Event::Loaded {
            outcome: LoadOutcome::Found(found),
            ..
        } = event
        {
            position = self.store.position(&found.version).unwrap_or(latest_is);
        }
        if let Event::ConfigurationRead(read) = event
            && let Ok(good) = ClusterConfiguration::read(read.text.as_deref())
        {
            let addresses = good.servers.iter().map(|server| server.internal.clone());
            self.hosts[host].addresses = addresses.collect();
        }
        let facts = &mut self.hosts[host].facts;
        let sometimes = &mut self.sometimes;
        if super::tenure_of(event).is_some_and(|tenure| tenure != facts.tenure) {
            return Ok(());
        }
        match event {
            Event::Drained { .. } => facts.drained = true,
            Event::LeadershipWon { authority, .. } => {
                facts.won = true;
                facts.authority = *authority;
            }
            Event::AuthorityExtended { authority, .. } => {
                facts.authority = facts.authority.max(Some(*authority));
            }
            Event::Loaded { outcome, .. } => match outcome {
                LoadOutcome::Found(found) => {
                    facts.absent = false;
                    facts.loaded_at = position;
                    facts.accepted = Some((found.version.clone(), found.status.clone()));
                    if !found.intact {
                        sometimes.hit("foreign_document_loaded");
                    }
                }
                LoadOutcome::Absent { .. } => {
                    facts.absent = true;
                    facts.accepted = None;
                }
                LoadOutcome::Corrupt(_) => sometimes.hit("corrupt_document_loaded"),
                LoadOutcome::Forbidden(_) | LoadOutcome::Unavailable { .. } => {}
            },
            Event::StoreEnded {
                request, outcome, ..
            } => {
                if facts
                    .store
                    .as_ref()
                    .is_some_and(|store| store.request == *request)
                {
                    let store = facts.store.take();
                    facts.store_ended(store, outcome);
                }
            }
            Event::HeadRead {
                request, outcome, ..
            } => {
                // One begun before a store ended says nothing of it.
                let stores = facts.looks.remove(request);
                if stores == Some(facts.stores)
                    && let Some(name) = facts.head_read(outcome)
                {
                    sometimes.hit(name);
                }
            }
            Event::CallAnswered {
                request, result, ..
            } => {
                if let Some((server, call)) = facts.calls.remove(request) {
                    match result {
                        Ok(answer) => facts.answered(&server, &call, answer),
                        Err(error) => {
                            // As after a broken watch, one failed check is enough then.
                            let of_a_shard = !matches!(call, Call::CheckHealth | Call::Handshake);
                            if of_a_shard && error.kind == CallErrorKind::Unreachable {
                                facts.hard.insert(server.id());
                            }
                            facts.failed(server.id(), &call);
                        }
                    }
                }
            }
            Event::HealthObserved {
                request, serving, ..
            } => {
                if let Some(server) = facts.watches.get(request).cloned() {
                    if *serving {
                        facts.failures.remove(&server);
                    } else {
                        facts.hard.insert(server);
                    }
                }
            }
            Event::HealthWatchEnded { request, .. } => {
                if let Some(server) = facts.watches.remove(request) {
                    facts.hard.insert(server);
                }
            }
            Event::LeadershipLost { .. } => {
                if facts.won {
                    facts.must_close.get_or_insert("D");
                }
            }
            Event::ConfigurationRead(_)
            | Event::PushEnded { .. }
            | Event::ShutdownRequested
            | Event::StatusHinted
            | Event::TimePassed => {}
        }
        Ok(())
    }
}

impl Facts {
    pub fn of(tenure: Tenure) -> Self {
        Self {
            tenure,
            ..Self::default()
        }
    }

    fn store_ended(&mut self, store: Option<Writing>, outcome: &StoreOutcome) {
        self.stores += 1;
        match outcome {
            StoreOutcome::Stored(version) => self.concluded(store, version.clone()),
            StoreOutcome::Conflict(_) => self.conflicted("S2"),
            StoreOutcome::Ambiguous(_) => self.ambiguous = store,
            StoreOutcome::Corrupt(_)
            | StoreOutcome::Forbidden(_)
            | StoreOutcome::Invalid(_)
            | StoreOutcome::TooLarge(_)
            | StoreOutcome::Unavailable { .. } => {}
        }
    }

    fn concluded(&mut self, store: Option<Writing>, version: Version) {
        if let Some(store) = store {
            for (_, id, shard) in store.document.status.shards() {
                if shard.leader.is_none() {
                    self.doubted.remove(&id);
                }
            }
            self.accepted = Some((version, store.document.status));
            self.stored = true;
        }
        self.resend = None;
    }

    /// In office a conflict ends the tenure; before the fencing write was accepted it does not.
    fn conflicted(&mut self, property: &'static str) {
        if self.stored {
            self.must_close.get_or_insert(property);
        } else {
            self.accepted = None;
            self.absent = false;
        }
        self.resend = None;
    }

    fn head_read(&mut self, outcome: &HeadOutcome) -> Option<&'static str> {
        let head = match outcome {
            HeadOutcome::Found(head) => Some(head),
            HeadOutcome::Absent => None,
            HeadOutcome::Corrupt(_) | HeadOutcome::Unavailable { .. } => return None,
        };
        if let Some(store) = self.ambiguous.take() {
            let ours = head
                .is_some_and(|head| head.intact && head.write_id == Some(store.document.write_id));
            if ours {
                let version = head.map(|head| head.version.clone())?;
                self.concluded(Some(store), version);
                return Some("ambiguous_was_applied");
            }
            if head.map(|head| &head.version) == store.expected.as_ref() {
                self.resend = Some(store);
                return Some("ambiguous_was_not_applied");
            }
            self.conflicted("S3");
            return Some("ambiguous_was_a_conflict");
        }
        let known = self.accepted.as_ref().map(|(version, _)| version);
        if self.stored && self.store.is_none() && head.map(|head| &head.version) != known {
            self.must_close.get_or_insert("S2");
            return Some("foreign_write_noticed_by_a_look");
        }
        None
    }

    fn answered(&mut self, identity: &DataServerIdentity, call: &Call, answer: &Answer) {
        let server = identity.id();
        match (call, answer) {
            (Call::CheckHealth, Answer::Health { serving: true }) => {
                self.failures.remove(&server);
            }
            (Call::CheckHealth, Answer::Health { serving: false }) => {
                self.hard.insert(server);
            }
            (Call::Handshake, Answer::Handshaken { binding, .. }) => {
                if *binding == Binding::Mismatch {
                    self.mismatched.insert(identity.internal.clone());
                } else {
                    self.mismatched.remove(&identity.internal);
                }
            }
            (Call::NewTerm(request), Answer::Fenced(head)) if request.term != Term::NEVER => {
                self.heads
                    .entry((request.shard, request.term))
                    .or_default()
                    .insert(server, *head);
            }
            (Call::BecomeLeader(request), Answer::BecameLeader) => {
                self.led.insert((request.shard, request.term), server);
            }
            (Call::GetStatus { shard }, Answer::Status(status)) => {
                let stored = self.accepted.as_ref().and_then(|(_, accepted)| {
                    accepted
                        .shards()
                        .find(|(_, id, _)| id == shard)
                        .map(|found| found.2.clone())
                });
                if let Some(stored) = stored {
                    let leads = stored
                        .leader
                        .as_ref()
                        .is_some_and(|leader| leader.id() == server);
                    if status.term != stored.term || leads != (status.role == ReplicaRole::Leader) {
                        self.doubted.insert(*shard);
                    }
                    if status.term > stored.term {
                        let most = self.reported.entry(*shard).or_insert(status.term);
                        *most = status.term.max(*most);
                    }
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, server: ServerId, call: &Call) {
        match call {
            Call::CheckHealth => {
                *self.failures.entry(server).or_default() += 1;
            }
            Call::Handshake => {}
            Call::AddFollower(request) => {
                self.doubted.insert(request.shard);
            }
            Call::BecomeLeader(request) => {
                self.doubted.insert(request.shard);
            }
            Call::GetStatus { shard } => {
                self.doubted.insert(*shard);
            }
            Call::NewTerm(request) => {
                self.doubted.insert(request.shard);
            }
        }
    }
}
