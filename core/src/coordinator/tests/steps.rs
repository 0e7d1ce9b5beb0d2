//! What several of the tests do, and how they read what is asked for.

use std::sync::Arc;

use crate::call::CallErrorKind;
use crate::scripted::{World, name};
use crate::store::StatusDocument;
use crate::{Effect, Event, RequestId, Version};

/// Makes the leader of shard 0 unavailable, so that it is elected again.
pub(super) fn fail_leader(world: &mut World) {
    let leader = {
        let (_, _, shard) = world.status().shards().next().unwrap();
        Arc::clone(&shard.leader.as_ref().unwrap().internal)
    };
    let tenure = world.tenure();
    let request = *world.watches.get(&*leader).unwrap();
    for call in ["CheckHealth", "NewTerm", "Handshake", "GetStatus"] {
        world
            .failing
            .insert((leader.to_string(), call), CallErrorKind::Unreachable);
    }
    world.feed(Event::HealthObserved {
        tenure,
        request,
        serving: false,
    });
}

/// The same, with the store of the new term held back; returns its request.
pub(super) fn start_election(world: &mut World) -> RequestId {
    world.hold_stores = true;
    fail_leader(world);
    world
        .log
        .retain(|effect| matches!(effect, Effect::Store { .. }));
    match world.held.last() {
        Some(Effect::Store { request, .. }) => *request,
        other => panic!("no store is in flight: {other:?}"),
    }
}

pub(super) fn last_store(world: &World) -> (Option<Version>, StatusDocument) {
    let last = world.log.iter().rev().find_map(|effect| match effect {
        Effect::Store {
            expected, document, ..
        } => Some((expected.clone(), document.clone())),
        _ => None,
    });
    last.unwrap()
}

pub(super) fn kinds(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(kind).collect()
}

fn kind(effect: &Effect) -> String {
    let first_word = |text: String| {
        text.split(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    match effect {
        Effect::Call { call, .. } => format!("Call({})", name(call)),
        Effect::Report(report) => format!("Report({})", first_word(format!("{report:?}"))),
        other => first_word(format!("{other:?}")),
    }
}
