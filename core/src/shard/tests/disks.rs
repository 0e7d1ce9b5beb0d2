//! Disks that are lost at the wrong moment, and losses that an operator has accepted.

use super::forgetting::{blocked, fenced, status};
use super::{ALL, LIFE, SHARD, calls_of_shard, head, leader, others, promotions, replica, start};
use crate::call::{CallErrorKind, EntryId, ReplicaRole, ReplicaStatus};
use crate::cluster::ShardStatus;
use crate::scripted::World;
use crate::{Effect, Report, Term};

/// Two of three lost their disks, which was accepted; the third has all of it, and does not answer
/// this call yet.
fn loss_accepted(slow: &'static str) -> World {
    let mut world = World::steady();
    let a = leader(&world);
    let (b, c) = others(&a);
    world.edit(SHARD, |shard| {
        shard.status = ShardStatus::Unknown;
        shard.leader = None;
    });
    let mut world = world.restarted();
    world.replicas.insert(a.clone(), status(0, 30));
    world.heads.insert(a.clone(), head(0, 30));
    world.forgetful.extend([b, c]);
    world.silent.insert((a, slow));
    start(&mut world);
    world.run_for(1_000);
    world
}

#[test]
fn accept_loss_waits_for_the_one_that_has_the_data() {
    let told = promotions(&loss_accepted("NewTerm"));
    assert!(told.is_empty(), "an empty one leads: {told:?}");
}

#[test]
fn accept_loss_waits_for_the_status_of_the_one_that_has_the_data() {
    let told = promotions(&loss_accepted("GetStatus"));
    assert!(told.is_empty(), "an empty one leads: {told:?}");
}

/// What was known of a replica without a log does not outlive its disk.
#[test]
fn what_was_fed_is_forgotten_with_the_disk() {
    let mut world = World::steady();
    let l = leader(&world);
    let (b, c) = others(&l);
    let opened = ReplicaStatus {
        head_offset: -1,
        commit_offset: -1,
        ..replica(0, ReplicaRole::Fenced)
    };
    let fed = ReplicaStatus {
        commit_offset: 30,
        ..opened
    };
    for server in [&b, &c] {
        world.replicas.insert(server.clone(), opened);
        world.leading.insert(server.clone(), fed);
    }
    world.lose(&l, &LIFE);
    world.run_for(120_000);
    // L is back, with its log, and leads.
    world.leading.clear();
    world.failing.clear();
    world.heads.insert(l.clone(), head(0, 31));
    world.replicas.insert(l.clone(), status(0, 31));
    world.observe(&l, true);
    world.run_for(60_000);
    assert_eq!(leader(&world), l);
    // Both of the others lose their disks, one after the other, and are taken in again: they are
    // in the term now, and have got nothing yet.
    for server in [&b, &c] {
        let (_, _, shard) = world.status().shards().next().unwrap();
        let now = shard.term.0;
        world.replicas.insert(
            l.clone(),
            ReplicaStatus {
                role: ReplicaRole::Leader,
                ..status(now, 31)
            },
        );
        world.observe(server, false);
        world.bound.remove(server);
        world.replicas.remove(server);
        world.forgetful.insert(server.clone());
        world.observe(server, true);
        world.run_for(60_000);
        assert!(!world.forgetful.contains(server), "taken in");
    }
    for server in [&b, &c] {
        let (_, _, shard) = world.status().shards().next().unwrap();
        let now = shard.term.0;
        world.replicas.insert(
            server.clone(),
            ReplicaStatus {
                head_offset: -1,
                commit_offset: -1,
                ..replica(now, ReplicaRole::Fenced)
            },
        );
    }
    world.log.clear();
    world.observe(&l, false);
    world.run_for(1_000);
    world.observe(&l, true);
    world.run_for(60_000);
    let told = promotions(&world);
    assert!(!told.is_empty());
    for (by, call) in told {
        if by == l {
            for server in [&b, &c] {
                let head = call.follower_maps.get(server.as_str());
                assert!(
                    head.is_none_or(|it| *it == EntryId::NONE),
                    "{server}, which is empty, counts as {head:?}"
                );
            }
        }
    }
}

/// A follower that was behind, and then down for ten minutes, is given its 90 s when it is back.
#[test]
fn time_away_is_not_time_behind() {
    let world = World::steady();
    let l = leader(&world);
    let (f, g) = others(&l);
    let mut world = world.restarted();
    world.heads.insert(l.clone(), head(0, 50));
    world.heads.insert(g.clone(), head(0, 50));
    world.replicas.insert(
        l.clone(),
        ReplicaStatus {
            role: ReplicaRole::Leader,
            ..status(0, 50)
        },
    );
    world.replicas.insert(f.clone(), status(0, 20));
    world.replicas.insert(g.clone(), status(0, 50));
    for server in ALL {
        world.bound.insert(server.to_owned());
    }
    start(&mut world);
    world.run_for(5_000);
    world.lose(&f, &LIFE);
    world.run_for(600_000);
    assert!(
        promotions(&world)
            .iter()
            .all(|(_, call)| call.shard != SHARD),
        "{:?}",
        promotions(&world)
    );
    // It was restarted: its leader's stream opens it again within a minute.
    world.failing.clear();
    world
        .failing
        .insert((f.clone(), "GetStatus"), CallErrorKind::NotMember);
    world.log.clear();
    world.observe(&f, true);
    world.run_for(20_000);
    let elected = fenced(&world, &g)
        .into_iter()
        .filter(|term| *term > Term(0));
    assert_eq!(
        elected.count(),
        0,
        "elections at once, as soon as it is back"
    );
}

/// A follower that is down is not in sync.
#[test]
fn a_follower_that_is_down_does_not_count_as_in_sync() {
    let mut world = World::steady();
    world.run_for(30_000);
    let l = leader(&world);
    let (f, _) = others(&l);
    world.log.clear();
    world.lose(&f, &LIFE);
    world.run_for(60_000);
    let said: Vec<_> = world
        .log
        .iter()
        .filter_map(|it| match it {
            Effect::Report(Report::ShardInSync { shard, in_sync, .. }) if *shard == SHARD => {
                Some(*in_sync)
            }
            _ => None,
        })
        .collect();
    assert_eq!(said.last(), Some(&2), "{said:?}");
}

/// A follower's disk is lost while its leader is on its way to the store.
#[test]
fn a_disk_lost_while_the_leader_is_recorded_is_noticed() {
    let mut world = World::steady();
    let l = leader(&world);
    let (b, c) = others(&l);
    world.hold_stores = true;
    world.lose(&l, &LIFE);
    world.run_for(200);
    world.release(); // the term
    world.run_for(200);
    let (by, _) = promotions(&world).remove(0);
    let lost = if by == b { c } else { b };
    world.observe(&lost, false);
    world.bound.remove(&lost);
    world.forgetful.insert(lost.clone());
    world.observe(&lost, true);
    world.hold_stores = false;
    world.release(); // the leader
    world.log.clear();
    world.run_for(5_000);
    let calls = calls_of_shard(&world);
    let asked = calls
        .iter()
        .filter(|(kind, server, _)| *kind == "GetStatus" && *server == lost);
    assert!(asked.count() > 0, "nobody looks at it");
}

/// A broken document: two members of one id. Nothing may be asked and never cancelled.
#[test]
fn members_of_one_id_have_one_vote() {
    let mut world = World::steady();
    world.edit(SHARD, |shard| {
        shard.status = ShardStatus::Election;
        shard.term = Term(1);
        shard.leader = None;
        shard.ensemble[1].name = shard.ensemble[0].name.clone();
    });
    let mut world = world.restarted();
    for server in ALL {
        world.replicas.insert(server.to_owned(), status(0, 30));
        world.heads.insert(server.to_owned(), head(0, 30));
    }
    start(&mut world);
    world.run_for(60_000);
    let mut open = std::collections::BTreeMap::new();
    for effect in &world.log {
        if let Effect::Call {
            request,
            server,
            call,
            ..
        } = effect
        {
            if calls_of_shard(&world).iter().any(|(_, _, it)| it == call) {
                *open
                    .entry((server.internal.to_string(), format!("{call:?}")))
                    .or_insert(0) += 1;
            }
            let _ = request;
        }
    }
    for (k, v) in &open {
        eprintln!("{v} {k:?}");
    }
    eprintln!(
        "{:?} blocked {:?}",
        world.status().shards().next().unwrap(),
        blocked(&world)
    );
}

/// A leader is elected, and not all are silent: a message says "no majority answers" only if so.
#[test]
fn what_blocks_is_told_as_it_is() {
    let mut world = World::steady();
    let gone = leader(&world);
    let (one, other) = others(&gone);
    world.replicas.insert(one.clone(), status(0, 30));
    world.replicas.insert(other.clone(), status(0, 20));
    world.heads.insert(other.clone(), head(0, 20));
    world.lose(&gone, &LIFE);
    world.run_for(10_000);
    let said = blocked(&world);
    assert!(
        said.iter().all(|it| !it.contains("no majority answers")),
        "{said:?}"
    );
}

/// The log of one that had everything is gone, or is an older copy; its term, and so its memory of
/// having been fenced, is still there.
#[test]
fn nobody_leads_who_has_less_than_is_known_to_be_committed() {
    for left in [EntryId::NONE, head(0, 9)] {
        let world = World::steady();
        let l = leader(&world);
        let (f, behind) = others(&l);
        let mut world = world.restarted();
        for (server, offset) in [(&l, 30), (&f, 30), (&behind, 10)] {
            world.heads.insert(server.clone(), head(0, offset));
            world.replicas.insert(server.clone(), status(0, offset));
            world.bound.insert(server.clone());
        }
        let leads = ReplicaStatus {
            role: ReplicaRole::Leader,
            ..status(0, 30)
        };
        world.replicas.insert(l.clone(), leads);
        start(&mut world);
        world.run_for(5_000);
        world.heads.insert(f.clone(), left);
        world.replicas.insert(f.clone(), status(0, left.offset));
        world.lose(&l, &LIFE);
        world.run_for(30_000);
        let of_shard = |world: &World| {
            let mut told = promotions(world);
            told.retain(|(_, call)| call.shard == SHARD);
            told
        };
        assert_eq!(of_shard(&world), [], "{left:?}");
        let said = blocked(&world).join("\n");
        assert!(
            said.contains("what is committed up to 30 is not in the latest log"),
            "{said}"
        );
        world.failing.clear();
        world.observe(&l, true);
        world.run_for(60_000);
        let (led_by, call) = of_shard(&world).remove(0);
        assert_eq!(
            (led_by, call.follower_maps.get(f.as_str())),
            (l, Some(&left))
        );
    }
}

/// Its disk may have been put back to an older copy meanwhile.
#[test]
fn a_follower_that_was_away_is_judged_anew_by_what_is_committed_when_it_is_back() {
    let mut world = World::steady();
    world.run_for(5_000);
    let l = leader(&world);
    let (f, _) = others(&l);
    // It answers while it is taken to be away.
    world.lose(&f, &["CheckHealth", "Handshake"]);
    world.run_for(5_000);
    world.log.clear();
    world.failing.clear();
    world.observe(&f, true);
    world.run_for(1_000);
    let calls = calls_of_shard(&world).into_iter();
    let asked = calls.filter(|(kind, ..)| *kind == "GetStatus");
    let asked: Vec<_> = asked.map(|(_, server, _)| server.to_owned()).collect();
    assert_eq!(asked, [l, f]);
}
