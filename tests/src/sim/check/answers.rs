//! What a tenure makes of the answers of data servers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::{
    Answer, BecomeLeader, Binding, Call, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus,
};
use stepdown_core::cluster::{DataServerIdentity, ShardMetadata};
use stepdown_core::{ServerId, ShardId, Term, Timestamp};

use super::Facts;
use super::calls::asks_whom_it_feeds;
use super::facts::Reported;
use crate::sim::clock::At;
use crate::sim::configuration::name_at;

/// A follower that comes no nearer for so long, by its coordinator's clock, is brought back by an
/// election.
const STUCK: Duration = Duration::from_secs(90);

/// What is known when an answer comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) now: At,
    /// By the coordinator's clock.
    pub(super) shown: Timestamp,
    /// What the leader was known to have committed when the question was asked.
    pub(super) committed: i64,
}

/// The addresses of those that a leader is told of.
fn followers_of(request: &BecomeLeader) -> BTreeSet<Arc<str>> {
    request.follower_maps.keys().cloned().collect()
}

impl Facts {
    /// What the leader of the shard that is asked about is known to have committed.
    pub(super) fn committed_when_asked(&self, call: &Call) -> i64 {
        let shard = match call {
            Call::GetStatus { shard } => shard,
            Call::AddFollower(call) => &call.shard,
            Call::BecomeLeader(_)
            | Call::CheckHealth
            | Call::DeleteShard(_)
            | Call::Handshake
            | Call::NewTerm(_)
            | Call::Truncate(_) => return -1,
        };
        let stored = self.stored(*shard);
        let committed = stored.and_then(|it| self.committed.get(&(*shard, it.term)));
        committed.copied().unwrap_or(-1)
    }

    pub(super) fn answered(
        &mut self,
        identity: &DataServerIdentity,
        call: &Call,
        answer: &Answer,
        known: Known,
    ) {
        let Known { now, shown, .. } = known;
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
            (Call::Truncate(request), Answer::Truncated(_)) => {
                self.resting.insert((request.shard, server));
            }
            (Call::NewTerm(request), Answer::Fenced(head)) if request.term != Term::NEVER => {
                self.resting.remove(&(request.shard, server.clone()));
                self.stopped
                    .insert((request.shard, request.term, server.clone()));
                self.heads
                    .entry((request.shard, request.term))
                    .or_default()
                    .insert(server, *head);
            }
            // It has lost its disk.
            (Call::NewTerm(request), Answer::Fenced(_)) => {
                self.doubted.insert(request.shard);
            }
            (Call::BecomeLeader(request), Answer::BecameLeader) => {
                self.became_leader((request.shard, request.term), server, followers_of(request));
            }
            (Call::GetStatus { shard }, Answer::Status(status)) => {
                let key = (*shard, status.term);
                if status.role == ReplicaRole::Leader
                    && let Some((told, followers)) = self.unheard.get(&key)
                    && *told == server
                {
                    self.became_leader(key, server.clone(), followers.clone());
                } else {
                    self.is_no_leader(*shard, &server);
                }
                if status.has_forgotten() {
                    self.ends_what_was_on_its_way(*shard, &server);
                }
                if let Some(stored) = self.stored(*shard) {
                    let leads = stored
                        .leader
                        .as_ref()
                        .is_some_and(|leader| leader.id() == server);
                    if status.term != stored.term || leads != (status.role == ReplicaRole::Leader) {
                        self.doubted.insert(*shard);
                    }
                    if status.term != stored.term {
                        self.not_fenced(&server, *shard);
                    }
                    if self.has_more(&server, *shard, status) {
                        self.resting.insert((*shard, server));
                    }
                    if status.term > stored.term {
                        self.reported(*shard, status.term, now);
                    } else if status.term == stored.term {
                        self.offsets(identity, (*shard, status.term), status, leads, known);
                    }
                }
            }
            (Call::AddFollower(request), Answer::FollowerAdded) => {
                let follower = (request.shard, name_at(&request.follower));
                self.unfit.remove(&follower);
                let key = (request.shard, request.term);
                self.maybe_fed
                    .remove(&(request.shard, request.term, request.follower.clone()));
                let fed = self.fed.entry(key).or_default();
                fed.insert(request.follower.clone());
                if asks_whom_it_feeds(request) {
                    // How far that one is by now is asked again.
                    return;
                }
                let joined = self.joined.entry(key).or_default();
                joined.insert(request.follower.clone());
                // The leader may have taken it in before: then its head is where it stays.
                let committed = self.committed.get(&key).copied().unwrap_or(-1);
                if request.head.offset < committed {
                    let known = (key.0, key.1, request.follower.clone());
                    let here = (request.head.offset, shown);
                    let behind = self.behind.entry(known).or_insert(here);
                    // A fenced replica that was opened anew does not tell its head.
                    if behind.0 < here.0 {
                        *behind = here;
                    }
                }
            }
            _ => {}
        }
    }

    /// Where it was told to lead, and did not answer, it is known by now that it does not.
    fn is_no_leader(&mut self, shard: ShardId, server: &ServerId) {
        let told = self.unheard.iter();
        let mut told = told.filter(|((id, _), (told, _))| *id == shard && told == server);
        if let Some(key) = told.next().map(|(key, _)| *key) {
            self.unheard.remove(&key);
            self.could_not_lead(shard, server.clone());
        }
    }

    /// It has said that it leads, in this answer or that one.
    fn became_leader(
        &mut self,
        key: (ShardId, Term),
        server: ServerId,
        followers: BTreeSet<Arc<str>>,
    ) {
        let head = self.heads.get(&key).and_then(|heads| heads.get(&server));
        let offset = head.map_or(-1, |head| head.offset);
        self.committed.insert(key, offset);
        self.fed.insert(key, followers.clone());
        self.joined.insert(key, followers);
        self.led.insert(key, server);
        self.unheard.remove(&key);
    }

    fn reported(&mut self, shard: ShardId, term: Term, now: At) {
        let at = self.storing_since.is_none().then_some(now);
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
        known: Known,
    ) {
        if leads {
            let known = self.committed.entry(key).or_insert(-1);
            *known = status.commit_offset.max(*known);
        } else if status.role == ReplicaRole::NotMember {
            self.reaches(&identity.internal, key, i64::MIN, known);
        } else {
            self.reaches(&identity.internal, key, status.head_offset, known);
        }
    }

    /// A follower's log reaches this offset.
    fn reaches(
        &mut self,
        follower: &Arc<str>,
        key: (ShardId, Term),
        offset: i64,
        Known {
            shown, committed, ..
        }: Known,
    ) {
        let fed = self.fed.get(&key);
        let is_fed = fed.is_some_and(|fed| fed.contains(follower));
        if is_fed && offset >= committed {
            let joined = self.joined.entry(key).or_default();
            joined.insert(follower.clone());
        }
        // More may have been heard of its leader while the answer was on its way.
        let lately = self.committed.get(&key).copied().unwrap_or(-1);
        let known = (key.0, key.1, follower.clone());
        if offset >= lately {
            self.behind.remove(&known);
            return;
        }
        let here = (offset, shown);
        if is_fed && offset >= committed {
            // It may have counted as caught up when it was asked.
            self.behind.insert(known, here);
            return;
        }
        let behind = self.behind.entry(known).or_insert(here);
        if offset > behind.0 {
            *behind = here;
        } else if shown.since(behind.1) >= STUCK {
            self.doubted.insert(key.0);
        }
    }

    /// Whether it has told its head, and is yet looked at, or cut off.
    pub(super) fn is_being_fenced(&self, server: &ServerId, id: ShardId) -> bool {
        // What it was asked before, to learn of a later term, says nothing of what it has told since.
        let since = self.fenced_by.get(&(id, server.clone()));
        let mut calls = self
            .calls
            .iter()
            .filter(|(request, _)| Some(*request) >= since);
        let is_asked =
            calls.any(|(_, (to, call, _))| fences(call) == Some(id) && to.id() == *server);
        is_asked || self.resting.contains(&(id, server.clone()))
    }

    /// Whether it is fenced, and has more than it told.
    fn has_more(&self, server: &ServerId, id: ShardId, status: &ReplicaStatus) -> bool {
        let heads = self.heads.get(&(id, status.term));
        let told = heads.and_then(|heads| heads.get(server));
        // After a snapshot there is more in the database than in the log.
        let is_fed = |told| told == EntryId::NONE && status.head_offset <= status.commit_offset;
        status.role == ReplicaRole::Fenced
            && told.is_some_and(|told| status.head_offset > told.offset && !is_fed(*told))
    }

    pub(super) fn could_not_lead(&mut self, shard: ShardId, server: ServerId) {
        self.unexplained.insert(shard);
        *self
            .failed
            .entry(shard)
            .or_default()
            .entry(server)
            .or_default() += 1;
    }

    /// Its vote does not count, though it has told its head.
    pub(super) fn not_fenced(&mut self, server: &ServerId, id: ShardId) {
        let Some(term) = self.stored(id).map(|shard| shard.term) else {
            return;
        };
        if !self.led.contains_key(&(id, term))
            && let Some(heads) = self.heads.get_mut(&(id, term))
        {
            heads.remove(server);
        }
    }

    fn stored(&self, shard: ShardId) -> Option<Arc<ShardMetadata>> {
        let (_, accepted) = self.accepted.as_ref()?;
        let mut shards = accepted.shards();
        shards
            .find(|(_, id, _)| *id == shard)
            .map(|found| found.2.clone())
    }

    /// A replica that its leader's stream has not opened yet has nothing, as one that is open and
    /// empty.
    fn not_open(&mut self, shard: ShardId, identity: &DataServerIdentity, shown: Timestamp) {
        self.ends_what_was_on_its_way(shard, &identity.id());
        if let Some(stored) = self.stored(shard) {
            let known = (shard, stored.term, identity.internal.clone());
            self.behind.entry(known).or_insert((-1, shown));
        }
    }

    /// A server that was restarted since hears nothing of what it was asked before.
    fn ends_what_was_on_its_way(&mut self, shard: ShardId, server: &ServerId) {
        self.uncut
            .retain(|(id, _, uncut)| (*id, uncut) != (shard, server));
    }

    pub(super) fn failed(
        &mut self,
        identity: &DataServerIdentity,
        call: &Call,
        kind: CallErrorKind,
        shown: Timestamp,
    ) {
        match call {
            Call::CheckHealth => {
                *self.failures.entry(identity.id()).or_default() += 1;
            }
            Call::DeleteShard(_) | Call::Handshake => {}
            Call::AddFollower(request) => {
                let is_question = asks_whom_it_feeds(request);
                // That is an answer: it does not feed that one.
                if !is_question || kind != CallErrorKind::InvalidTerm {
                    self.doubted.insert(request.shard);
                }
                if !is_question
                    && matches!(kind, CallErrorKind::Other | CallErrorKind::InvalidStatus)
                {
                    let follower = (request.shard, name_at(&request.follower));
                    self.unfit.insert(follower);
                }
                let refused = !kind.is_unheard();
                if refused && let Some(joined) = self.joined.get_mut(&(request.shard, request.term))
                {
                    joined.remove(&request.follower);
                }
            }
            Call::BecomeLeader(request) => {
                self.doubted.insert(request.shard);
                if kind == CallErrorKind::TimedOut {
                    let told = (identity.id(), followers_of(request));
                    self.unheard.insert((request.shard, request.term), told);
                } else {
                    self.could_not_lead(request.shard, identity.id());
                }
            }
            Call::GetStatus { shard } => {
                self.doubted.insert(*shard);
                self.is_no_leader(*shard, &identity.id());
                self.not_fenced(&identity.id(), *shard);
                if kind == CallErrorKind::NotMember {
                    self.not_open(*shard, identity, shown);
                }
            }
            Call::NewTerm(request) => {
                self.doubted.insert(request.shard);
                if request.term != Term::NEVER {
                    self.not_fenced(&identity.id(), request.shard);
                }
                if kind == CallErrorKind::Other {
                    let key = (request.shard, request.term, identity.id());
                    self.could_not_tell.insert(key);
                }
            }
            Call::Truncate(request) => {
                self.doubted.insert(request.shard);
                if kind.is_unheard() {
                    let key = (request.shard, request.term, identity.id());
                    self.uncut.insert(key);
                }
                self.not_fenced(&identity.id(), request.shard);
            }
        }
    }
}

/// Of which shard a replica may be fenced by this call.
pub(super) fn fences(call: &Call) -> Option<ShardId> {
    match call {
        Call::GetStatus { shard } => Some(*shard),
        Call::Truncate(call) => Some(call.shard),
        Call::NewTerm(call) => Some(call.shard),
        Call::AddFollower(_)
        | Call::BecomeLeader(_)
        | Call::CheckHealth
        | Call::DeleteShard(_)
        | Call::Handshake => None,
    }
}
