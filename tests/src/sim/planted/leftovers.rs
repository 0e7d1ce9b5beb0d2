//! Mistakes about what is left on servers that are no members.

use std::collections::{BTreeMap, BTreeSet};

use stepdown_core::call::{Answer, Call};
use stepdown_core::{Effect, ServerId, ShardId};

use super::mistaken::Mistake;
use super::seen::Seen;

/// Whoever was asked whether it has anything, and never became a member, is taken to have deleted what that opened.
#[derive(Default)]
pub struct KeepsWhatItOpened {
    members: BTreeMap<ShardId, BTreeSet<ServerId>>,
}

impl Mistake for KeepsWhatItOpened {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        match &effect {
            Effect::Store { document, .. } => {
                for (_, id, shard) in document.status.shards() {
                    let members = shard.ensemble.iter().chain(&shard.removed_nodes);
                    let members = members.map(|member| member.id());
                    self.members.entry(id).or_default().extend(members);
                }
            }
            Effect::Call {
                request,
                server,
                call: Call::DeleteShard(call),
                ..
            } => {
                let members = self.members.get(&call.shard);
                if !members.is_some_and(|members| members.contains(&server.id())) {
                    seen.tell(*request, Answer::ShardDeleted);
                    return None;
                }
            }
            _ => {}
        }
        Some(effect)
    }
}
