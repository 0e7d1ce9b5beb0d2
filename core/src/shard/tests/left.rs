//! A log that has left the last leader's: by the order of heads it would win, though it lacks what
//! that leader began with, which is committed.

use super::forgetting::{blocked, term};
use super::late::speak;
use super::{LIFE, SHARD, count, head, leader, others, promotions, replica, start};
use crate::call::{Call, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus};
use crate::cluster::Beginnings;
use crate::scripted::World;
use crate::{Effect, Report, Term};

/// A leader of term 1 is away, with an entry that nobody else has; the leader of term 2 began with a
/// log of term 0, of which that one lacks the end.
pub(super) struct Left {
    pub(super) world: World,
    pub(super) gone: String,
    pub(super) led_by: String,
    pub(super) other: String,
}

fn left() -> Left {
    let left = led_twice(28, 29);
    assert_eq!(leader(&left.world), left.led_by);
    left
}

/// The leader of term 1 began at this offset, and is gone with its own entry at that one; the leader
/// of term 0, whose log ends at 29, is back.
pub(super) fn led_twice(began: i64, tail: i64) -> Left {
    let mut left = led_once(began, tail);
    let Left {
        world,
        gone,
        led_by,
        ..
    } = &mut left;
    world.failing.retain(|(server, _), _| server == gone);
    world.observe(led_by, true);
    world.run_for(20_000);
    assert_eq!(term(world), Term(2));
    world.failing.clear();
    left
}

/// The same before there is a leader of term 2: the other one alone is there.
pub(super) fn led_once(began: i64, tail: i64) -> Left {
    let mut world = World::steady();
    let led_by = leader(&world);
    let (one, two) = others(&led_by);
    for server in [&one, &two] {
        world.heads.insert(server.clone(), head(0, began));
    }
    world.heads.insert(led_by.clone(), head(0, 29));
    world.lose(&led_by, &LIFE);
    world.run_for(10_000);
    let gone = leader(&world);
    let other = if gone == one { two } else { one };
    world.heads.insert(gone.clone(), head(1, tail));
    world.lose(&gone, &LIFE);
    Left {
        world,
        gone,
        led_by,
        other,
    }
}

fn with_log(role: ReplicaRole, head_offset: i64) -> ReplicaStatus {
    ReplicaStatus {
        head_offset,
        commit_offset: head_offset,
        ..replica(2, role)
    }
}

/// The leader's log, and the other's, end here.
pub(super) fn write(world: &mut World, led_by: &str, other: &str, offset: i64) {
    let replicas = &mut world.replicas;
    replicas.insert(led_by.to_owned(), with_log(ReplicaRole::Leader, offset));
    replicas.insert(other.to_owned(), with_log(ReplicaRole::Follower, offset));
}

/// The leader of term 2 writes its first entry, and the other has it.
pub(super) fn write_in_its_term(world: &mut World, led_by: &str, other: &str) {
    write(world, led_by, other, 30);
    for server in [led_by, other] {
        world.heads.insert(server.to_owned(), head(2, 30));
    }
}

fn until_somebody_is_told_to_lead(world: &mut World) {
    for _ in 0..2_000 {
        if !promotions(world).is_empty() {
            break;
        }
        world.run_for(10);
    }
}

/// It is back, fenced in the term in which it was left.
pub(super) fn back(left: &mut Left) {
    let Left {
        world,
        gone,
        led_by,
        other,
    } = left;
    write(world, led_by, other, 29);
    world
        .replicas
        .insert(gone.clone(), replica(1, ReplicaRole::Fenced));
    world
        .failing
        .insert((led_by.clone(), "AddFollower"), CallErrorKind::InvalidTerm);
    world.log.clear();
    world.observe(gone, true);
}

#[test]
fn a_follower_whose_log_has_left_its_leaders_is_not_elected_while_nothing_is_written() {
    let mut left = left();
    back(&mut left);
    left.world.run_for(200_000);
    assert_eq!(
        (term(&left.world), promotions(&left.world).len()),
        (Term(2), 0)
    );
}

/// A coordinator finds a leader that somebody else made, whose follower lacks what is committed.
fn found() -> Left {
    let mut left = led_twice(15, 16);
    left.world
        .edit(SHARD, |shard| shard.beginnings = Beginnings::default());
    let mut world = left.world.restarted();
    write(&mut world, &left.led_by, &left.other, 29);
    let fenced = replica(1, ReplicaRole::Fenced);
    world.replicas.insert(left.gone.clone(), fenced);
    world.heads.insert(left.gone.clone(), head(1, 16));
    left.world = world;
    left
}

/// Its leader was made by somebody else, so that it is not known what that one began with.
#[test]
fn a_follower_that_lacks_what_is_committed_is_tried_once_and_blocks_nobody() {
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = found();
    for server in [&led_by, &other] {
        world.heads.insert(server.clone(), head(0, 29));
        let refused = (server.clone(), "AddFollower");
        world.failing.insert(refused, CallErrorKind::InvalidTerm);
    }
    start(&mut world);
    for _ in 0..30_000 {
        world.run_for(1);
        if let Some((elected, _)) = promotions(&world).pop() {
            for server in [&led_by, &other] {
                let leads = *server == elected;
                let status = ReplicaStatus {
                    term: Term(3),
                    ..with_log(
                        if leads {
                            ReplicaRole::Leader
                        } else {
                            ReplicaRole::Follower
                        },
                        29,
                    )
                };
                world.replicas.insert(server.clone(), status);
            }
            break;
        }
    }
    world.run_for(200_000);
    assert_is_apart(&world, &gone);
    let elected = promotions(&world);
    let told: Vec<_> = elected
        .iter()
        .map(|(_, call)| &call.follower_maps)
        .collect();
    assert_eq!((term(&world), told.len()), (Term(3), 1));
    assert!(!told[0].contains_key(gone.as_str()), "{told:?}");
    assert!(count(&world, "AddFollower") > 5, "it is offered again");
}

/// Nobody could be elected with it alone: the leader goes on, and can be read.
#[test]
fn a_follower_that_lacks_what_is_committed_is_no_cause_for_an_election_without_the_others() {
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = found();
    world.heads.insert(led_by.clone(), head(0, 29));
    let refused = (led_by.clone(), "AddFollower");
    world.failing.insert(refused, CallErrorKind::InvalidTerm);
    world.cut_off(&other, &LIFE);
    start(&mut world);
    world.run_for(200_000);
    assert_eq!((term(&world), promotions(&world).len()), (Term(2), 0));
    // What is written hangs, and ends later.
    world.heads.insert(led_by.clone(), head(2, 30));
    let longer = ReplicaStatus {
        head_offset: 30,
        ..with_log(ReplicaRole::Leader, 29)
    };
    world.replicas.insert(led_by.clone(), longer);
    world.run_for(200_000);
    let (elected, call) = promotions(&world).remove(0);
    assert_eq!(elected, led_by);
    assert!(call.follower_maps.contains_key(gone.as_str()));
}

/// It has another entry where it would be cut off, which its leader would leave it.
#[test]
fn it_is_left_out_until_its_disk_is_emptied_also_once_its_leaders_log_ends_later() {
    let mut left = left();
    back(&mut left);
    left.world.run_for(10_000);
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = left;
    write_in_its_term(&mut world, &led_by, &other);
    world.run_for(120_000);
    assert_eq!((term(&world), promotions(&world).len()), (Term(2), 0));
    assert_is_apart(&world, &gone);
    // Nor is its leader told of it, where another one is elected; nor is it taken in afterwards.
    world.failing.clear();
    world.log.clear();
    world.lose(&led_by, &["CheckHealth"]);
    world.run_for(60_000);
    let (elected, call) = promotions(&world).remove(0);
    assert_eq!(elected, other);
    assert!(!call.follower_maps.contains_key(gone.as_str()));
    assert!(!is_added(&world, &gone));
    world.heads.insert(gone.clone(), EntryId::NONE);
    world.run_for(60_000);
    assert!(is_added(&world, &gone));
}

pub(super) fn assert_is_apart(world: &World, server: &str) {
    let name = server.split(':').next().unwrap();
    let left_out = world.log.iter().filter(|effect| match effect {
        Effect::Report(Report::ReplicaLeftOut { shard, server, .. }) => {
            *shard == SHARD && &*server.0 == name
        }
        _ => false,
    });
    assert_eq!(left_out.count(), 1);
}

pub(super) fn is_added(world: &World, server: &str) -> bool {
    world.log.iter().any(|effect| match effect {
        Effect::Call {
            call: Call::AddFollower(call),
            ..
        } => *call.follower == *server,
        _ => false,
    })
}

#[test]
fn one_that_goes_on_from_the_same_end_is_brought_back_by_an_election() {
    let mut left = led_twice(29, 30);
    back(&mut left);
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = left;
    write_in_its_term(&mut world, &led_by, &other);
    world.run_for(120_000);
    let (elected, call) = promotions(&world).remove(0);
    assert_ne!(elected, gone);
    assert!(call.follower_maps.contains_key(gone.as_str()));
    assert_eq!(blocked(&world), Vec::<String>::new());
}

#[test]
fn who_has_left_the_last_leaders_log_neither_leads_nor_follows_in_the_next_election() {
    let mut left = left();
    back(&mut left);
    let Left {
        mut world,
        gone,
        led_by,
        ..
    } = left;
    world.lose(&led_by, &["CheckHealth"]);
    world.run_for(10_000);
    let (elected, call) = promotions(&world).remove(0);
    assert_ne!(elected, gone);
    assert!(!call.follower_maps.contains_key(gone.as_str()));
}

#[test]
fn where_it_takes_that_one_for_a_majority_the_shard_is_blocked_and_says_so() {
    let mut left = left();
    back(&mut left);
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = left;
    world.lose(&led_by, &LIFE);
    world.run_for(20_000);
    assert_eq!(promotions(&world).len(), 0);
    let said = blocked(&world);
    let name = gone.split(':').next().unwrap();
    let why = format!("{name} has another log than the leader of term 2 had");
    assert!(said.iter().any(|it| it.contains(&why)), "{said:?}");
    // The one that led is back.
    world.failing.clear();
    world.observe(&led_by, true);
    world.run_for(30_000);
    let (elected, _) = promotions(&world).remove(0);
    assert!([led_by, other].contains(&elected));
}

/// One that led in an earlier term, and was not fenced since, says so of a log that another leader
/// after it need not have had.
#[test]
fn a_deposed_leader_does_not_tell_what_was_led_with_after_it() {
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = left();
    // Somebody else made the one with the greater log leader, the other followed it, and the one
    // that led before was not fenced. Then the leader is gone.
    world.edit(SHARD, |shard| {
        shard.term = Term(3);
        shard.beginnings = Beginnings::default();
        shard.leader = shard
            .ensemble
            .iter()
            .find(|member| *member.internal == *gone)
            .cloned();
    });
    let mut world = world.restarted();
    let follower = ReplicaStatus {
        head_offset: 29,
        commit_offset: 29,
        ..replica(3, ReplicaRole::Follower)
    };
    world.replicas.insert(other.clone(), follower);
    world
        .replicas
        .insert(led_by.clone(), with_log(ReplicaRole::Leader, 29));
    for (server, term) in [(&gone, 1), (&other, 1), (&led_by, 0)] {
        world.heads.insert(server.clone(), head(term, 29));
    }
    world.silent.insert((led_by, "GetStatus"));
    start(&mut world);
    world.silent.clear();
    world.lose(&gone, &LIFE);
    world.run_for(30_000);
    let elected = promotions(&world);
    let (elected, _) = elected.first().expect("one is elected");
    assert_eq!(*elected, other, "it has what was committed in term 3");
}

/// A leader that dies with a write under way leaves such a log, too: it has all that the next one began
/// with, and more.
#[test]
fn a_log_that_goes_on_from_the_last_leaders_is_not_left() {
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = led_twice(29, 30);
    // The leader of term 2 is gone, and that of term 1 is back.
    let second = leader(&world);
    let third = if second == other { led_by } else { other };
    world.log.clear();
    world.lose(&second, &LIFE);
    world.observe(&gone, true);
    world.run_for(20_000);
    let (elected, call) = promotions(&world).remove(0);
    assert_eq!(elected, gone);
    assert!(call.follower_maps.contains_key(third.as_str()));
}

/// The leader of term 0 is back and told to lead in term 2; nothing is heard of that.
pub(super) fn told_and_unheard() -> Left {
    let mut left = led_once(28, 29);
    let Left {
        world,
        gone,
        led_by,
        ..
    } = &mut left;
    world.failing.retain(|(server, _), _| server == gone);
    world.silent.insert((led_by.clone(), "BecomeLeader"));
    world.log.clear();
    world.observe(led_by, true);
    until_somebody_is_told_to_lead(world);
    assert_eq!(promotions(world)[0].0, *led_by);
    left
}

/// The leader of term 2 was told to lead, was not heard of, and is gone. The other's log ends here now,
/// and the leader of term 1 is back.
fn unheard(end: i64, role: ReplicaRole) -> Left {
    let mut left = told_and_unheard();
    let Left {
        world,
        gone,
        led_by,
        other,
    } = &mut left;
    world.silent.clear();
    world.failing.clear();
    world.log.clear();
    world.heads.insert(other.clone(), head(0, end));
    world.replicas.insert(other.clone(), with_log(role, end));
    let fenced = replica(1, ReplicaRole::Fenced);
    world.replicas.insert(gone.clone(), fenced);
    world.lose(led_by, &LIFE);
    world.observe(gone, true);
    world.run_for(60_000);
    left
}

/// It committed the end of its log, maybe, though nobody has heard that it leads. A follower's role
/// does not tell: one that has the whole log already stays fenced.
#[test]
fn a_leader_whose_answer_was_lost_may_have_led() {
    for role in [ReplicaRole::Follower, ReplicaRole::Fenced] {
        let Left { world, gone, .. } = unheard(29, role);
        let elected = promotions(&world);
        assert!(elected.is_empty(), "{elected:?}");
        let name = gone.split(':').next().unwrap();
        let why = format!("{name} has another log than the leader of term 2 had");
        let said = blocked(&world);
        assert!(said.iter().any(|it| it.contains(&why)), "{said:?}");
    }
}

#[test]
fn a_leader_whose_log_a_majority_lacks_has_not_led() {
    for role in [ReplicaRole::Follower, ReplicaRole::Fenced] {
        let Left {
            world, gone, other, ..
        } = unheard(28, role);
        let (elected, call) = promotions(&world).remove(0);
        assert_eq!(elected, gone);
        assert!(call.follower_maps.contains_key(other.as_str()));
    }
}

#[test]
fn a_vote_that_comes_while_its_leader_is_made_is_measured_by_that_ones_log() {
    let mut left = left();
    back(&mut left);
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = left;
    write(&mut world, &led_by, &other, 30);
    world.failing.clear();
    for server in [&led_by, &other] {
        world.heads.insert(server.clone(), head(2, 30));
        world.silent.insert((server.clone(), "BecomeLeader"));
    }
    world.silent.insert((gone.clone(), "NewTerm"));
    world.log.clear();
    // The leader's server was restarted.
    let fenced = ReplicaStatus {
        role: ReplicaRole::Fenced,
        ..with_log(ReplicaRole::Leader, 30)
    };
    world.replicas.insert(led_by.clone(), fenced);
    world.observe(&led_by, false);
    world.observe(&led_by, true);
    until_somebody_is_told_to_lead(&mut world);
    let (elected, call) = promotions(&world).remove(0);
    assert!(!call.follower_maps.contains_key(gone.as_str()));
    speak(&mut world, &gone, "NewTerm");
    speak(&mut world, &elected, "BecomeLeader");
    world.run_for(60_000);
    assert!(!is_added(&world, &gone));
}
