//! What is told of shards that are short of replicas, or of a majority, for long.

use super::handings::FOUR;
use crate::scripted::World;
use crate::{Effect, Report, Timing};

/// What is told of, in order: how many shards, and which servers are missed.
fn told(world: &World) -> Vec<String> {
    let told = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::ShardsShort { shards }) => Some(format!("short {}", shards.len())),
        Effect::Report(Report::ShardsWhole { shards }) => Some(format!("whole {}", shards.len())),
        Effect::Report(Report::MajorityAwaited { shards, servers }) => {
            let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
            Some(format!("awaits {shards} {}", servers.join(" ")))
        }
        Effect::Report(Report::MajorityBack) => Some("majority back".to_owned()),
        _ => None,
    });
    told.collect()
}

fn come_back(world: &mut World, servers: &[&str]) {
    world.failing.clear();
    for server in servers {
        world.observe(server, true);
    }
    world.run_for(120_000);
}

#[test]
fn shards_that_are_short_of_a_replica_are_told_of_once_that_has_lasted_and_again_when_it_is_over() {
    let mut world = World::steady_with(Timing::default(), FOUR, 4);
    world.take_away("s3:6649");
    world.run_for(30_000);
    assert_eq!(told(&world), Vec::<String>::new(), "it may be back soon");
    world.run_for(300_000);
    assert_eq!(told(&world), ["short 4"]);
    come_back(&mut world, &["s3:6649"]);
    assert_eq!(told(&world), ["short 4", "whole 4"]);
}

#[test]
fn who_is_missed_for_a_majority_is_told_once_and_that_there_is_one_again() {
    let mut world = World::steady_with(Timing::default(), FOUR, 4);
    for server in ["s2:6649", "s3:6649"] {
        world.take_away(server);
    }
    world.run_for(50_000);
    let of_majority = |world: &World| {
        let told = told(world).into_iter();
        told.filter(|it| it.starts_with("awaits") || it.starts_with("majority"))
            .collect::<Vec<_>>()
    };
    assert_eq!(of_majority(&world).len(), 1);
    assert!(
        of_majority(&world)[0].ends_with(" s2 s3"),
        "{:?}",
        told(&world)
    );
    come_back(&mut world, &["s2:6649", "s3:6649"]);
    assert_eq!(
        of_majority(&world).last().map(String::as_str),
        Some("majority back")
    );
    assert_eq!(of_majority(&world).len(), 2);
}
