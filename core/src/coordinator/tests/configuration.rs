//! What a configuration changes, and what it never does.

use crate::scripted::{CONFIGURATION, World};
use crate::{Effect, Event, Report, ServerState};

#[test]
fn a_configuration_that_is_empty_missing_or_broken_deletes_nothing() {
    let mut world = World::steady();
    let before = world.status().clone();
    for text in [
        None,
        Some(""),
        Some("# nothing\n"),
        Some("{}"),
        Some("namespaces: ["),
    ] {
        world.configure(text);
        world.run_for(10_000);
        assert_eq!(*world.status(), before, "{text:?}");
        let rejected = |effect: &Effect| {
            matches!(effect, Effect::Report(Report::ConfigurationRejected { .. }))
        };
        assert!(
            world.log.drain(..).any(|effect| rejected(&effect)),
            "{text:?}"
        );
    }
}

#[test]
fn a_server_that_moves_is_reached_and_stored_at_its_new_address() {
    let mut world = World::steady();
    world.configure(Some(&CONFIGURATION.replace("s2:6649", "s9:6649")));
    world.run_for(5_000);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
    for (_, _, shard) in world.status().shards() {
        assert_eq!(shard.term.0, 1);
        assert!(
            shard
                .ensemble
                .iter()
                .any(|member| &*member.internal == "s9:6649")
        );
    }
}

#[test]
fn every_server_is_seen_with_its_state_and_what_it_can_do_while_in_office() {
    let mut world = World::steady();
    let seen: Vec<_> = world
        .machine
        .servers()
        .map(|(id, state, features)| (id.to_string(), state, features.is_some()))
        .collect();
    assert!(seen.len() >= 2, "{seen:?}");
    assert!(
        seen.iter()
            .all(|(_, state, is_known)| *state == ServerState::Running && *is_known),
        "{seen:?}"
    );
    world.feed(Event::ShutdownRequested);
    assert_eq!(world.machine.servers().count(), 0);
}
