//! An exchange amid which nobody can be elected, whoever of the two is a member.

use super::exchanged::{configuration, shard};
use super::forgetting::blocked;
use super::kept::fence;
use super::{LIFE, SHARD, head};
use crate::call::EntryId;
use crate::cluster::{DataServerIdentity, ShardStatus};
use crate::scripted::World;
use crate::{Term, Timing};

/// s4 has come in the place of s1, s2 is away, and s1 and s3 have as much as this of what the last leader began
/// with, up to 29.
fn undecided(first: i64, third: i64, fourth: EntryId) -> World {
    let servers = configuration(&[1, 2, 3, 4]);
    let mut world = World::steady_with(Timing::default(), &servers, 1);
    let server = |at: u32| DataServerIdentity {
        name: Some(format!("s{at}").into()),
        public: format!("s{at}:6648").into(),
        internal: format!("s{at}:6649").into(),
    };
    world.edit(SHARD, |shard| {
        shard.beginnings = "0@none 4@0/29".parse().unwrap();
        shard.status = ShardStatus::Election;
        shard.term = Term(5);
        shard.leader = None;
        shard.ensemble = vec![server(2), server(3), server(4)];
        shard.removed_nodes = vec![server(1)];
    });
    let mut world = world.restarted();
    fence(&mut world, "s1:6649", 5, head(0, first));
    fence(&mut world, "s2:6649", 5, head(0, 29));
    fence(&mut world, "s3:6649", 5, head(0, third));
    fence(&mut world, "s4:6649", 5, fourth);
    world.cut_off("s2:6649", &LIFE);
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.settle();
    world.lose("s2:6649", &LIFE);
    world
}

#[test]
fn where_going_back_would_not_help_no_terms_are_raised_and_it_is_said_to_be_blocked() {
    let mut world = undecided(28, 28, EntryId::NONE);
    world.run_for(30_000);
    let term = shard(&world).term;
    assert_ne!(blocked(&world), Vec::<String>::new());
    world.run_for(200_000);
    assert_eq!((shard(&world).leader, shard(&world).term), (None, term));
    world.failing.clear();
    world.run_for(60_000);
    assert!(shard(&world).leader.is_some());
    assert_eq!(shard(&world).removed_nodes, []);
}

#[test]
fn where_it_helps_it_goes_back() {
    let mut world = undecided(29, 28, head(0, 20));
    world.run_for(60_000);
    let leader = shard(&world).leader.unwrap();
    assert_eq!(leader.id().to_string(), "s1");
}
