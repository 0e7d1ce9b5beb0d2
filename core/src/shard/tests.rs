//! A shard's life, seen from outside: which calls it makes, and when.

mod deleted;
mod disks;
mod exchanged;
mod fence;
mod forgetting;
mod given_up;
mod handed;
mod kept;
mod late;
mod left;
mod needed;
mod opened;
mod passed;
mod spared;
mod turns;
mod undecided;
mod unfenced;
mod unkind;
mod untold;

use std::collections::BTreeSet;

use crate::call::{BecomeLeader, Call, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus};
use crate::cluster::{ShardMetadata, ShardStatus};
use crate::scripted::{CONFIGURATION, World, name};
use crate::{Effect, Event, ShardId, Term};

const SHARD: ShardId = ShardId(0);
const ALL: [&str; 3] = ["s1:6649", "s2:6649", "s3:6649"];

fn head(term: i64, offset: i64) -> EntryId {
    EntryId {
        term: Term(term),
        offset,
    }
}

fn replica(term: i64, role: ReplicaRole) -> ReplicaStatus {
    ReplicaStatus {
        term: Term(term),
        role,
        head_offset: -1,
        commit_offset: -1,
    }
}

fn new_cluster() -> World {
    let mut world = World::new();
    world.configure(Some(CONFIGURATION));
    world
}

/// The coordinator wins, and does what there is to do.
fn start(world: &mut World) {
    world.configure(Some(CONFIGURATION));
    world.settle();
}

fn of_shard(call: &Call) -> bool {
    match call {
        Call::AddFollower(call) => call.shard == SHARD,
        Call::BecomeLeader(call) => call.shard == SHARD,
        Call::DeleteShard(call) => call.shard == SHARD,
        Call::GetStatus { shard } => *shard == SHARD,
        Call::NewTerm(call) => call.shard == SHARD,
        Call::Truncate(call) => call.shard == SHARD,
        Call::CheckHealth | Call::Handshake => false,
    }
}

/// Calls to the servers about [`SHARD`], in order: the kind, the server, and the call.
fn calls_of_shard(world: &World) -> Vec<(&'static str, String, Call)> {
    let calls = world.log.iter().filter_map(|effect| match effect {
        Effect::Call { server, call, .. } if of_shard(call) => {
            Some((name(call), server.internal.to_string(), call.clone()))
        }
        _ => None,
    });
    calls.collect()
}

fn promotions(world: &World) -> Vec<(String, BecomeLeader)> {
    let calls = calls_of_shard(world).into_iter();
    let promotions = calls.filter_map(|(_, server, call)| match call {
        Call::BecomeLeader(call) => Some((server, call)),
        _ => None,
    });
    promotions.collect()
}

fn count(world: &World, kind: &str) -> usize {
    calls_of_shard(world)
        .iter()
        .filter(|(found, _, _)| *found == kind)
        .count()
}

/// [`SHARD`], as stored.
fn stored(world: &World) -> ShardMetadata {
    let mut shards = world.status().shards();
    let found = shards.find(|(_, id, _)| *id == SHARD);
    ShardMetadata::clone(found.unwrap().2)
}

fn leader(world: &World) -> String {
    stored(world).leader.unwrap().internal.to_string()
}

/// The two servers that are not this one.
fn others(of: &str) -> (String, String) {
    let others: Vec<_> = ALL.into_iter().filter(|it| *it != of).collect();
    (others[0].to_owned(), others[1].to_owned())
}

#[test]
fn no_new_term_is_sent_before_its_term_is_stored() {
    let mut world = World::new();
    world.settle();
    world.hold_stores = true;
    world.configure(Some(CONFIGURATION));
    world.run_for(20_000);
    assert_eq!((world.held.len(), world.calls("NewTerm")), (1, 0));
}

#[test]
fn the_greatest_term_wins_and_then_the_greatest_offset() {
    let mut world = new_cluster();
    world.heads.insert("s1:6649".to_owned(), head(1, 10));
    world.heads.insert("s2:6649".to_owned(), head(2, 5));
    world.heads.insert("s3:6649".to_owned(), head(2, 4));
    world.settle();
    world.run_for(1_000);
    let (server, call) = promotions(&world).remove(0);
    assert_eq!((server.as_str(), call.replication_factor), ("s2:6649", 3));
    let followers: Vec<_> = call
        .follower_maps
        .iter()
        .map(|(server, head)| (&**server, *head))
        .collect();
    assert_eq!(
        followers,
        [("s1:6649", head(1, 10)), ("s3:6649", head(2, 4))]
    );
}

#[test]
fn among_equals_who_leads_the_fewest_shards_is_chosen() {
    let world = World::steady();
    let leaders: BTreeSet<_> = world
        .status()
        .shards()
        .map(|(_, _, shard)| shard.leader.clone().unwrap().id())
        .collect();
    assert_eq!(leaders.len(), 2);
}

#[test]
fn a_majority_is_enough_after_the_grace_and_the_late_one_is_added_in_the_same_term() {
    let mut world = new_cluster();
    world.failing.insert(
        ("s3:6649".to_owned(), "NewTerm"),
        CallErrorKind::Unreachable,
    );
    world.failing.insert(
        ("s3:6649".to_owned(), "GetStatus"),
        CallErrorKind::NotMember,
    );
    world.settle();
    world.run_for(2_000);
    assert_eq!(promotions(&world).len(), 1);
    assert_eq!(promotions(&world)[0].1.follower_maps.len(), 1);
    world.failing.clear();
    world.run_for(60_000);
    let added: Vec<_> = calls_of_shard(&world)
        .into_iter()
        .filter_map(|(_, server, call)| match call {
            Call::AddFollower(call) => Some((server, call.follower.to_string(), call.term)),
            _ => None,
        })
        .collect();
    assert_eq!(added, [(leader(&world), "s3:6649".to_owned(), Term(0))]);
    let (_, _, shard) = world.status().shards().next().unwrap();
    assert_eq!(shard.term, Term(0));
}

#[test]
fn a_member_that_hangs_holds_nobody_up_longer_than_the_grace() {
    let mut world = new_cluster();
    world.silent.insert(("s1:6649".to_owned(), "NewTerm"));
    world.settle();
    world.run_for(500);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_higher_term_at_a_member_is_jumped_over() {
    let mut world = World::steady();
    world.log.clear();
    for server in ALL {
        world
            .replicas
            .insert(server.to_owned(), replica(40, ReplicaRole::Fenced));
    }
    world.run_for(20_000);
    let (_, _, shard) = world.status().shards().next().unwrap();
    assert_eq!(shard.term, Term(41));
}

#[test]
fn a_failed_promotion_is_tried_again_in_a_new_term() {
    let mut world = new_cluster();
    for server in ALL {
        world
            .failing
            .insert((server.to_owned(), "BecomeLeader"), CallErrorKind::TimedOut);
    }
    world.settle();
    world.run_for(300);
    world.failing.clear();
    world.run_for(20_000);
    let terms: Vec<_> = promotions(&world)
        .iter()
        .map(|(_, call)| call.term)
        .collect();
    let unique: BTreeSet<_> = terms.iter().collect();
    assert!(terms.len() > 1 && terms.len() == unique.len(), "{terms:?}");
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_take_over_of_an_idle_cluster_elects_nobody_and_makes_sure_of_every_follower() {
    let mut world = World::steady().restarted();
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(5_000);
    assert_eq!((world.stores(), count(&world, "BecomeLeader")), (1, 0));
    // Two followers, fenced at the right term: each is fenced once more for its head, and added.
    assert_eq!(
        (count(&world, "NewTerm"), count(&world, "AddFollower")),
        (2, 2)
    );
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_take_over_elects_a_shard_whose_leader_does_not_lead() {
    let world = World::steady();
    let led_by = leader(&world);
    let mut world = world.restarted();
    world
        .replicas
        .insert(led_by, replica(0, ReplicaRole::Fenced));
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(5_000);
    assert_eq!(promotions(&world).len(), 1);
    let (_, _, shard) = world.status().shards().next().unwrap();
    assert_eq!(
        (shard.status, shard.term),
        (ShardStatus::SteadyState, Term(1))
    );
}

#[test]
fn one_lost_answer_at_take_over_is_no_cause_for_an_election() {
    let world = World::steady();
    let led_by = leader(&world);
    let mut world = world.restarted();
    world
        .failing
        .insert((led_by, "GetStatus"), CallErrorKind::TimedOut);
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(300);
    world.failing.clear();
    world.run_for(5_000);
    assert_eq!(world.calls("BecomeLeader"), 0);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn a_removed_node_that_has_more_than_any_member_comes_back_and_leads() {
    let mut world = World::steady();
    let removed = crate::cluster::DataServerIdentity {
        name: Some("s4".into()),
        public: "s4:6648".into(),
        internal: "s4:6649".into(),
    };
    let last = {
        let (_, document) = world.stored.as_mut().unwrap();
        let status = std::sync::Arc::make_mut(&mut document.status);
        let shard = status
            .namespaces
            .get_mut("default")
            .unwrap()
            .shards
            .get_mut(&SHARD)
            .unwrap();
        let shard = std::sync::Arc::make_mut(shard);
        shard.status = ShardStatus::Election;
        shard.leader = None;
        shard.removed_nodes.push(removed);
        shard.ensemble.last().unwrap().id()
    };
    let mut world = world.restarted();
    world.heads.insert("s4:6649".to_owned(), head(0, 100));
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(3_000);
    let led_by: Vec<_> = promotions(&world)
        .into_iter()
        .map(|(server, _)| server)
        .collect();
    assert_eq!(led_by, ["s4:6649"], "nobody else was told to lead");
    assert_eq!(leader(&world), "s4:6649");
    let (_, _, shard) = world.status().shards().next().unwrap();
    assert!(shard.removed_nodes.is_empty());
    let left: Vec<_> = shard
        .pending_delete_shard_nodes
        .iter()
        .map(|it| it.id())
        .collect();
    assert_eq!(left, [last], "the last of the ensemble made room");
}

#[test]
fn one_shard_that_can_not_be_elected_delays_no_other() {
    let mut world = World::new();
    world.hang = Some(
        |effect| matches!(effect, Effect::Call { call: Call::BecomeLeader(call), .. } if call.shard == SHARD),
    );
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(2_000);
    assert_eq!(world.machine.steady_shards(), Some((1, 2)));
}

#[test]
fn a_leader_that_becomes_unavailable_is_replaced_and_a_follower_is_not() {
    for (role, elections) in [("leader", 1), ("follower", 0)] {
        let mut world = World::steady();
        let led_by = leader(&world);
        let is_leader = |server: &&str| (**server == led_by) == (role == "leader");
        let other_leader = world
            .status()
            .shards()
            .nth(1)
            .unwrap()
            .2
            .leader
            .clone()
            .unwrap();
        let server = ["s1:6649", "s2:6649", "s3:6649"]
            .into_iter()
            .filter(is_leader)
            .find(|server| role == "leader" || **server != *other_leader.internal)
            .unwrap();
        for call in ["CheckHealth", "NewTerm", "Handshake", "GetStatus"] {
            world
                .failing
                .insert((server.to_owned(), call), CallErrorKind::Unreachable);
        }
        let (tenure, request) = (world.tenure(), *world.watches.get(server).unwrap());
        world.feed(Event::HealthObserved {
            tenure,
            request,
            serving: false,
        });
        world.run_for(5_000);
        assert_eq!(world.calls("BecomeLeader"), elections, "{role}");
        assert_eq!(world.machine.steady_shards(), Some((2, 2)), "{role}");
    }
}

#[test]
fn a_follower_that_its_leader_refuses_for_its_term_is_elected_with() {
    // Its leader was elected without it, and refuses it.
    let mut world = new_cluster();
    world
        .failing
        .insert(("s3:6649".to_owned(), "NewTerm"), CallErrorKind::Other);
    world.settle();
    world.run_for(400);
    let led_by = leader(&world);
    world.failing.clear();
    world
        .failing
        .insert((led_by, "AddFollower"), CallErrorKind::InvalidTerm);
    world.log.clear();
    world.run_for(25_000);
    assert_eq!(count(&world, "BecomeLeader"), 1);
}

/// Every call that tells whether a server lives.
const LIFE: [&str; 5] = [
    "CheckHealth",
    "Handshake",
    "GetStatus",
    "NewTerm",
    "BecomeLeader",
];

fn leader_of(world: &World, index: usize) -> String {
    let (_, _, shard) = world.status().shards().nth(index).unwrap();
    shard.leader.as_ref().unwrap().internal.to_string()
}

#[test]
fn among_equals_one_that_serves_is_chosen_before_one_that_says_it_does_not() {
    let mut world = World::steady();
    let (leaving, other) = (leader_of(&world, 0), leader_of(&world, 1));
    world.heads.insert(leaving.clone(), head(0, 9));
    world.heads.insert(other.clone(), head(0, 9));
    // It goes, but still answers.
    world.lose(&leaving, &["CheckHealth"]);
    world.run_for(1_000);
    assert_eq!(promotions(&world).len(), 1);
    assert_eq!(promotions(&world)[0].0, other);
}

#[test]
fn a_leader_elected_although_it_does_not_serve_is_replaced_once_it_is_gone() {
    let mut world = World::steady();
    let (leaving, other) = (leader_of(&world, 0), leader_of(&world, 1));
    world.heads.insert(leaving.clone(), head(0, 9));
    world.lose(&leaving, &["CheckHealth"]);
    world.run_for(1_000);
    assert_eq!(leader(&world), leaving);
    // What it led with is now on the others too; then it is gone.
    for server in ALL {
        world.heads.insert(server.to_owned(), head(0, 8));
    }
    world.heads.insert(other.clone(), head(0, 9));
    world.lose(&leaving, &LIFE);
    world.run_for(8_000);
    assert_eq!(leader(&world), other);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

/// A steady world in which the first shard's new leader waits to be stored.
fn recording() -> World {
    let mut world = World::steady();
    let led_by = leader(&world);
    world.hold_stores = true;
    world.lose(&led_by, &LIFE);
    world.release();
    world.run_for(50);
    assert_eq!((world.held.len(), promotions(&world).len()), (1, 1));
    world
}

#[test]
fn a_server_that_moves_during_an_election_is_stored_at_its_new_address() {
    let mut world = recording();
    let (_, call) = promotions(&world).remove(0);
    let moved = call.follower_maps.keys().next().unwrap();
    world.configure(Some(
        &CONFIGURATION.replace(&format!("'{moved}'"), "'moved:6649'"),
    ));
    world.hold_stores = false;
    world.release();
    world.run_for(10_000);
    for (_, _, shard) in world.status().shards() {
        assert_eq!(shard.status, ShardStatus::SteadyState);
        let mut members = shard.ensemble.iter();
        assert!(members.any(|member| &*member.internal == "moved:6649"));
    }
}

#[test]
fn a_member_at_its_leaders_own_address_is_no_second_leader() {
    let mut world = World::steady();
    world.edit(SHARD, |shard| {
        let address = shard.leader.as_ref().unwrap().internal.clone();
        let leader = shard.leader.clone();
        let twin = shard
            .ensemble
            .iter_mut()
            .find(|member| Some(&**member) != leader.as_ref());
        let twin = twin.unwrap();
        twin.name = Some("twin".into());
        twin.internal = address;
    });
    let mut world = world.restarted();
    world.configure(Some(CONFIGURATION));
    world.settle();
    // After that the twin, whom nobody has configured, is moved away.
    world.run_for(900);
    assert_eq!(promotions(&world).len(), 0);
}

#[test]
fn a_leader_that_is_no_member_is_replaced() {
    let mut world = World::steady();
    world.edit(SHARD, |shard| {
        let leader = shard.leader.as_mut().unwrap();
        leader.name = Some("s9".into());
        leader.internal = "s9:6649".into();
    });
    let mut world = world.restarted();
    world
        .failing
        .insert(("s9:6649".to_owned(), "GetStatus"), CallErrorKind::TimedOut);
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(20_000);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
    assert_eq!(promotions(&world).len(), 1);
}

#[test]
fn a_replica_that_reports_the_greatest_term_there_is_blocks_nothing() {
    let mut world = World::steady();
    let broken = replica(i64::MAX, ReplicaRole::Fenced);
    for server in ALL {
        world.replicas.insert(server.to_owned(), broken);
    }
    world.run_for(20_000);
    world.replicas.clear();
    world.run_for(20_000);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
    let (_, _, shard) = world.status().shards().next().unwrap();
    assert!(shard.term < Term(100), "{:?}", shard.term);
}

#[test]
fn a_follower_whose_term_keeps_rising_gets_fewer_and_fewer_elections() {
    let mut world = World::steady();
    world.failing.insert(
        ("s3:6649".to_owned(), "NewTerm"),
        CallErrorKind::InvalidTerm,
    );
    for term in 1..1_200 {
        let ahead = replica(term * 1_000, ReplicaRole::Fenced);
        world.replicas.insert("s3:6649".to_owned(), ahead);
        world.run_for(100);
    }
    let elections = count(&world, "BecomeLeader");
    assert!((2..60).contains(&elections), "{elections} in two minutes");
}
