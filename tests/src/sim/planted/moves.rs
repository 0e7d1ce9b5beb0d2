//! Mistakes about members that leave, and shards that are deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_core::call::{Answer, Call, DeleteShard};
use stepdown_core::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use stepdown_core::store::StoreOutcome;
use stepdown_core::{Effect, Event, ShardId, Term};

use super::mistaken::Mistake;
use super::seen::{Seen, answering};

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
