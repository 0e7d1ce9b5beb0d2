//! Replicas that are not open, and are needed.

use super::forgetting::fenced;
use super::{ALL, LIFE, SHARD, head, leader, others, promotions, start, stored};
use crate::call::CallErrorKind;
use crate::cluster::{DataServerIdentity, ShardStatus};
use crate::scripted::World;
use crate::{Effect, Term};

/// A shard that is to be elected, by another coordinator.
fn to_be_elected() -> (World, [String; 3]) {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (one, late) = others(&led_by);
    world.edit(SHARD, |shard| {
        shard.status = ShardStatus::Election;
        shard.leader = None;
        shard.term = Term(1);
    });
    let mut world = world.restarted();
    for server in ALL {
        world.bound.insert(server.to_owned());
    }
    (world, [led_by, one, late])
}

/// Two that are open can't lead each other; the third could.
#[test]
fn who_was_spared_is_turned_to_where_the_others_can_not_lead_each_other() {
    let (mut world, [led_by, one, spared]) = to_be_elected();
    world.closed.insert((spared.clone(), SHARD));
    for server in [&led_by, &one] {
        world
            .failing
            .insert((server.clone(), "BecomeLeader"), CallErrorKind::TimedOut);
    }
    start(&mut world);
    world.run_for(600_000);
    let tried: Vec<_> = promotions(&world)
        .into_iter()
        .map(|(by, call)| (by, call.follower_maps.len()))
        .collect();
    assert!(
        !fenced(&world, &spared).is_empty(),
        "{} promotions, each with one follower, and {spared} was never opened: {:?}",
        tried.len(),
        &tried[..6]
    );
}

#[test]
fn who_leads_and_whose_answer_was_lost_goes_on_in_the_same_term() {
    let (mut world, _) = to_be_elected();
    world.leading_unheard = ALL.map(str::to_owned).into();
    start(&mut world);
    world.run_for(5_000);
    let told: Vec<_> = promotions(&world).into_iter().map(|(by, _)| by).collect();
    assert_eq!(told, [leader(&world)]);
}

/// One that nodes were removed from may have all of its data on those.
#[test]
fn removed_nodes_are_not_spared() {
    let mut world = World::steady();
    let removed = |name: &str| DataServerIdentity {
        name: Some(name.into()),
        public: format!("{name}:6648").into(),
        internal: format!("{name}:6649").into(),
    };
    world.edit(SHARD, |shard| {
        shard.status = ShardStatus::Election;
        shard.leader = None;
        shard.term = Term(5);
        shard.removed_nodes.push(removed("s4"));
        shard.removed_nodes.push(removed("s5"));
    });
    let mut world = world.restarted();
    for server in ["s1:6649", "s4:6649", "s5:6649"] {
        world.heads.insert(server.to_owned(), head(0, 100));
    }
    world.heads.insert("s1:6649".to_owned(), head(0, 50));
    for server in ["s4:6649", "s5:6649"] {
        world.closed.insert((server.to_owned(), SHARD));
    }
    start(&mut world);
    world.run_for(20_000);
    assert_eq!(promotions(&world), [], "{:?}", stored(&world).leader);
}

/// One hangs while it is fenced; another one, that was opened and hung too, is restarted.
#[test]
fn one_that_comes_back_closed_is_opened_while_another_one_hangs() {
    let (mut world, [_, one, late]) = to_be_elected();
    world.closed.insert((late.clone(), SHARD));
    world.silent.insert((one.clone(), "NewTerm"));
    world.silent.insert((late.clone(), "NewTerm"));
    start(&mut world);
    world.run_for(3_000);
    assert_eq!(fenced(&world, &late), [Term::NEVER]);
    assert_eq!(fenced(&world, &one), [Term(2)]);
    world.silent.remove(&(late.clone(), "NewTerm"));
    world.lose(&late, &LIFE);
    world.run_for(1_000);
    world.failing.clear();
    world.observe(&late, true);
    // A call fails after 30 s.
    world.run_for(25_000);
    assert_eq!(promotions(&world).len(), 1, "{:?}", fenced(&world, &late));
}

/// A server out of reach for 0.7 s, as a coordinator takes over.
#[test]
fn a_short_break_at_a_take_over_is_no_cause_for_an_election() {
    let world = World::steady();
    let led_by = leader(&world);
    let mut world = world.restarted();
    for server in ALL {
        world.bound.insert(server.to_owned());
    }
    world.cut_off(&led_by, &LIFE);
    world.hang = Some(
        |effect| matches!(effect, Effect::WatchHealth { server, .. } if &*server.internal == "s1:6649" || &*server.internal == "s3:6649"),
    );
    start(&mut world);
    world.run_for(700);
    world.failing.clear();
    world.run_for(10_000);
    assert_eq!(promotions(&world).len(), 0);
}
