//! Mistakes about members that leave, and shards that are deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stepdown_core::call::{Answer, Call, DeleteShard, EntryId, Feature};
use stepdown_core::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use stepdown_core::store::StoreOutcome;
use stepdown_core::{ConfigurationText, Effect, Event, ShardId, Term, Timestamp};

use super::mistaken::Mistake;
use super::seen::{Seen, answering};
use crate::sim::server::common;

/// Changes every shard of what is to be stored.
fn storing(mut effect: Effect, change: impl Fn(ShardId, &mut ShardMetadata)) -> Effect {
    if let Effect::Store { document, .. } = &mut effect {
        let status = Arc::make_mut(&mut document.status);
        for namespace in status.namespaces.values_mut() {
            for (id, shard) in &mut namespace.shards {
                change(*id, Arc::make_mut(shard));
            }
        }
    }
    effect
}

/// It is not stored who leaves, so that only those that come in their places are asked.
pub struct ForgetsWhoLeft;

impl Mistake for ForgetsWhoLeft {
    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        Some(storing(effect, |_, shard| shard.removed_nodes.clear()))
    }
}

/// Whoever has left deletes what it has as soon as somebody leads without it.
#[derive(Default)]
pub struct DeletesTooEarly {
    told: BTreeMap<ShardId, Term>,
}

impl DeletesTooEarly {
    /// Who has left which shard, as it is being stored.
    fn leavers(&mut self, seen: &Seen) -> Vec<(DataServerIdentity, DeleteShard)> {
        let Some((_, document)) = &seen.storing else {
            return Vec::new();
        };
        let mut leavers = Vec::new();
        for (namespace, shard, stored) in document.status.shards() {
            let Some(server) = stored.pending_delete_shard_nodes.last() else {
                continue;
            };
            let is_kept = stored.status == ShardStatus::SteadyState;
            if is_kept && self.told.insert(shard, stored.term) != Some(stored.term) {
                let call = DeleteShard {
                    namespace: namespace.clone(),
                    shard,
                    term: stored.term,
                };
                leavers.push((server.clone(), call));
            }
        }
        leavers
    }
}

impl Mistake for DeletesTooEarly {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        if let Event::StoreEnded {
            outcome: StoreOutcome::Stored(_),
            tenure,
            ..
        } = &event
        {
            for (server, call) in self.leavers(seen) {
                let effect = Effect::Call {
                    tenure: *tenure,
                    request: seen.invent(),
                    server,
                    call: Call::DeleteShard(call),
                };
                seen.more.push_back(effect);
            }
        }
        Some(event)
    }
}

/// Whoever has left is told to delete what it has whether or not others that have left lead in earlier terms.
pub struct DeletesUnfenced;

impl Mistake for DeletesUnfenced {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::Call {
            request,
            server,
            call: Call::NewTerm(call),
            ..
        } = &effect
            && call.term != Term::NEVER
            && let Some(shard) = seen.shard(call.shard)
            && shard.leader.is_some()
            && shard.pending_delete_shard_nodes.contains(server)
        {
            seen.tell(*request, Answer::Fenced(EntryId::NONE));
            return None;
        }
        Some(effect)
    }
}

/// A shard of one replica goes to another server, which has nothing of it.
pub struct MovesTheLonely;

impl Mistake for MovesTheLonely {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        let servers = seen.features.keys().cloned();
        let servers: Vec<_> = servers.collect();
        Some(storing(effect, |_, shard| {
            let [only] = shard.ensemble.as_slice() else {
                return;
            };
            let Some(other) = servers.iter().find(|it| **it != only.id()) else {
                return;
            };
            if shard.status == ShardStatus::SteadyState {
                let other = DataServerIdentity {
                    name: Some(other.0.clone()),
                    public: format!("{other}-0:6648").into(),
                    internal: format!("{other}-0:6649").into(),
                };
                shard.removed_nodes = std::mem::replace(&mut shard.ensemble, vec![other]);
                shard.status = ShardStatus::Election;
                shard.leader = None;
                shard.term = Term(shard.term.0 + 1);
            }
        }))
    }
}

/// Whoever comes is taken to be able to do whatever anybody can; leaders are told only what is so.
pub struct TakesEveryoneForAble;

impl Mistake for TakesEveryoneForAble {
    fn hears(&mut self, _: &mut Seen, mut event: Event) -> Option<Event> {
        if let Event::CallAnswered {
            result: Ok(Answer::Handshaken { features, .. }),
            ..
        } = &mut event
        {
            features.extend([Feature(1), Feature(2)]);
        }
        Some(event)
    }

    fn does(&mut self, seen: &mut Seen, mut effect: Effect) -> Option<Effect> {
        if let Effect::Call {
            call: Call::BecomeLeader(call),
            ..
        } = &mut effect
        {
            let members = seen.shard(call.shard).into_iter();
            let members = members.flat_map(|shard| &shard.ensemble);
            let known = members.map(|member| seen.features.get(&member.id()));
            call.features_supported = common(known);
        }
        Some(effect)
    }
}

/// Every minute and a half the last server of the configuration is forgotten, or remembered again.
#[derive(Default)]
pub struct ForgetsAServer {
    read: Option<ConfigurationText>,
    turned: Option<Timestamp>,
    is_forgotten: bool,
}

impl Mistake for ForgetsAServer {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        if let Event::ConfigurationRead(text) = &event {
            self.read = Some(text.clone());
            self.turned = Some(seen.now);
            self.is_forgotten = false;
        }
        let due = self.turned.map(|it| it.after(Duration::from_secs(90)));
        if let Some(mut text) = self.read.clone()
            && due.is_some_and(|due| due <= seen.now)
        {
            self.turned = Some(seen.now);
            self.is_forgotten = !self.is_forgotten;
            if self.is_forgotten {
                text.text = text.text.as_deref().and_then(without_the_last);
            }
            if text.text.is_some() {
                seen.told.push_back(Event::ConfigurationRead(text));
            }
        }
        Some(event)
    }
}

/// The same document with one data server less; `None` where that would be too few.
fn without_the_last(text: &str) -> Option<String> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    let servers = document.get_mut("servers")?.as_array_mut()?;
    let many_enough = servers.len() > 3;
    servers.pop();
    many_enough.then(|| document.to_string())
}

/// Whoever does not answer is taken to have nothing of a shard any more.
pub struct TakesSilenceForDeleted;

impl Mistake for TakesSilenceForDeleted {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        let is_silent = matches!(
            (&seen.asked, &event),
            (
                Some((_, Call::DeleteShard(_))),
                Event::CallAnswered { result: Err(_), .. }
            )
        );
        if is_silent {
            return Some(answering(event, Ok(Answer::ShardDeleted)));
        }
        Some(event)
    }
}

/// An election that ends takes the mark from a shard that is being deleted.
pub struct UndoesADeletion;

impl Mistake for UndoesADeletion {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        let term = seen
            .storing
            .as_ref()
            .map_or(0, |(_, document)| document.epoch.0);
        Some(storing(effect, |_, shard| {
            if shard.status == ShardStatus::Deleting && term.is_multiple_of(2) {
                shard.status = ShardStatus::Election;
                shard.leader = None;
            }
        }))
    }
}

/// Nobody is ever told to delete anything.
pub struct NeverDeletes;

impl Mistake for NeverDeletes {
    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        let deletes = matches!(
            &effect,
            Effect::Call {
                call: Call::DeleteShard(_),
                ..
            }
        );
        (!deletes).then_some(effect)
    }
}
