//! What one tenure of one coordinator has been told, and what it has asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::{
    Answer, Binding, Call, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus,
};
use stepdown_core::cluster::{ClusterConfiguration, ClusterStatus, DataServerIdentity};
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{
    Event, RequestId, ServerId, ShardId, Tenure, Term, Timestamp, Version, WriteId,
};

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
    /// It has loaded an older copy, and has not said so.
    pub untold: bool,
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
    /// The greatest terms that members have reported, and which of them an election must exceed.
    pub reported: BTreeMap<ShardId, Reported>,
    /// The followers that may count as in sync, by internal address.
    pub joined: BTreeMap<(ShardId, Term), BTreeSet<Arc<str>>>,
    /// Up to where leaders had committed, by what was heard of them.
    pub committed: BTreeMap<(ShardId, Term), i64>,
    /// How far followers were, since they last came nearer to what their leader had committed.
    pub behind: BTreeMap<(ShardId, Term, Arc<str>), (i64, At)>,
    /// How many replicas of each shard were last said to be in sync.
    pub in_sync: BTreeMap<ShardId, usize>,
    /// Since when what is to be stored has not been.
    pub storing_since: Option<At>,
    /// How often something was stored though no shard had a majority.
    pub in_vain: usize,
    pub last_write: Option<WriteId>,
    pub mismatched: BTreeSet<Arc<str>>,
    pub doubted: BTreeSet<ShardId>,
    /// Followers, by internal address, that their leader could not make fit its log.
    pub unfit: BTreeSet<(ShardId, Arc<str>)>,
    /// Shards whose last promotion failed.
    pub unexplained: BTreeSet<ShardId>,
    pub down: BTreeSet<ServerId>,
    pub running: BTreeSet<ServerId>,
    pub failures: BTreeMap<ServerId, u32>,
    pub hard: BTreeSet<ServerId>,
    pub pushed: BTreeMap<RequestId, usize>,
    pub pushed_at: BTreeMap<RequestId, At>,
}

/// A follower that comes no nearer for so long, or a little longer, is brought back by an election.
const STUCK: Duration = Duration::from_secs(55);

/// Terms above the stored one that replicas are in.
#[derive(Clone, Copy, Debug)]
pub struct Reported {
    pub term: Term,
    /// When the greatest one was heard of, if no store was under way then.
    pub at: Option<At>,
    /// The greatest one that had been heard of before the last store began.
    pub settled: Term,
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
        if let Event::CallAnswered {
            request,
            result: Ok(Answer::Fenced(_)),
            ..
        } = event
            && let Some((_, Call::NewTerm(vote))) = self.hosts[host].facts.calls.get(request)
        {
            let (shard, term) = (vote.shard, vote.term);
            self.note_vote(host, shard, term);
        }
        let now = self.queue.now();
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
                    let is_old = |id: WriteId| found.intact && id.epoch < found.epoch;
                    facts.untold = found.write_id.is_some_and(is_old);
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
                        Ok(answer) => facts.answered(&server, &call, answer, now),
                        Err(error) => {
                            // As after a broken watch, one failed check is enough then.
                            let of_a_shard = !matches!(call, Call::CheckHealth | Call::Handshake);
                            if of_a_shard && error.kind == CallErrorKind::Unreachable {
                                facts.hard.insert(server.id());
                            }
                            facts.failed(server.id(), &call, error.kind);
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
            StoreOutcome::Invalid(_) | StoreOutcome::TooLarge(_) => {
                // What has grown is taken back: there is nothing left to store.
                if store.is_some_and(|store| store.document.admits) {
                    self.storing_since = None;
                }
            }
            StoreOutcome::Corrupt(_)
            | StoreOutcome::Forbidden(_)
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
        self.storing_since = None;
        self.resend = None;
    }

    /// In office a conflict ends the tenure; before the fencing write was accepted it does not.
    fn conflicted(&mut self, property: &'static str) {
        self.storing_since = None;
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

    fn answered(&mut self, identity: &DataServerIdentity, call: &Call, answer: &Answer, now: At) {
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
                self.unexplained.remove(&request.shard);
                let key = (request.shard, request.term);
                let head = self.heads.get(&key).and_then(|heads| heads.get(&server));
                let offset = head.map_or(-1, |head| head.offset);
                self.committed.insert(key, offset);
                let followers = request.follower_maps.keys().cloned().collect();
                self.joined.insert(key, followers);
                self.led.insert(key, server);
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
                        self.reported(*shard, status.term, now);
                    } else if status.term == stored.term {
                        self.offsets(identity, (*shard, status.term), status, leads, now);
                    }
                }
            }
            (Call::AddFollower(request), Answer::FollowerAdded) => {
                let follower = (request.shard, request.follower.clone());
                self.unfit.remove(&follower);
                let key = (request.shard, request.term);
                let joined = self.joined.entry(key).or_default();
                joined.insert(request.follower.clone());
                // The leader may have taken it in before: then its head is where it stays.
                let committed = self.committed.get(&key).copied().unwrap_or(-1);
                if request.head.offset < committed {
                    let known = (key.0, key.1, request.follower.clone());
                    let behind = self.behind.entry(known);
                    behind.or_insert((request.head.offset, now));
                }
            }
            _ => {}
        }
    }

    fn reported(&mut self, shard: ShardId, term: Term, now: At) {
        let pending = [&self.store, &self.ambiguous, &self.resend];
        let at = pending.iter().all(|it| it.is_none()).then_some(now);
        let reported = self.reported.entry(shard).or_insert(Reported {
            term: Term::NEVER,
            at,
            settled: Term::NEVER,
        });
        if term > reported.term {
            (reported.term, reported.at) = (term, at);
        }
    }

    /// What a replica's offsets say of whether it has what its leader had committed.
    fn offsets(
        &mut self,
        identity: &DataServerIdentity,
        key: (ShardId, Term),
        status: &ReplicaStatus,
        leads: bool,
        now: At,
    ) {
        let committed = self.committed.entry(key).or_insert(-1);
        if leads {
            *committed = status.commit_offset.max(*committed);
        } else if status.role != ReplicaRole::NotMember && status.head_offset >= *committed {
            let joined = self.joined.entry(key).or_default();
            joined.insert(identity.internal.clone());
            let known = (key.0, key.1, identity.internal.clone());
            self.behind.remove(&known);
        } else {
            let known = (key.0, key.1, identity.internal.clone());
            let behind = self
                .behind
                .entry(known)
                .or_insert((status.head_offset, now));
            if status.head_offset > behind.0 {
                *behind = (status.head_offset, now);
            } else if now.since(behind.1) >= STUCK {
                self.doubted.insert(key.0);
            }
        }
    }

    fn failed(&mut self, server: ServerId, call: &Call, kind: CallErrorKind) {
        match call {
            Call::CheckHealth => {
                *self.failures.entry(server).or_default() += 1;
            }
            Call::Handshake => {}
            Call::AddFollower(request) => {
                self.doubted.insert(request.shard);
                if matches!(kind, CallErrorKind::Other | CallErrorKind::InvalidStatus) {
                    let follower = (request.shard, request.follower.clone());
                    self.unfit.insert(follower);
                }
                let refused = !matches!(kind, CallErrorKind::TimedOut | CallErrorKind::Unreachable);
                if refused && let Some(joined) = self.joined.get_mut(&(request.shard, request.term))
                {
                    joined.remove(&request.follower);
                }
            }
            Call::BecomeLeader(request) => {
                self.doubted.insert(request.shard);
                self.unexplained.insert(request.shard);
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
