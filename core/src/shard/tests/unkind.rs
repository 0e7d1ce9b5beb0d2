//! Faults of data servers, one after the other: emptied disks, lost answers, nonsense, silence.

use super::forgetting::blocked;
use super::{ALL, LIFE, SHARD, head, leader, of_shard, others, promotions, replica, stored};
use crate::call::{Call, CallErrorKind, ReplicaRole};
use crate::scripted::{CONFIGURATION, World, name};
use crate::{Effect, Report, Term};

fn follower(world: &World) -> String {
    let led_by = leader(world);
    (*ALL.iter().find(|it| **it != led_by).unwrap()).to_owned()
}

fn count(world: &World, kind: &str, server: &str) -> usize {
    let asked = |effect: &&Effect| {
        matches!(effect, Effect::Call { call, server: to, .. }
            if name(call) == kind && &*to.internal == server && of_shard(call))
    };
    world.log.iter().filter(asked).count()
}

#[test]
fn a_follower_without_the_shard_is_not_fenced_in_a_term_in_which_its_leader_feeds_it_already() {
    let mut world = World::steady();
    let leads: Vec<String> = world
        .status()
        .shards()
        .map(|(_, _, it)| it.leader.as_ref().unwrap().internal.to_string())
        .collect();
    let lost = (*ALL
        .iter()
        .find(|it| !leads.contains(&(**it).to_owned()))
        .unwrap())
    .to_owned();
    world.forgetful.insert(lost.clone());
    world.run_for(20_000); // the sweep, one lease after taking office
    let fenced = |effect: &&Effect| {
        matches!(effect, Effect::Call { call: Call::NewTerm(call), server, .. }
            if call.term == Term(0) && *server.internal == *lost)
    };
    let new_terms = world.log.iter().filter(fenced).count();
    let elections = world.calls("BecomeLeader");
    assert!(
        new_terms == 0 && elections > 0,
        "NewTerm in the leader's own term: {new_terms}, elections: {elections}"
    );
}

#[test]
fn a_follower_that_its_leader_did_not_take_is_added_again() {
    let mut world = World::new();
    world.configure(Some(CONFIGURATION));
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
    let led_by = leader(&world);
    // It is back; the leader truncates it, but does not hear that it did.
    world.failing.clear();
    world
        .failing
        .insert((led_by.clone(), "AddFollower"), CallErrorKind::Other);
    world.run_for(3_000);
    world
        .replicas
        .insert("s3:6649".to_owned(), replica(0, ReplicaRole::Follower));
    let tried = count(&world, "AddFollower", &led_by);
    assert!(tried > 0);
    world.failing.clear();
    world.run_for(20 * 60_000);
    assert!(
        count(&world, "AddFollower", &led_by) > tried,
        "not tried again in 20 minutes, nor elected: {}",
        world.calls("BecomeLeader")
    );
}

#[test]
fn a_term_in_which_somebody_leads_already_is_not_led_in_twice() {
    let world = World::steady();
    let mut world = world.restarted();
    // An older copy of the document comes back, from the middle of an election (term -1 -> 0 here);
    // the data servers are in term 5 already, led by s1.
    world.edit(SHARD, |shard| {
        shard.status = crate::cluster::ShardStatus::Election;
        shard.leader = None;
        shard.term = Term(4);
    });
    world.failing.insert(
        ("s1:6649".to_owned(), "NewTerm"),
        CallErrorKind::InvalidStatus,
    );
    world
        .replicas
        .insert("s1:6649".to_owned(), replica(5, ReplicaRole::Leader));
    world.configure(Some(CONFIGURATION));
    world.settle();
    world.run_for(10_000);
    let second = world.log.iter().find_map(|effect| match effect {
        Effect::Call {
            call: Call::BecomeLeader(call),
            server,
            ..
        } if call.shard == SHARD && call.term == Term(5) => Some(server.internal.to_string()),
        _ => None,
    });
    assert_eq!(second, None, "a second leader in term 5, beside s1");
}

#[test]
fn a_leader_that_can_not_be_verified_is_replaced_though_its_server_is_healthy() {
    for kind in [
        CallErrorKind::TimedOut,
        CallErrorKind::Other,
        CallErrorKind::NotInitialized,
    ] {
        let world = World::steady();
        let led_by = leader(&world);
        let mut world = world.restarted();
        world.failing.insert((led_by.clone(), "GetStatus"), kind);
        if kind == CallErrorKind::NotInitialized {
            for call in ["NewTerm", "BecomeLeader", "AddFollower"] {
                world.failing.insert((led_by.clone(), call), kind);
            }
        }
        world.configure(Some(CONFIGURATION));
        world.settle();
        world.run_for(60 * 60_000);
        let (steady, all) = world.machine.steady_shards().unwrap();
        assert_eq!(steady, all, "{kind:?}");
    }
}

#[test]
fn a_majority_that_is_back_is_not_kept_waiting_by_a_member_known_to_be_away() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let others: Vec<&str> = ALL.into_iter().filter(|it| **it != *led_by).collect();
    let down = others[0];
    // The leader's machine is gone without a word; another member is being restarted.
    for call in LIFE {
        world.silent.insert((led_by.clone(), call));
    }
    world.cut_off(down, &LIFE);
    world.observe(down, false);
    world.observe(&led_by, false);
    world.run_for(6_000);
    world.failing.clear();
    world.log.clear();
    let back = world.now;
    world.run_for(25_000);
    let shard = world.status().shards().find(|(_, id, _)| *id == SHARD);
    assert!(
        shard.unwrap().2.leader.is_some(),
        "no leader {:?} after a majority was back",
        world.now.since(back)
    );
}

#[test]
fn one_replica_with_a_nonsense_term_does_not_end_its_shard() {
    let mut world = World::steady();
    let broken = follower(&world);
    world
        .replicas
        .insert(broken, replica(i64::MAX - 1, ReplicaRole::Fenced));
    world.run_for(20_000);
    world.replicas.clear();
    // Later the leader dies.
    let led_by = leader(&world);
    world.lose(&led_by, &LIFE);
    world.run_for(60_000);
    let shard = stored(&world);
    assert!(shard.leader.is_some_and(|it| *it.internal != *led_by));
}

#[test]
fn a_promotion_that_can_not_reach_a_quorum_is_given_up() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let others: Vec<&str> = ALL.into_iter().filter(|it| **it != *led_by).collect();
    for server in ALL {
        world.silent.insert((server.to_owned(), "BecomeLeader"));
    }
    let life = ["CheckHealth", "Handshake", "GetStatus", "NewTerm"];
    world.lose(&led_by, &life);
    world.run_for(1_000);
    let (chosen, _) = promotions(&world).remove(0);
    let fed = others.iter().find(|it| ***it != *chosen).unwrap();
    // The only follower dies; the old leader is back.
    world.failing.clear();
    world.lose(fed, &life);
    world.observe(&led_by, true);
    world.silent.clear();
    world.run_for(25_000);
    let shard = stored(&world);
    assert!(
        shard.leader.is_some(),
        "waits for a quorum of one dead follower: {shard:?}"
    );
}

#[test]
fn a_follower_that_has_lost_its_disk_is_elected_with_and_never_fenced_before() {
    let mut world = World::steady();
    let lost = follower(&world);
    let mut status = replica(-1, ReplicaRole::NotMember);
    status.head_offset = -1;
    world.replicas.insert(lost.clone(), status);
    world.run_for(16_000); // The sweep, one lease after taking office.
    let fenced = world.log.iter().filter_map(|effect| match effect {
        Effect::Call { call, server, .. } if of_shard(call) => match call {
            Call::NewTerm(call) if *server.internal == *lost => Some(call.term),
            _ => None,
        },
        _ => None,
    });
    let fenced: Vec<Term> = fenced.collect();
    assert!(!fenced.is_empty(), "it is never taken in again");
    assert!(fenced.iter().all(|term| *term > Term(0)), "{fenced:?}");
}

#[test]
fn a_follower_whose_server_comes_back_unbound_is_looked_at_at_once() {
    let mut world = World::steady();
    let lost = follower(&world);
    world.lose(&lost, &["CheckHealth"]);
    world.run_for(5_000);
    world.failing.clear();
    // Its disk was replaced.
    world.bound.remove(&lost);
    world.log.clear();
    world.run_for(2_000);
    assert_eq!(count(&world, "GetStatus", &lost), 1);
}

/// Why elections of [`SHARD`] failed, in order.
fn failures(world: &World) -> Vec<&str> {
    let reasons = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::ElectionFailed { shard, reason, .. }) if *shard == SHARD => {
            Some(reason.as_str())
        }
        _ => None,
    });
    reasons.collect()
}

/// The leader forgets that it leads.
fn depose(world: &mut World, led_by: &str) {
    let fenced = replica(0, ReplicaRole::Fenced);
    world.replicas.insert(led_by.to_owned(), fenced);
    world.break_watch(led_by);
}

/// The ids of servers at these addresses, in order, with what is said of each.
fn listed(said: [(&str, &str); 2]) -> String {
    let mut said = said.map(|(server, why)| format!("{}: {why}", server.replace(":6649", "")));
    said.sort();
    said.join("; ")
}

#[test]
fn a_round_that_fails_names_each_that_was_not_fenced_once_and_how_many_were() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (one, other) = others(&led_by);
    for member in [&one, &other] {
        let call = (member.clone(), "NewTerm");
        world.failing.insert(call, CallErrorKind::Refused);
    }
    depose(&mut world, &led_by);
    world.run_for(1_000);
    let why = "Refused: told to fail";
    let said = listed([(&one, why), (&other, why)]);
    let said = format!("no majority was fenced (1 of 3): {said}");
    assert_eq!(failures(&world).first(), Some(&said.as_str()));
}

#[test]
fn a_round_that_fails_names_whoever_was_away_beside_whoever_failed() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (away, fails) = others(&led_by);
    world.lose(&away, &LIFE);
    world.run_for(5_000);
    let call = (fails.clone(), "NewTerm");
    world.failing.insert(call, CallErrorKind::TimedOut);
    depose(&mut world, &led_by);
    world.run_for(1_000);
    let said = listed([
        (&away, "it is unavailable"),
        (&fails, "TimedOut: told to fail"),
    ]);
    let said = format!("no majority was fenced (1 of 3): {said}");
    assert_eq!(failures(&world).first(), Some(&said.as_str()));
}

#[test]
fn a_leader_to_be_whose_followers_go_away_is_given_up_with_the_names_of_both() {
    let mut world = World::steady();
    let led_by = leader(&world);
    for member in ALL {
        world.silent.insert((member.to_owned(), "BecomeLeader"));
    }
    world.log.clear();
    depose(&mut world, &led_by);
    world.run_for(1_000);
    let (chosen, _) = promotions(&world).last().unwrap().clone();
    let (first, second) = others(&chosen);
    world.lose(&first, &LIFE);
    world.run_for(1_000);
    assert_eq!(failures(&world), [""; 0]);
    world.lose(&second, &LIFE);
    let said = listed([
        (&first, "it was not there before"),
        (&second, "it is unavailable: it answers NOT_SERVING"),
    ]);
    let chosen = chosen.replace(":6649", "");
    let said = format!("{chosen} has no majority to lead (1 of 3): {said}");
    assert_eq!(failures(&world), [said.as_str()]);
}

#[test]
fn a_shard_that_is_led_but_can_not_be_written_to_says_once_whom_it_waits_for() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (empty, away) = others(&led_by);
    world.lose(&away, &LIFE);
    let forgot = replica(-1, ReplicaRole::NotMember);
    world.replicas.insert(empty.clone(), forgot);
    world.break_watch(&empty);
    world.run_for(80_000);
    let told = blocked(&world);
    let [told] = told.as_slice() else {
        panic!("{told:?}");
    };
    for named in [&led_by, &empty, &away] {
        assert!(told.contains(&named[..2]), "{told}");
    }
    assert!(told.contains("accept-loss"), "{told}");
    assert_eq!(promotions(&world), []);
}

#[test]
fn among_equals_another_one_is_chosen_than_could_not_lead() {
    let mut world = World::steady();
    let led_by = leader(&world);
    for member in ALL {
        let call = (member.to_owned(), "BecomeLeader");
        world.failing.insert(call, CallErrorKind::TimedOut);
    }
    world
        .replicas
        .insert(led_by.clone(), replica(0, ReplicaRole::Fenced));
    world.break_watch(&led_by);
    world.run_for(10_000);
    let chosen: Vec<_> = promotions(&world).into_iter().map(|(to, _)| to).collect();
    assert!(chosen.len() > 2, "{chosen:?}");
    assert!(chosen.windows(2).all(|two| two[0] != two[1]), "{chosen:?}");
}

/// The one that was there has a log that can't be made to fit.
#[test]
fn one_that_could_not_lead_with_one_follower_leads_once_another_is_there() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (unfit, away) = others(&led_by);
    for (server, last) in [(&led_by, 9), (&away, 7), (&unfit, 5)] {
        world.heads.insert(server.clone(), head(0, last));
    }
    world.lose(&away, &LIFE);
    let fails = (led_by.clone(), "BecomeLeader");
    world
        .failing
        .insert(fails.clone(), CallErrorKind::InvalidStatus);
    let fenced = replica(0, ReplicaRole::Fenced);
    world.replicas.insert(led_by.clone(), fenced);
    world.break_watch(&led_by);
    world.run_for(30_000);
    let failed = promotions(&world).len();
    assert!(failed > 2, "{failed}");
    world.failing.clear();
    world.observe(&away, true);
    world.run_for(30_000);
    let told = promotions(&world).split_off(failed);
    let told: Vec<_> = told.into_iter().map(|(server, _)| server).collect();
    assert_eq!(told, [led_by]);
}

/// Cut off from the others, it has written more than they have.
#[test]
fn one_that_can_not_lead_is_passed_over_where_the_others_are_a_majority() {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (one, other) = others(&led_by);
    world.heads.insert(led_by.clone(), head(0, 9));
    for server in [&one, &other] {
        world.heads.insert(server.clone(), head(0, 5));
    }
    let fails = (led_by.clone(), "BecomeLeader");
    world.failing.insert(fails, CallErrorKind::TimedOut);
    world
        .replicas
        .insert(led_by.clone(), replica(0, ReplicaRole::Fenced));
    world.break_watch(&led_by);
    world.run_for(30_000);
    let told = promotions(&world);
    let told_to: Vec<_> = told.iter().map(|(server, _)| server.clone()).collect();
    assert_eq!(told_to.len(), 3, "{told_to:?}");
    assert_eq!(told_to[..2], [led_by.clone(), led_by.clone()]);
    assert_ne!(told_to[2], led_by);
    assert!(!told[2].1.follower_maps.contains_key(led_by.as_str()));
    assert_eq!(leader(&world), told_to[2]);
}
