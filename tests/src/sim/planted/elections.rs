//! Mistakes in elections: who votes, who is chosen, in which term.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepdown_core::call::{Answer, Binding, Call, EntryId, NewTerm, ReplicaRole, ReplicaStatus};
use stepdown_core::cluster::{ClusterStatus, KeySorting, ShardStatus};
use stepdown_core::{Effect, Event, RequestId, ShardId, Term};

use super::mistaken::Mistake;
use super::seen::{Seen, answering};

/// Heads are compared as other ones than they are; data servers are told the real ones.
pub struct MisreadsHeads(pub fn(EntryId) -> EntryId);

impl Mistake for MisreadsHeads {
    fn hears(&mut self, _: &mut Seen, event: Event) -> Option<Event> {
        let misread = match &event {
            Event::CallAnswered {
                result: Ok(Answer::Fenced(head)),
                ..
            } if *head != EntryId::NONE => Answer::Fenced((self.0)(*head)),
            _ => return Some(event),
        };
        Some(answering(event, Ok(misread)))
    }

    fn does(&mut self, seen: &mut Seen, mut effect: Effect) -> Option<Effect> {
        if let Effect::Call { call, .. } = &mut effect {
            match call {
                Call::BecomeLeader(call) => {
                    for (follower, head) in &mut call.follower_maps {
                        let key = (call.shard, call.term, follower.clone());
                        *head = seen.heads.get(&key).copied().unwrap_or(*head);
                    }
                }
                Call::AddFollower(call) => {
                    let key = (call.shard, call.term, call.follower.clone());
                    call.head = seen.heads.get(&key).copied().unwrap_or(call.head);
                }
                _ => {}
            }
        }
        Some(effect)
    }
}

/// A vote less than a majority is enough.
#[derive(Default)]
pub struct CountsOneVoteTooFew {
    invented: BTreeSet<(ShardId, Term, Arc<str>)>,
}

impl CountsOneVoteTooFew {
    fn is_one_short(&self, seen: &Seen, id: ShardId, term: Term) -> bool {
        let shard = seen.shard(id).filter(|shard| shard.leader.is_none());
        let short = shard.map_or(0, |shard| shard.ensemble.len() / 2);
        let votes = seen.heads.keys().filter(|key| (key.0, key.1) == (id, term));
        short > 0 && votes.count() == short
    }
}

fn still_asked(seen: &Seen, id: ShardId, term: Term) -> Option<(RequestId, Arc<str>)> {
    seen.calls.iter().find_map(|(request, (server, call))| {
        let is_same = matches!(call, Call::NewTerm(call) if (call.shard, call.term) == (id, term));
        is_same.then(|| (*request, server.internal.clone()))
    })
}

impl Mistake for CountsOneVoteTooFew {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let voted = matches!(
            event,
            Event::CallAnswered {
                result: Ok(Answer::Fenced(_)),
                ..
            }
        );
        if voted && let Some((_, Call::NewTerm(vote))) = &seen.asked {
            let (id, term) = (vote.shard, vote.term);
            if self.is_one_short(seen, id, term)
                && let Some((request, server)) = still_asked(seen, id, term)
            {
                self.invented.insert((id, term, server));
                seen.tell(request, Answer::Fenced(EntryId::NONE));
            }
        }
        Some(event)
    }

    fn does(&mut self, _: &mut Seen, mut effect: Effect) -> Option<Effect> {
        if let Effect::Call {
            call: Call::BecomeLeader(call),
            ..
        } = &mut effect
        {
            let (id, term) = (call.shard, call.term);
            let is_real = |server: &Arc<str>| !self.invented.contains(&(id, term, server.clone()));
            call.follower_maps.retain(|server, _| is_real(server));
        }
        Some(effect)
    }
}

/// An election that is found half done is taken up in its own term.
#[derive(Default)]
pub struct UsesATermAgain {
    half_done: BTreeMap<ShardId, Term>,
}

impl UsesATermAgain {
    fn written(&self, id: ShardId, term: Term) -> Term {
        match self.half_done.get(&id) {
            Some(half_done) if term > *half_done => Term(term.0 - 1),
            Some(_) | None => term,
        }
    }
}

impl Mistake for UsesATermAgain {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        if let Event::Loaded { .. } = &event
            && let Some(loaded) = &seen.loaded
        {
            let shards = loaded.status.shards();
            let half_done = shards.filter(|(_, _, shard)| shard.status == ShardStatus::Election);
            self.half_done = half_done.map(|(_, id, shard)| (id, shard.term)).collect();
        }
        if let Some((id, mut status, _)) = seen.status(&event)
            && let Some(half_done) = self.half_done.get(&id)
            && status.term >= *half_done
        {
            status.term = status.term.next();
            return Some(answering(event, Ok(Answer::Status(status))));
        }
        Some(event)
    }

    fn does(&mut self, _: &mut Seen, mut effect: Effect) -> Option<Effect> {
        match &mut effect {
            Effect::Call { call, .. } => match call {
                Call::AddFollower(call) => call.term = self.written(call.shard, call.term),
                Call::BecomeLeader(call) => call.term = self.written(call.shard, call.term),
                Call::NewTerm(call) => call.term = self.written(call.shard, call.term),
                Call::Truncate(call) => call.term = self.written(call.shard, call.term),
                Call::DeleteShard(call) => call.term = self.written(call.shard, call.term),
                Call::CheckHealth | Call::GetStatus { .. } | Call::Handshake => {}
            },
            Effect::Store { document, .. } if !self.half_done.is_empty() => {
                let mut status = ClusterStatus::clone(&document.status);
                for namespace in status.namespaces.values_mut() {
                    for (id, shard) in &mut namespace.shards {
                        let term = self.written(*id, shard.term);
                        if term != shard.term {
                            Arc::make_mut(shard).term = term;
                        }
                    }
                }
                document.status = Arc::new(status);
            }
            _ => {}
        }
        Some(effect)
    }
}

/// The next term is one more than the last, whatever a replica has reported.
pub struct NeverJumps;

impl Mistake for NeverJumps {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let Some((id, mut status, leads)) = seen.status(&event) else {
            return Some(event);
        };
        let stored = seen.shard(id).map_or(status.term, |shard| shard.term);
        if status.term > stored {
            // It is not as it should be, but nothing says by how much.
            status.term = stored;
            status.role = if leads {
                ReplicaRole::Fenced
            } else {
                ReplicaRole::Leader
            };
            return Some(answering(event, Ok(Answer::Status(status))));
        }
        Some(event)
    }
}

/// A leader is stored before it has confirmed.
pub struct RecordsTooEarly;

impl Mistake for RecordsTooEarly {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::Call {
            request,
            call: Call::BecomeLeader(_),
            ..
        } = &effect
        {
            seen.tell(*request, Answer::BecameLeader);
        }
        Some(effect)
    }
}

/// A leader is told what any member can do.
pub struct UnitesFeatures;

impl Mistake for UnitesFeatures {
    fn does(&mut self, seen: &mut Seen, mut effect: Effect) -> Option<Effect> {
        if let Effect::Call {
            call: Call::BecomeLeader(call),
            ..
        } = &mut effect
            && let Some(shard) = seen.shard(call.shard)
        {
            let members = shard.ensemble.iter();
            let known = members.filter_map(|member| seen.features.get(&member.id()));
            call.features_supported = known.flatten().copied().collect();
        }
        Some(effect)
    }
}

/// A leader is told of so many followers at most.
pub struct CutsTheFollowerMap(pub usize);

impl Mistake for CutsTheFollowerMap {
    fn does(&mut self, _: &mut Seen, mut effect: Effect) -> Option<Effect> {
        if let Effect::Call {
            call: Call::BecomeLeader(call),
            ..
        } = &mut effect
        {
            while call.follower_maps.len() > self.0 {
                call.follower_maps.pop_last();
            }
        }
        Some(effect)
    }
}

/// `NewTerm` goes out before the term is stored.
#[derive(Default)]
pub struct FencesBeforeStoring {
    terms: BTreeMap<ShardId, Term>,
}

impl Mistake for FencesBeforeStoring {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        let Effect::Store {
            tenure, document, ..
        } = &effect
        else {
            return Some(effect);
        };
        for (namespace, shard, metadata) in document.status.shards() {
            let known = self.terms.insert(shard, metadata.term);
            if metadata.status != ShardStatus::Election || known == Some(metadata.term) {
                continue;
            }
            for server in metadata.ensemble.clone() {
                let request = seen.invent();
                seen.more.push_back(Effect::Call {
                    tenure: *tenure,
                    request,
                    server,
                    call: Call::NewTerm(NewTerm {
                        namespace: namespace.clone(),
                        shard,
                        term: metadata.term,
                        enable_notifications: true,
                        key_sorting: KeySorting::Unknown,
                    }),
                });
            }
        }
        Some(effect)
    }
}

/// A server that has been away for a while counts as running, and as one that remembers, so that elections are tried whether a
/// majority runs or not.
#[derive(Default)]
pub struct ElectsWithoutAMajority {
    failures: BTreeMap<Arc<str>, u32>,
}

/// By then it has been called away.
const AWAY: u32 = 6;

impl Mistake for ElectsWithoutAMajority {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let (Some((server, call)), Event::CallAnswered { result, .. }) = (&seen.asked, &event)
        else {
            return Some(event);
        };
        let failures = self.failures.entry(server.internal.clone()).or_default();
        match (call, result) {
            (Call::CheckHealth, Ok(_)) => *failures = 0,
            (Call::CheckHealth, Err(_)) => *failures += 1,
            _ => {}
        }
        let invented = match (call, result) {
            (Call::CheckHealth, Err(_)) if *failures > AWAY => Answer::Health { serving: true },
            (Call::Handshake, Err(_)) if *failures > AWAY => Answer::Handshaken {
                binding: Binding::AlreadyBound,
                features: BTreeSet::new(),
            },
            (Call::GetStatus { .. }, Err(_)) if *failures > AWAY => Answer::Status(ReplicaStatus {
                term: Term(0),
                role: ReplicaRole::Fenced,
                head_offset: -1,
                commit_offset: -1,
            }),
            _ => return Some(event),
        };
        Some(answering(event, Ok(invented)))
    }
}
