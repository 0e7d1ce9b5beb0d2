//! Mistakes about followers: who has been taken in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepdown_core::call::{
    AddFollower, Answer, Call, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus,
};
use stepdown_core::{Effect, Event, Report, ServerId, ShardId, Term};

use super::mistaken::Mistake;
use super::seen::{Seen, answering};

/// A follower that was not there at the election is left alone.
pub struct NeverBringsBack;

impl Mistake for NeverBringsBack {
    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        let brings = matches!(
            &effect,
            Effect::Call {
                call: Call::AddFollower(_),
                ..
            }
        );
        (!brings).then_some(effect)
    }
}

/// A leader that refuses a follower is taken to have it.
pub struct TakesARefusalForSuccess;

impl Mistake for TakesARefusalForSuccess {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let refused = match (&seen.asked, &event) {
            (
                Some((_, Call::AddFollower(_))),
                Event::CallAnswered {
                    result: Err(error), ..
                },
            ) => !matches!(
                error.kind,
                CallErrorKind::TimedOut | CallErrorKind::Unreachable
            ),
            _ => false,
        };
        if refused {
            return Some(answering(event, Ok(Answer::FollowerAdded)));
        }
        Some(event)
    }
}

/// A follower that is fenced in the leader's term is taken for one that the leader has.
#[derive(Default)]
pub struct TakesFencedForJoined {
    fenced: BTreeSet<(ShardId, Term, Arc<str>)>,
}

impl Mistake for TakesFencedForJoined {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let Some((id, mut status, leads)) = seen.status(&event) else {
            return Some(event);
        };
        let stored = seen.shard(id).map(|shard| shard.term);
        if let Some((server, _)) = &seen.asked
            && !leads
            && status.role == ReplicaRole::Fenced
            && stored == Some(status.term)
        {
            let key = (id, status.term, server.internal.clone());
            self.fenced.insert(key);
            status.head_offset = i64::MAX;
            return Some(answering(event, Ok(Answer::Status(status))));
        }
        Some(event)
    }

    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        let Effect::Call {
            request,
            server,
            call,
            ..
        } = &effect
        else {
            return Some(effect);
        };
        let (key, answer) = match call {
            Call::AddFollower(call) => (
                (call.shard, call.term, call.follower.clone()),
                Answer::FollowerAdded,
            ),
            Call::NewTerm(call) => (
                (call.shard, call.term, server.internal.clone()),
                Answer::Fenced(EntryId::NONE),
            ),
            Call::BecomeLeader(_)
            | Call::CheckHealth
            | Call::DeleteShard(_)
            | Call::GetStatus { .. }
            | Call::Handshake
            | Call::Truncate(_) => return Some(effect),
        };
        if self.fenced.contains(&key) {
            seen.tell(*request, answer);
            return None;
        }
        Some(effect)
    }
}

/// A replica that was left out, since it would keep another entry than its leader has, is taken in.
#[derive(Default)]
pub struct TakesInWhoDiffers {
    left_out: BTreeMap<ShardId, ServerId>,
}

impl Mistake for TakesInWhoDiffers {
    fn does(&mut self, seen: &mut Seen, mut effect: Effect) -> Option<Effect> {
        match &mut effect {
            Effect::Report(Report::ReplicaLeftOut {
                namespace,
                shard,
                server,
                ..
            }) => {
                self.left_out.insert(*shard, server.clone());
                if let Some((follower, head)) = self.fenced(seen, *shard)
                    && let Some(stored) = seen.shard(*shard).cloned()
                    && let Some(leader) = &stored.leader
                {
                    let call = Call::AddFollower(AddFollower {
                        namespace: namespace.clone(),
                        shard: *shard,
                        term: stored.term,
                        follower,
                        head,
                    });
                    let request = seen.invent();
                    seen.more.push_back(Effect::Call {
                        tenure: seen.tenure,
                        request,
                        server: leader.clone(),
                        call,
                    });
                }
            }
            Effect::Call {
                call: Call::BecomeLeader(call),
                ..
            } => call.follower_maps.extend(self.fenced(seen, call.shard)),
            _ => {}
        }
        Some(effect)
    }
}

impl TakesInWhoDiffers {
    /// Who was left out, and with what log it was fenced.
    fn fenced(&self, seen: &Seen, id: ShardId) -> Option<(Arc<str>, EntryId)> {
        let (server, shard) = self.left_out.get(&id).zip(seen.shard(id))?;
        let member = shard.ensemble.iter().find(|it| it.id() == *server)?;
        let follower = member.internal.clone();
        let head = seen.heads.get(&(id, shard.term, follower.clone()))?;
        Some((follower, *head))
    }
}

/// What a fenced replica has told is taken for all that it has.
#[derive(Default)]
pub struct TrustsWhatIsTold;

impl Mistake for TrustsWhatIsTold {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        if let Event::CallAnswered {
            result: Ok(Answer::Status(status)),
            ..
        } = &event
            && let Some((server, Call::GetStatus { shard })) = &seen.asked
            && let Some(head) = seen
                .heads
                .get(&(*shard, status.term, server.internal.clone()))
            && status.role == ReplicaRole::Fenced
        {
            let known = ReplicaStatus {
                head_offset: head.offset,
                ..*status
            };
            return Some(answering(event, Ok(Answer::Status(known))));
        }
        Some(event)
    }

    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        match &effect {
            Effect::Call {
                request,
                call: Call::Truncate(call),
                ..
            } => {
                seen.tell(*request, Answer::Truncated(call.head));
                None
            }
            _ => Some(effect),
        }
    }
}
