//! What becomes of those that were still being fenced, or taken in, when their leader began to lead.

use super::forgetting::{fenced, status};
use super::late::speak;
use super::{ALL, LIFE, SHARD, calls_of_shard, head, promotions, replica};
use crate::call::{BecomeLeader, Call, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus};
use crate::scripted::{CONFIGURATION, World};
use crate::{Term, Timing};

/// The others are enough without it.
const LATE: &str = ALL[0];

/// Another coordinator is to come, and nobody leads. Every replica has the same log, and who is told to
/// lead leads.
fn leaderless(timing: Timing) -> World {
    let mut world = World::steady_with(timing, &configuration(), 1);
    for server in ALL {
        world.heads.insert(server.to_owned(), head(0, 5));
        world.replicas.insert(server.to_owned(), status(0, 5));
    }
    world.edit(SHARD, |shard| shard.leader = None);
    let mut world = world.restarted_alone();
    for server in ALL {
        let leads = ReplicaStatus {
            role: ReplicaRole::Leader,
            ..status(1, 5)
        };
        world.leading.insert(server.to_owned(), leads);
    }
    world
}

fn start(world: &mut World) {
    world.configure(Some(&configuration()));
    world.settle();
}

/// With one shard: the servers say the same of all.
fn configuration() -> String {
    CONFIGURATION.replace("initialShardCount: 2", "initialShardCount: 1")
}

/// One has more than it tells.
fn with_more(timing: Timing) -> World {
    let mut world = leaderless(timing);
    world.replicas.insert(LATE.to_owned(), status(0, 7));
    start(&mut world);
    world
}

/// Runs until somebody was asked this.
fn run_until(kind: &str, world: &mut World) {
    for _ in 0..20_000 {
        if calls_of_shard(world).iter().any(|(it, ..)| *it == kind) {
            return;
        }
        world.run_for(1);
    }
    panic!("no {kind}: {:#?}", calls_of_shard(world));
}

/// What this one was asked, from when somebody was told to lead on.
fn asked_since_promotion(world: &World, server: &str) -> Vec<&'static str> {
    let calls = calls_of_shard(world).into_iter();
    let calls = calls.skip_while(|(kind, ..)| *kind != "BecomeLeader");
    let calls = calls.filter(|(_, to, _)| to == server);
    calls.map(|(kind, ..)| kind).collect()
}

/// With what heads its leader was asked to take this one in.
fn added(world: &World, server: &str) -> Vec<EntryId> {
    let calls = calls_of_shard(world).into_iter();
    let added = calls.filter_map(|(_, _, call)| match call {
        Call::AddFollower(call) if *call.follower == *server => Some(call.head),
        _ => None,
    });
    added.collect()
}

#[test]
fn one_that_is_given_a_moment_when_its_leader_begins_is_given_all_of_it() {
    let mut timing = Timing::default();
    timing.sync = timing.grace * 4;
    let mut world = with_more(timing);
    world.run_for(5_000);
    assert_eq!(promotions(&world).len(), 1);
    let asked = asked_since_promotion(&world, LATE);
    assert_eq!(asked.first(), Some(&"NewTerm"), "{asked:?}");
    assert_eq!(added(&world, LATE), [head(0, 5)]);
}

/// Else what it acknowledges could be cut off.
#[test]
fn one_that_was_not_heard_of_since_it_was_to_be_cut_off_does_not_follow_in_that_term() {
    let mut world = with_more(Timing::default());
    world.silent.insert((LATE.to_owned(), "Truncate"));
    run_until("Truncate", &mut world);
    assert!(promotions(&world).is_empty());
    world.observe(LATE, false);
    world.run_for(1_000);
    assert_eq!(promotions(&world).len(), 1);
    world.silent.clear();
    world.observe(LATE, true);
    world.run_for(20_000);
    assert_eq!(promotions(&world).len(), 1);
    let asked = asked_since_promotion(&world, LATE);
    assert!(asked.contains(&"GetStatus"), "{asked:?}");
    assert!(!asked.contains(&"NewTerm"), "{asked:?}");
    assert_eq!(added(&world, LATE), []);
    world.run_for(120_000);
    let follows = |call: &BecomeLeader| call.follower_maps.contains_key(LATE);
    let last = promotions(&world).pop();
    assert!(last.is_some_and(|(to, call)| to == LATE || follows(&call)));
}

/// One was away when its leader was elected.
fn late() -> World {
    let mut world = leaderless(Timing::default());
    world.cut_off(LATE, &LIFE);
    start(&mut world);
    run_until("BecomeLeader", &mut world);
    world.run_for(5_000);
    assert_eq!(promotions(&world).len(), 1);
    world.log.clear();
    world.failing.clear();
    world
}

/// Its leader was asked to take it in, and nothing was heard of that. It follows.
fn unheard() -> World {
    let mut world = late();
    for server in ALL {
        let call = (server.to_owned(), "AddFollower");
        world.failing.insert(call, CallErrorKind::TimedOut);
    }
    world.observe(LATE, true);
    run_until("AddFollower", &mut world);
    world.failing.clear();
    let follows = ReplicaStatus {
        head_offset: 5,
        ..replica(1, ReplicaRole::Follower)
    };
    world.replicas.insert(LATE.to_owned(), follows);
    world
}

/// A `NewTerm` would end its stream.
#[test]
fn one_that_its_leader_may_have_taken_in_is_not_fenced_but_its_leader_asked() {
    let mut world = unheard();
    world.run_for(20_000);
    assert_eq!(added(&world, LATE), [head(0, 5), head(2, 5)]);
    assert_eq!(fenced(&world, LATE), [Term(1)]);
}

/// What it was asked first may yet come to its leader: then it feeds one that must not be fenced empty.
#[test]
fn one_that_its_leader_has_not_taken_in_yet_is_not_fenced_once_it_has_lost_its_disk() {
    let mut world = unheard();
    world
        .failing
        .insert((LATE.to_owned(), "NewTerm"), CallErrorKind::Unreachable);
    world.unfed.insert(LATE.to_owned());
    while added(&world, LATE).len() < 2 {
        world.run_for(1);
    }
    let before = fenced(&world, LATE).len();
    world.replicas.remove(LATE);
    world.forgetful.insert(LATE.to_owned());
    world.run_for(1_000);
    world.failing.clear();
    world.run_for(20_000);
    let (tried, since) = (fenced(&world, LATE), promotions(&world));
    assert!(!since.is_empty(), "{tried:?}");
    assert!(
        tried[before..].iter().all(|term| *term != Term(1)),
        "{tried:?}"
    );
}

/// What it is then may be less than it was when it was asked.
#[test]
fn one_that_its_leader_says_it_feeds_is_in_sync_by_what_it_says_after_that() {
    let mut world = unheard();
    while added(&world, LATE).len() < 2 {
        world.run_for(1);
    }
    world.run_for(10);
    let asked = calls_of_shard(&world);
    let after = asked.iter().rposition(|(kind, ..)| *kind == "AddFollower");
    let after: Vec<_> = asked[after.unwrap()..]
        .iter()
        .map(|(kind, ..)| *kind)
        .collect();
    assert_eq!(after, ["AddFollower", "GetStatus"]);
}

/// Its leader may have fed it meanwhile.
#[test]
fn one_that_refuses_to_be_cut_off_is_fenced_again_in_that_term() {
    let mut world = late();
    world.replicas.insert(LATE.to_owned(), status(0, 7));
    let call = (LATE.to_owned(), "Truncate");
    world.failing.insert(call, CallErrorKind::InvalidStatus);
    world.observe(LATE, true);
    run_until("Truncate", &mut world);
    world.failing.clear();
    world.run_for(20_000);
    assert_eq!(added(&world, LATE), [head(0, 5)]);
    assert!(promotions(&world).is_empty());
}

/// Long enough behind before it was taken in for an election, had that been for its leader to mend.
#[test]
fn how_long_one_was_kept_out_does_not_count_once_it_is_taken_in() {
    let mut world = late();
    world.heads.insert(LATE.to_owned(), head(0, 7));
    world.silent.insert((LATE.to_owned(), "Truncate"));
    world.replicas.insert(LATE.to_owned(), status(0, 9));
    world.observe(LATE, true);
    run_until("Truncate", &mut world);
    world.observe(LATE, false);
    world.silent.clear();
    world.observe(LATE, true);
    world.run_for(70_000);
    assert!(promotions(&world).is_empty());
    world.closed.insert((LATE.to_owned(), SHARD));
    world.replicas.insert(LATE.to_owned(), status(1, 7));
    world.run_for(60_000);
    assert!(!added(&world, LATE).is_empty());
    assert!(promotions(&world).is_empty());
}

/// A cut of which nothing was heard came late.
#[test]
fn one_that_has_less_than_it_told_once_it_follows_is_fenced_once_more() {
    let mut world = late();
    let follows = ReplicaStatus {
        head_offset: 3,
        ..replica(1, ReplicaRole::Follower)
    };
    world
        .failing
        .insert((LATE.to_owned(), "GetStatus"), CallErrorKind::TimedOut);
    world.observe(LATE, true);
    world.run_for(1_000);
    world.failing.clear();
    world.replicas.insert(LATE.to_owned(), follows);
    world.run_for(20_000);
    assert!(fenced(&world, LATE).len() > 1, "{:?}", fenced(&world, LATE));
}

/// Its server was replaced by another cluster's while it was given a moment.
#[test]
fn nothing_more_is_asked_of_one_that_turns_out_to_be_another_clusters() {
    let mut timing = Timing::default();
    timing.sync = timing.grace * 40;
    let mut world = with_more(timing);
    run_until("BecomeLeader", &mut world);
    world.mismatched.insert(LATE.to_owned());
    world.observe(LATE, false);
    world.log.clear();
    world.run_for(20_000);
    let asked = calls_of_shard(&world);
    let asked: Vec<_> = asked.iter().filter(|(_, to, _)| to == LATE).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

/// The cut was on its way when its server was replaced, and may yet come to it once it is back.
#[test]
fn one_that_was_to_be_cut_off_before_another_clusters_server_was_there_does_not_follow_in_that_term()
 {
    let mut world = late();
    world.replicas.insert(LATE.to_owned(), status(0, 7));
    let cut = (LATE.to_owned(), "Truncate");
    world.silent.insert(cut.clone());
    world.observe(LATE, true);
    run_until("Truncate", &mut world);
    world.mismatched.insert(LATE.to_owned());
    world.observe(LATE, false);
    world.observe(LATE, true);
    world.run_for(1_000);
    world.failing.insert(cut, CallErrorKind::TimedOut);
    speak(&mut world, LATE, "Truncate");
    world.failing.clear();
    world.mismatched.clear();
    world.log.clear();
    world.run_for(20_000);
    let asked = calls_of_shard(&world);
    let asked: Vec<_> = asked.iter().filter(|(_, to, _)| to == LATE).collect();
    assert!(!asked.is_empty(), "it is back");
    assert!(fenced(&world, LATE).is_empty(), "{asked:?}");
    assert_eq!(added(&world, LATE), []);
}
