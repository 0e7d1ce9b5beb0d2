//! A replica that was fed by a snapshot and then restarted: what it has, nobody can say.

use super::forgetting::{blocked, status};
use super::{LIFE, SHARD, head, leader, others, promotions, replica, start};
use crate::call::{ReplicaRole, ReplicaStatus};
use crate::cluster::{LastLeader, ShardStatus};
use crate::scripted::World;
use crate::{ServerId, Term};

/// The leader has ten entries, and another server lags behind with six. The third one was fed by a
/// snapshot of all ten, and restarted.
struct Fed {
    world: World,
    led_by: String,
    lags: String,
    fed: String,
}

fn fed() -> Fed {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (lags, fed) = others(&led_by);
    world.heads.insert(led_by.clone(), head(0, 9));
    world.heads.insert(lags.clone(), head(0, 5));
    world.replicas.insert(lags.clone(), status(0, 5));
    world.replicas.insert(fed.clone(), opened(0));
    Fed {
        world,
        led_by,
        lags,
        fed,
    }
}

/// Another coordinator has come into office, while this server is away.
fn taken_over_without(away: &str, world: World) -> World {
    let mut world = world.restarted_alone();
    world.cut_off(away, &LIFE);
    start(&mut world);
    world.run_for(20_000);
    world
}

/// Of one that was opened only now.
fn opened(term: i64) -> ReplicaStatus {
    replica(term, ReplicaRole::Fenced)
}

#[test]
fn a_log_that_lags_behind_does_not_lead_with_one_of_which_nobody_knows_what_it_has() {
    let Fed {
        mut world,
        led_by,
        fed,
        ..
    } = self::fed();
    world.lose(&led_by, &LIFE);
    world.run_for(20_000);
    assert!(promotions(&world).is_empty(), "{:?}", promotions(&world));
    let said = blocked(&world);
    let name = |server: &str| server.split(':').next().unwrap().to_owned();
    let names = |reason: &String| reason.contains(&name(&led_by)) && reason.contains(&name(&fed));
    assert!(said.iter().any(names), "{said:?}");

    world.failing.clear();
    world.replicas.insert(led_by.clone(), opened(0));
    world.observe(&led_by, true);
    world.run_for(20_000);
    assert_eq!(promotions(&world).first().map(|it| &it.0), Some(&led_by));
}

#[test]
fn a_log_of_a_later_leader_leads_with_one_of_which_nobody_knows_what_it_has() {
    let Fed {
        mut world,
        led_by,
        lags,
        fed,
    } = self::fed();
    world.edit(SHARD, |shard| {
        shard.term = Term(1);
        shard.leader = None;
    });
    let mut world = world.restarted();
    world.heads.insert(lags.clone(), head(1, 5));
    world.replicas.insert(fed, opened(0));
    world.cut_off(&led_by, &LIFE);
    start(&mut world);
    world.run_for(20_000);
    assert_eq!(
        promotions(&world).first().map(|it| &it.0),
        Some(&lags),
        "{:?}",
        blocked(&world)
    );
}

/// As after a power failure: where a quorum of logs can't be had, as it has two such replicas.
#[test]
fn where_all_vote_one_of_them_has_fed_the_one_of_which_nobody_knows_what_it_has() {
    let Fed {
        mut world,
        led_by,
        lags,
        fed,
    } = self::fed();
    world.heads.remove(&lags);
    for server in [&led_by, &lags, &fed] {
        world.replicas.insert(server.clone(), opened(0));
    }
    world.edit(SHARD, |shard| shard.leader = None);
    let mut world = world.restarted_alone();
    start(&mut world);
    world.run_for(20_000);
    assert_eq!(promotions(&world).first().map(|it| &it.0), Some(&led_by));
}

/// The coordinator that began the election is gone, and remembers nothing.
#[test]
fn who_led_before_an_election_that_was_broken_off_leads_with_the_one_it_fed() {
    let Fed {
        mut world,
        led_by,
        lags,
        fed,
    } = self::fed();
    for server in [&led_by, &fed] {
        world.replicas.insert(server.clone(), opened(0));
        world.silent.insert((server.clone(), "NewTerm"));
    }
    world.lose(&lags, &LIFE);
    world.lose(&led_by, &LIFE);
    world.failing.clear();
    world.cut_off(&lags, &LIFE);
    world.observe(&led_by, true);
    world.run_for(1_000);
    let is_led = world
        .status()
        .shards()
        .all(|(_, _, it)| it.leader.is_some());
    assert!(!is_led, "no election has begun");
    let world = taken_over_without(&lags, world);
    assert_eq!(promotions(&world).first().map(|it| &it.0), Some(&led_by));
}

/// As a disk that is put back to an older copy would: the one who led last counts no more for that.
#[test]
fn who_led_last_does_not_lead_without_what_it_was_known_to_have_committed() {
    let Fed {
        mut world,
        led_by,
        lags,
        fed,
    } = self::fed();
    for server in [&led_by, &fed] {
        world.replicas.insert(server.clone(), opened(0));
    }
    world.edit(SHARD, |shard| {
        shard.leader = None;
        shard.last_leader = Some(LastLeader {
            term: Term(0),
            server: Some(ServerId(led_by.split(':').next().unwrap().into())),
            committed: 12,
        });
    });
    let world = taken_over_without(&lags, world);
    assert!(promotions(&world).is_empty(), "{:?}", promotions(&world));
    let said = blocked(&world);
    assert!(said.iter().any(|it| it.contains("up to 12")), "{said:?}");
}

/// A document that was put back knows of a leader, but not of the one that came after it.
#[test]
fn a_latest_log_that_lacks_what_was_committed_before_is_told_of_with_the_way_out() {
    let Fed {
        mut world,
        led_by,
        lags,
        fed,
    } = self::fed();
    world.edit(SHARD, |shard| {
        shard.status = ShardStatus::Election;
        shard.leader = None;
        shard.term = Term(1);
        shard.last_leader = Some(LastLeader {
            term: Term(1),
            server: None,
            committed: 11,
        });
    });
    let mut world = world.restarted_alone();
    for (server, term, last) in [(&led_by, 1, 12), (&lags, 2, 10), (&fed, 2, 10)] {
        world.heads.insert(server.clone(), head(term, last));
        let mut replica = replica(term, ReplicaRole::Fenced);
        replica.head_offset = last;
        world.replicas.insert(server.clone(), replica);
    }
    start(&mut world);
    world.run_for(20_000);
    assert!(promotions(&world).is_empty(), "{:?}", promotions(&world));
    let said = blocked(&world).join("\n");
    for part in [
        "committed up to 11 is not in the latest log",
        "ends with offset 10 of term 2",
        "accept-loss",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

/// Both were restarted; who led last is known by the document alone.
#[test]
fn who_led_last_leads_with_the_one_it_fed_though_nobody_knows_what_that_has() {
    let Fed {
        mut world,
        led_by,
        lags,
        fed,
    } = self::fed();
    for server in [&led_by, &fed] {
        world.replicas.insert(server.clone(), opened(0));
    }
    let world = taken_over_without(&lags, world);
    assert_eq!(promotions(&world).first().map(|it| &it.0), Some(&led_by));
}
