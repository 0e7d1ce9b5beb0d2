//! Replicas that have lost their disks, and such as were fed by a snapshot: who votes, who leads.

use super::{ALL, LIFE, SHARD, calls_of_shard, head, leader, others, promotions, replica, stored};
use crate::call::{Call, CallErrorKind, ReplicaRole, ReplicaStatus};
use crate::cluster::ShardStatus;
use crate::scripted::{CONFIGURATION, World};
use crate::{Effect, Report, ShardId, Term};

/// A steady world in which the leader of [`SHARD`] is gone: its two followers.
fn leaderless(prepare: impl FnOnce(&mut World, &str, &str)) -> (World, String, String, String) {
    let mut world = World::steady();
    let gone = leader(&world);
    let (one, other) = others(&gone);
    prepare(&mut world, &one, &other);
    world.lose(&gone, &LIFE);
    world.run_for(10_000);
    (world, gone, one, other)
}

pub(super) fn status(term: i64, commit_offset: i64) -> ReplicaStatus {
    ReplicaStatus {
        head_offset: commit_offset,
        commit_offset,
        ..replica(term, ReplicaRole::Follower)
    }
}

pub(super) fn term(world: &World) -> Term {
    stored(world).term
}

pub(super) fn blocked(world: &World) -> Vec<String> {
    let blocked = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::ShardBlocked { shard, reason, .. }) if *shard == SHARD => {
            Some(reason.clone())
        }
        _ => None,
    });
    blocked.collect()
}

pub(super) fn fenced(world: &World, server: &str) -> Vec<Term> {
    let calls = calls_of_shard(world).into_iter();
    let fenced = calls.filter_map(|(_, to, call)| match call {
        Call::NewTerm(call) if to == server => Some(call.term),
        _ => None,
    });
    fenced.collect()
}

#[test]
fn who_has_forgotten_does_not_vote_and_the_shard_says_whom_it_waits_for() {
    let (mut world, gone, forgetful, _) = leaderless(|world, one, _| {
        world.forgetful.insert(one.to_owned());
    });
    assert_eq!((promotions(&world).len(), term(&world)), (0, Term(0)));
    assert_eq!(fenced(&world, &forgetful).iter().max(), Some(&Term::NEVER));
    let said = blocked(&world);
    let name = |server: &str| server.split(':').next().unwrap().to_owned();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains(&format!("{} of its 3 replicas lost", name(&forgetful))));
    assert!(
        said[0].contains(&format!("waits for {}", name(&gone))),
        "{said:?}"
    );
    // The third is back.
    world.failing.clear();
    world.observe(&gone, true);
    world.run_for(1_000);
    let (led_by, call) = promotions(&world).remove(0);
    assert_ne!(led_by, forgetful);
    assert!(!call.follower_maps.contains_key(forgetful.as_str()));
}

#[test]
fn nothing_is_stored_while_too_few_remember() {
    let (mut world, ..) = leaderless(|world, one, _| {
        world.forgetful.insert(one.to_owned());
    });
    world.log.clear();
    world.run_for(10 * 60_000);
    let elections = |effect: &&Effect| matches!(effect, Effect::Store { .. });
    assert_eq!(world.log.iter().filter(elections).count(), 0);
    assert_eq!((blocked(&world).len(), term(&world)), (0, Term(0)));
}

#[test]
fn who_has_forgotten_is_taken_in_only_after_a_leader_is_stored_that_was_elected_without_it() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let lost = ALL.into_iter().find(|it| **it != *led_by).unwrap();
    world.forgetful.insert(lost.to_owned());
    world.hold_stores = true;
    world.lose(&led_by, &["CheckHealth"]);
    world.run_for(200);
    world.release(); // the term
    world.run_for(200);
    assert_eq!(promotions(&world).len(), 1);
    assert_eq!(fenced(&world, lost), []);
    world.hold_stores = false;
    world.release(); // the leader
    world.run_for(3_000);
    assert_eq!(fenced(&world, lost).last(), Some(&Term(1)));
    let added = |(_, _, call): &(_, _, Call)| matches!(call, Call::AddFollower(call) if *call.follower == *lost);
    assert!(calls_of_shard(&world).iter().any(added));
}

#[test]
fn a_replica_that_is_not_open_votes_if_it_was_ever_fenced() {
    let mut world = World::steady();
    let gone = leader(&world);
    let closed = ALL.into_iter().find(|it| **it != *gone).unwrap();
    world
        .failing
        .insert((closed.to_owned(), "GetStatus"), CallErrorKind::NotMember);
    world.silent.insert((closed.to_owned(), "NewTerm"));
    world.lose(&gone, &LIFE);
    world.run_for(500);
    assert_eq!(fenced(&world, closed), [Term::NEVER]);
    // What it answers opens it.
    world.failing.remove(&(closed.to_owned(), "GetStatus"));
    world.silent.clear();
    world.observe(closed, false);
    world.observe(closed, true);
    world.run_for(5_000);
    assert_ne!(leader(&world), gone);
    assert!(fenced(&world, closed).contains(&Term(1)));
}

#[test]
fn members_of_a_shard_that_was_never_led_need_not_remember() {
    let mut world = World::new();
    for server in ALL {
        world.silent.insert((server.to_owned(), "BecomeLeader"));
    }
    world.configure(Some(CONFIGURATION));
    world.settle();
    // The first attempts fail.
    world.run_for(40_000);
    let mut world = world.restarted();
    let shard = stored(&world);
    assert!(!shard.was_led());
    world.forgetful.extend(ALL.map(str::to_owned));
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(10_000);
    assert_eq!(world.machine.steady_shards(), Some((2, 2)));
}

#[test]
fn attempts_to_elect_a_new_shard_leave_it_one_that_was_never_led() {
    let mut world = World::new();
    for server in ALL {
        world
            .failing
            .insert((server.to_owned(), "BecomeLeader"), CallErrorKind::Other);
    }
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(20_000);
    let shard = stored(&world);
    assert!(shard.term > Term(0));
    assert_eq!(shard.status, ShardStatus::Unknown);
    world.failing.clear();
    world.run_for(60_000);
    let shard = stored(&world);
    assert_eq!(
        (shard.status, shard.was_led()),
        (ShardStatus::SteadyState, true)
    );
}

#[test]
fn a_vote_of_a_server_that_loses_its_disk_while_votes_are_counted_is_void() {
    let mut world = World::steady();
    let gone = leader(&world);
    let (voted, slow) = others(&gone);
    let (voted, slow) = (voted.as_str(), slow.as_str());
    world.silent.insert((slow.to_owned(), "NewTerm"));
    world.lose(&gone, &LIFE);
    world.run_for(100);
    assert_eq!(fenced(&world, voted), [Term(1)]);
    // It comes back without its data, unbound, before the other one votes.
    world.observe(voted, false);
    world.bound.remove(voted);
    world.forgetful.insert(voted.to_owned());
    world.observe(voted, true);
    world.run_for(100);
    world.silent.clear();
    world.observe(slow, false);
    world.observe(slow, true);
    world.run_for(20_000);
    assert_eq!(promotions(&world).len(), 0);
    assert!(!blocked(&world).is_empty());
}

#[test]
fn one_that_was_fed_by_a_snapshot_neither_leads_nor_lets_one_lead_that_is_behind() {
    // `one` has everything up to 30, and no log: it would write from offset 0 again. `other` has a
    // log up to 20.
    let (mut world, gone, one, _) = leaderless(|world, one, other| {
        world.replicas.insert(one.to_owned(), status(0, 30));
        world.replicas.insert(other.to_owned(), status(0, 20));
        world.heads.insert(other.to_owned(), head(0, 20));
    });
    assert_eq!(promotions(&world).len(), 0);
    let name = one.split(':').next().unwrap();
    let said = blocked(&world);
    assert!(
        said[0].contains(&format!("{name} has more in its database than in its log")),
        "{said:?}"
    );
    world.failing.clear();
    world.heads.insert(gone.clone(), head(0, 30));
    world.observe(&gone, true);
    world.run_for(60_000);
    let (led_by, call) = promotions(&world).remove(0);
    assert_eq!(led_by, gone);
    assert_eq!(call.follower_maps.get(one.as_str()), Some(&head(0, 30)));
}

#[test]
fn a_round_in_which_nobody_could_be_chosen_is_repeated_only_with_others() {
    let (mut world, gone, ..) = leaderless(|world, one, other| {
        world.replicas.insert(one.to_owned(), status(0, 30));
        world.replicas.insert(other.to_owned(), status(0, 30));
    });
    assert_eq!((promotions(&world).len(), term(&world)), (0, Term(1)));
    world.run_for(4 * 60_000);
    assert_eq!((blocked(&world).len(), term(&world)), (1, Term(1)));
    world.failing.clear();
    world.heads.insert(gone.clone(), head(0, 30));
    world.observe(&gone, true);
    world.run_for(10_000);
    assert_eq!(leader(&world), gone);
}

#[test]
fn one_without_a_log_leads_once_it_has_shown_that_it_has_nothing_else() {
    let (world, gone, ..) = leaderless(|_, _, _| {});
    let (led_by, _) = promotions(&world).remove(0);
    let calls = calls_of_shard(&world);
    let led = calls.iter().position(|(kind, ..)| *kind == "BecomeLeader");
    let after = calls.iter().skip(led.unwrap() + 1);
    let mut asked = after.filter(|(kind, server, _)| *kind == "GetStatus" && *server == led_by);
    assert!(asked.next().is_some());
    assert_ne!(leader(&world), gone);
}

#[test]
fn one_without_a_log_that_turns_out_to_have_more_is_never_stored_as_the_leader() {
    let mut world = World::steady();
    let gone = leader(&world);
    // Opened by the question whether they were ever fenced, both say nothing of what they have.
    let opened = ReplicaStatus {
        head_offset: -1,
        commit_offset: -1,
        ..replica(0, ReplicaRole::Fenced)
    };
    let others: Vec<&str> = ALL.into_iter().filter(|it| **it != *gone).collect();
    for server in &others {
        world.replicas.insert((*server).to_owned(), opened);
    }
    // Each tells it once it leads.
    let fed = ReplicaStatus {
        commit_offset: 30,
        ..opened
    };
    for server in &others {
        world.leading.insert((*server).to_owned(), fed);
    }
    world.lose(&gone, &LIFE);
    world.run_for(120_000);
    assert!(!promotions(&world).is_empty());
    assert!(
        promotions(&world).len() <= 2,
        "one of each is enough to know"
    );
    let shard = stored(&world);
    assert!(
        shard.leader.as_ref().is_none_or(|it| *it.internal == *gone),
        "{shard:?}"
    );
}

#[test]
fn nothing_is_stored_while_a_majority_would_refuse_every_term_that_can_be_sent() {
    let (world, ..) = leaderless(|world, one, _| {
        let broken = replica(1 << 40, ReplicaRole::Fenced);
        world.replicas.insert(one.to_owned(), broken);
    });
    assert_eq!((promotions(&world).len(), term(&world)), (0, Term(0)));
}

#[test]
fn one_whose_log_was_truncated_below_its_database_does_not_lead() {
    let (world, gone, cut, _) = leaderless(|world, one, other| {
        for (server, commit_offset) in [(one, 30), (other, 10)] {
            let fenced = ReplicaStatus {
                commit_offset,
                ..status(0, 20)
            };
            world.replicas.insert(server.to_owned(), fenced);
        }
        world.heads.insert(one.to_owned(), head(0, 20));
        world.heads.insert(other.to_owned(), head(0, 20));
    });
    assert!(promotions(&world).iter().all(|(led_by, _)| *led_by != cut));
    assert_ne!(leader(&world), gone);
}

#[test]
fn one_without_a_log_that_leads_no_more_when_it_is_asked_is_never_stored_as_the_leader() {
    for (role, its_term) in [(ReplicaRole::Fenced, 1), (ReplicaRole::Leader, 7)] {
        let mut world = World::steady();
        let gone = leader(&world);
        for server in ALL {
            let deposed = replica(its_term, role);
            world.leading.insert(server.to_owned(), deposed);
        }
        world.lose(&gone, &LIFE);
        world.run_for(3_000);
        assert!(!promotions(&world).is_empty());
        assert_eq!(stored(&world).leader, None, "{role:?} in term {its_term}");
    }
}

/// What whoever is to lead may answer where a follower's log, or its server, is at fault.
const UNEXPLAINED: [CallErrorKind; 4] = [
    CallErrorKind::InvalidTerm,
    CallErrorKind::Other,
    CallErrorKind::TimedOut,
    CallErrorKind::Unreachable,
];

/// Nobody can be made leader, and does not say why; and who leads now.
fn unpromotable(kind: CallErrorKind) -> (World, String) {
    let mut world = World::steady();
    let led_by = leader(&world);
    for server in ALL {
        world
            .failing
            .insert((server.to_owned(), "BecomeLeader"), kind);
    }
    (world, led_by)
}

#[test]
fn a_member_without_which_the_chosen_one_can_lead_is_left_out_where_it_could_not_with_all() {
    for kind in UNEXPLAINED {
        let (mut world, gone) = unpromotable(kind);
        world
            .replicas
            .insert(gone.clone(), replica(0, ReplicaRole::Fenced));
        world.observe(&gone, false);
        world.observe(&gone, true);
        world.run_for(60_000);
        let told: Vec<_> = promotions(&world)
            .into_iter()
            .map(|(_, call)| call.follower_maps.into_keys().collect::<Vec<_>>())
            .collect();
        assert_eq!(told[0].len(), 2, "{kind:?}");
        assert_eq!((told[1].len(), told[2].len()), (1, 1), "{kind:?} {told:?}");
        assert_ne!(told[1], told[2], "{kind:?}");
    }
}

#[test]
fn a_shard_that_nobody_can_lead_again_and_again_is_told_of_once() {
    for kind in UNEXPLAINED {
        let (mut world, gone) = unpromotable(kind);
        world.lose(&gone, &LIFE);
        world.run_for(120_000);
        assert!(promotions(&world).len() > 6, "{kind:?}");
        let said = blocked(&world);
        assert_eq!(said.len(), 1, "{kind:?} {said:?}");
        assert!(
            said[0].contains("nobody could be made leader 6 times"),
            "{said:?}"
        );
    }
}

#[test]
fn one_with_a_log_leads_one_that_was_fed_by_a_snapshot_and_knows_what_that_one_has() {
    let (world, _, one, other) = leaderless(|world, one, other| {
        world.replicas.insert(one.to_owned(), status(0, 30));
        world.replicas.insert(other.to_owned(), status(0, 31));
        world.heads.insert(other.to_owned(), head(0, 31));
    });
    let (led_by, call) = promotions(&world).remove(0);
    assert_eq!(led_by, other);
    assert_eq!(call.follower_maps.get(one.as_str()), Some(&head(0, 30)));
}

#[test]
fn where_neither_is_known_to_have_what_the_other_has_the_third_is_waited_for() {
    // The log of `other` is longer, but of an earlier term, and known to be committed up to 20 only.
    let (mut world, gone, _, other) = leaderless(|world, one, other| {
        world.replicas.insert(one.to_owned(), status(3, 30));
        world.replicas.insert(other.to_owned(), status(3, 20));
        world.heads.insert(other.to_owned(), head(2, 35));
        world.edit(SHARD, |shard| shard.term = Term(3));
    });
    assert_eq!(promotions(&world).len(), 0);
    assert!(!blocked(&world).is_empty());
    world.failing.clear();
    world.replicas.insert(gone.clone(), status(3, 35));
    world.heads.insert(gone.clone(), head(3, 36));
    world.observe(&gone, true);
    world.run_for(60_000);
    let (led_by, call) = promotions(&world).remove(0);
    assert_eq!(led_by, gone);
    assert_eq!(call.follower_maps.get(other.as_str()), Some(&head(2, 35)));
}

#[test]
fn a_leader_of_one_replica_whose_disk_is_lost_is_not_replaced_by_its_empty_self() {
    let mut world = World::new();
    let one = CONFIGURATION.replace("replicationFactor: 3", "replicationFactor: 1");
    world.configure(Some(&one));
    world.settle();
    world.run_for(3_000);
    world.log.clear();
    let (_, id, _) = world.status().shards().next().unwrap();
    assert_eq!(id, ShardId(0));
    let led_by = leader(&world);
    world.lose(&led_by, &["CheckHealth"]);
    world.bound.remove(&led_by);
    world.forgetful.insert(led_by.clone());
    world.failing.clear();
    world.run_for(30_000);
    assert_eq!(promotions(&world).len(), 0);
    let said = blocked(&world);
    assert!(said[0].contains("has data: all have lost it"), "{said:?}");
}
