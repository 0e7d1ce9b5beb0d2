//! What a configuration changes, and what it never does.

use crate::scripted::{CONFIGURATION, World};
use crate::{Effect, Report};

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
