//! What the document keeps of the logs with which leaders began, and what a coordinator that comes
//! after makes of it.

use super::forgetting::{blocked, term};
use super::late::speak;
use super::left::{
    Left, assert_is_apart, back, is_added, led_once, led_twice, told_and_unheard, write,
    write_in_its_term,
};
use super::turns::five;
use super::{ALL, LIFE, SHARD, head, leader, new_cluster, promotions, replica, start};
use crate::call::{Call, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus};
use crate::cluster::{Beginnings, DataServerIdentity, LastLeader, ShardStatus};
use crate::scripted::World;
use crate::{Effect, ServerId, Term, Timing};

fn beginnings(world: &World) -> String {
    let (_, document) = world.stored.as_ref().unwrap();
    let mut shards = document.status.shards();
    let shard = shards.find(|(_, id, _)| *id == SHARD).unwrap().2;
    shard.beginnings.to_string()
}

/// What the document tells each time somebody is told to lead.
fn told_when_promoted(world: &World) -> Vec<String> {
    let mut stored = String::new();
    let mut told = Vec::new();
    for effect in &world.log {
        match effect {
            Effect::Store { document, .. } => {
                let mut shards = document.status.shards();
                let shard = shards.find(|(_, id, _)| *id == SHARD).unwrap().2;
                stored = shard.beginnings.to_string();
            }
            Effect::Call {
                call: Call::BecomeLeader(call),
                ..
            } if call.shard == SHARD => {
                told.push(stored.clone());
            }
            _ => {}
        }
    }
    told
}

#[test]
fn with_what_a_leader_begins_is_stored_before_it_is_told_to_lead_unless_it_is_of_the_term_before() {
    let Left { world, .. } = led_once(28, 29);
    let told = told_when_promoted(&world);
    assert_eq!(told.last().map(String::as_str), Some("0@none"));
    assert_eq!(beginnings(&world), "0@none 1@0/28");
    let Left { world, .. } = led_twice(28, 29);
    let told = told_when_promoted(&world);
    assert_eq!(
        told.last().map(String::as_str),
        Some("0@none 1@0/28 2@0/29")
    );
}

/// The shard is stored as one that nobody leads, in this term, with what is known of its leaders.
fn unled(world: &mut World, term: i64, beginnings: &str) {
    world.edit(SHARD, |shard| {
        shard.beginnings = beginnings.parse().unwrap();
        shard.status = ShardStatus::Election;
        shard.term = Term(term);
        shard.leader = None;
    });
}

/// A server was fenced in this term, with a log that ends like this.
pub(super) fn fence(world: &mut World, server: &str, term: i64, head: EntryId) {
    let fenced = replica(term, ReplicaRole::Fenced);
    world.replicas.insert(server.to_owned(), fenced);
    world.heads.insert(server.to_owned(), head);
}

/// Another coordinator is to start; the one with the log that was left is back, with this end.
fn handed_over(left: Left, tail: i64) -> Left {
    let Left {
        world,
        gone,
        led_by,
        other,
    } = left;
    let mut world = world.restarted();
    write(&mut world, &led_by, &other, 29);
    fence(&mut world, &gone, 1, head(1, tail));
    for server in [&led_by, &other] {
        world.heads.insert(server.clone(), head(0, 29));
    }
    Left {
        world,
        gone,
        led_by,
        other,
    }
}

/// Who leads is gone, and another coordinator elects.
fn elected_by_another(left: Left, tail: i64) -> World {
    let Left {
        mut world, led_by, ..
    } = handed_over(left, tail);
    elect_without(&mut world, &led_by);
    world
}

/// The coordinator starts, and finds this server gone.
fn elect_without(world: &mut World, gone: &str) {
    world.cut_off(gone, &LIFE);
    start(world);
    world.lose(gone, &LIFE);
    world.run_for(30_000);
}

#[test]
fn a_coordinator_that_comes_after_leaves_out_who_has_left_the_last_leaders_log() {
    let world = elected_by_another(led_twice(28, 29), 29);
    assert_eq!(promotions(&world), []);
    assert!(blocked(&world)[0].contains("another log than the leader of term 2 had"));
}

/// It can't know whether that leader has led, but neither that it has not.
#[test]
fn a_coordinator_that_comes_after_takes_who_was_told_to_lead_for_one_that_did() {
    let world = elected_by_another(told_and_unheard(), 31);
    assert_eq!(promotions(&world), []);
}

/// A coordinator died before it stored the leader of term 1, and so with what that one began.
#[test]
fn a_log_of_a_leader_that_nobody_recorded_is_left_where_it_may_lack_what_the_last_one_began_with() {
    for known in ["0@none 2@0/29", "1@unknown 2@0/29"] {
        let mut left = led_twice(28, 29);
        left.world.edit(SHARD, |shard| {
            shard.beginnings = known.parse().unwrap();
        });
        let world = elected_by_another(left, 31);
        assert_eq!(promotions(&world), [], "{known}");
    }
}

/// Somebody else has made the leader of term 1, and of term 2 nobody was heard. The log of term 1 has
/// not acknowledged what that one had, so only one replica may have.
#[test]
fn who_can_not_have_followed_the_last_one_told_to_lead_does_not_count_as_having_its_log() {
    let mut left = led_twice(28, 29);
    unled(&mut left.world, 2, "1@unknown 2@0/29");
    let Left {
        world,
        gone,
        led_by,
        other,
    } = left;
    let mut world = world.restarted();
    fence(&mut world, &other, 2, head(0, 28));
    fence(&mut world, &gone, 1, head(1, 31));
    elect_without(&mut world, &led_by);
    assert_eq!(promotions(&world)[0].0, gone);
}

/// One was told to lead in term 3, and nobody has followed; the leader of term 2 has committed all that
/// that one began with.
#[test]
fn a_log_in_which_all_is_committed_that_another_one_began_with_has_not_left_its_log() {
    let mut left = led_twice(28, 29);
    unled(&mut left.world, 3, "0-2@unknown 3@1/30");
    let Left {
        world,
        gone,
        led_by,
        other,
    } = left;
    let mut world = world.restarted();
    for (server, ended, commit) in [
        (&led_by, head(2, 31), 30),
        (&gone, head(1, 30), 30),
        (&other, head(0, 28), 28),
    ] {
        let fenced = ReplicaStatus {
            head_offset: ended.offset,
            commit_offset: commit,
            ..replica(3, ReplicaRole::Fenced)
        };
        world.replicas.insert(server.clone(), fenced);
        world.heads.insert(server.clone(), ended);
    }
    start(&mut world);
    world.run_for(10_000);
    assert_eq!(promotions(&world)[0].0, led_by);
}

/// Nothing is written, the disks of both followers were replaced, one after the other, and their leader
/// fed them by snapshots. It is restarted, and does not know what is committed.
#[test]
fn a_leader_that_fed_all_others_by_snapshots_is_elected_again_with_what_it_began() {
    for status in [ShardStatus::SteadyState, ShardStatus::Election] {
        let Left {
            mut world,
            gone,
            led_by,
            other,
        } = led_twice(28, 29);
        world.edit(SHARD, |shard| {
            if status == ShardStatus::Election {
                // Nobody could be elected before.
                (shard.status, shard.term, shard.leader) = (status, Term(3), None);
            }
        });
        let mut world = world.restarted();
        fence(&mut world, &led_by, 2, head(0, 29));
        for server in [&gone, &other] {
            let fed = ReplicaStatus {
                head_offset: 29,
                commit_offset: 29,
                ..replica(2, ReplicaRole::Follower)
            };
            world.replicas.insert(server.clone(), fed);
            world.heads.insert(server.clone(), EntryId::NONE);
        }
        start(&mut world);
        world.run_for(10_000);
        let (chosen, call) = promotions(&world).remove(0);
        assert_eq!(chosen, led_by);
        let told: Vec<_> = call.follower_maps.into_values().collect();
        assert_eq!(told, [head(0, 29), head(0, 29)]);
    }
}

#[test]
fn what_is_known_of_a_new_shard_outlives_a_first_attempt_that_fails() {
    let mut world = new_cluster();
    for server in ALL {
        let call = (server.to_owned(), "NewTerm");
        world.failing.insert(call, CallErrorKind::TimedOut);
    }
    world.settle();
    world.run_for(20_000);
    assert_eq!((promotions(&world), term(&world) > Term(1)), (vec![], true));
    assert_eq!(beginnings(&world), "0@none");
}

/// Somebody else has made the leader of term 1, and a coordinator is to elect that comes after.
fn parted() -> Left {
    let mut left = led_twice(28, 29);
    unled(&mut left.world, 2, "1@unknown 2@0/29");
    left.world = left.world.restarted();
    for server in [&left.gone, &left.led_by, &left.other] {
        fence(&mut left.world, server, 2, head(2, 30));
    }
    left.world.heads.insert(left.gone.clone(), head(1, 31));
    left
}

fn elected_with_parted() -> (World, String) {
    let Left {
        mut world, gone, ..
    } = parted();
    start(&mut world);
    world.run_for(10_000);
    (world, gone)
}

#[test]
fn a_log_that_has_parted_who_knows_where_is_left_out_where_others_are_enough() {
    let (world, gone) = elected_with_parted();
    let (_, call) = promotions(&world).remove(0);
    assert_eq!(call.follower_maps.len(), 1);
    assert!(!call.follower_maps.contains_key(gone.as_str()));
    assert_is_apart(&world, &gone);
    assert!(!is_added(&world, &gone));
}

#[test]
fn a_log_that_has_parted_who_knows_where_is_taken_in_where_it_is_needed() {
    let Left {
        mut world,
        gone,
        other,
        ..
    } = parted();
    elect_without(&mut world, &other);
    let (_, call) = promotions(&world).remove(0);
    assert!(call.follower_maps.contains_key(gone.as_str()));
}

#[test]
fn a_log_that_has_parted_who_knows_where_is_taken_in_once_another_one_dies() {
    let (mut world, gone) = elected_with_parted();
    let (led_by, call) = promotions(&world).remove(0);
    let other = call.follower_maps.keys().next().unwrap().to_string();
    world
        .replicas
        .insert(led_by, replica(3, ReplicaRole::Leader));
    world.lose(&other, &LIFE);
    world.run_for(60_000);
    assert!(is_added(&world, &gone));
}

#[test]
fn a_log_that_has_parted_who_knows_where_is_needed_where_another_voter_has_gone_away() {
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = parted();
    world.edit(SHARD, |shard| shard.term = Term(3));
    world.heads.insert(other.clone(), head(2, 29));
    world.silent.insert((gone.clone(), "NewTerm"));
    start(&mut world);
    world.run_for(20);
    // The other one goes while it is stored with what the chosen one begins.
    world.hold_stores = true;
    speak(&mut world, &gone, "NewTerm");
    assert_eq!((world.held.len(), promotions(&world).len()), (1, 0));
    world.cut_off(&other, &LIFE);
    world.break_watch(&other);
    world.run_for(5_000);
    world.release();
    let (chosen, call) = promotions(&world).remove(0);
    assert_eq!(chosen, led_by);
    assert!(call.follower_maps.contains_key(gone.as_str()));
}

#[test]
fn two_logs_that_have_parted_do_not_excuse_each_other_once_another_one_dies() {
    let mut world = five();
    unled(&mut world, 2, "1@unknown 2@0/29");
    let mut world = world.restarted();
    let (parted, whole) = (["s1:6649", "s2:6649"], ["s3:6649", "s4:6649", "s5:6649"]);
    let heads = parted.map(|it| (it, head(1, 31))).into_iter();
    for (server, head) in heads.chain(whole.map(|it| (it, head(2, 30)))) {
        fence(&mut world, server, 2, head);
    }
    start(&mut world);
    world.run_for(10_000);
    let (led_by, call) = promotions(&world).remove(0);
    assert_eq!(call.follower_maps.len(), 2);
    for server in parted {
        assert!(!is_added(&world, server));
    }
    let other = call.follower_maps.keys().next().unwrap().to_string();
    world
        .replicas
        .insert(led_by, replica(3, ReplicaRole::Leader));
    world.lose(&other, &LIFE);
    world.run_for(60_000);
    assert!(parted.iter().any(|server| is_added(&world, server)));
}

#[test]
fn a_log_that_has_parted_who_knows_where_is_taken_in_where_the_others_can_not_follow() {
    let Left {
        mut world, gone, ..
    } = parted();
    for server in ALL {
        let call = (server.to_owned(), "BecomeLeader");
        world.failing.insert(call, CallErrorKind::TimedOut);
    }
    start(&mut world);
    world.run_for(60_000);
    let told = promotions(&world);
    assert!(
        told.iter()
            .any(|(_, call)| call.follower_maps.contains_key(gone.as_str()))
    );
}

/// Nothing is known of the logs, and one member does not vote in time the first time.
#[test]
fn of_who_did_not_vote_when_nobody_could_lead_the_next_one_is_told_first() {
    let Left {
        mut world,
        gone,
        other,
        ..
    } = parted();
    world.edit(SHARD, |shard| {
        shard.beginnings = "0-2@unknown".parse().unwrap();
    });
    world.heads.insert(gone.clone(), head(0, 28));
    world.heads.insert(other.clone(), head(1, 29));
    world.silent.insert((gone.clone(), "NewTerm"));
    for server in ALL {
        let call = (server.to_owned(), "BecomeLeader");
        world.failing.insert(call, CallErrorKind::TimedOut);
    }
    start(&mut world);
    while promotions(&world).is_empty() {
        world.run_for(10);
    }
    world.silent.clear();
    while promotions(&world).len() < 2 {
        world.run_for(10);
    }
    let told = promotions(&world);
    let told = told.iter().map(|(_, call)| call.follower_maps.keys());
    let told: Vec<Vec<&str>> = told.map(|it| it.map(|it| &**it).collect()).collect();
    assert_eq!(told, [[other.as_str()], [gone.as_str()]]);
}

/// The present leader has written nothing, so its log shows with what it began.
#[test]
fn of_a_leader_that_somebody_else_has_made_its_log_tells_with_what_it_began() {
    let mut left = led_twice(28, 29);
    left.world
        .edit(SHARD, |shard| shard.beginnings = Beginnings::default());
    let Left {
        mut world, led_by, ..
    } = handed_over(left, 31);
    let refused = (led_by.clone(), "AddFollower");
    world.failing.insert(refused, CallErrorKind::InvalidTerm);
    start(&mut world);
    world.run_for(30_000);
    let elected = promotions(&world);
    assert!(!elected.is_empty());
    assert!(
        elected.iter().all(|(server, _)| *server == led_by),
        "{elected:?}"
    );
    let known = beginnings(&world);
    assert!(known.starts_with("0-1@unknown 2-"), "{known}");
}

#[test]
fn another_one_chosen_while_a_beginning_is_stored_is_told_to_lead_once_its_own_is() {
    let Left {
        mut world,
        gone,
        led_by,
        ..
    } = led_once(28, 29);
    world.failing.clear();
    world.silent.insert((gone.clone(), "NewTerm"));
    world.log.clear();
    world.observe(&led_by, true);
    world.observe(&gone, true);
    for _ in 0..2_000 {
        let is_fenced = |effect: &Effect| match effect {
            Effect::Call {
                call: Call::NewTerm(call),
                ..
            } => call.shard == SHARD && call.term == Term(2),
            _ => false,
        };
        if world.log.iter().any(is_fenced) {
            break;
        }
        world.run_for(1);
    }
    world.hold_stores = true;
    world.run_for(200);
    assert_eq!((world.held.len(), promotions(&world).len()), (1, 0));
    speak(&mut world, &gone, "NewTerm");
    assert_eq!(promotions(&world).len(), 0);
    world.run_refusing(1_000, |_| None);
    assert_eq!(promotions(&world)[0].0, gone);
    assert_eq!(beginnings(&world), "0@none 1@0/28 2@1/29");
}

#[test]
fn a_head_that_can_not_be_is_no_vote_and_costs_nothing() {
    let impossible = [
        head(i64::MAX, 3),
        head(1, 3),
        head(-1, 3),
        head(0, -1),
        head(-5, -5),
        EntryId {
            term: Term(i64::MIN),
            offset: i64::MIN,
        },
    ];
    for head in impossible {
        let mut world = World::steady();
        let led_by = leader(&world);
        let (one, two) = super::others(&led_by);
        world.heads.insert(one.clone(), head);
        world.heads.insert(two.clone(), super::head(0, 3));
        world.heads.insert(led_by.clone(), super::head(0, 3));
        world.log.clear();
        world.lose(&led_by, &["CheckHealth"]);
        world.run_for(30_000);
        let elected = promotions(&world);
        assert!(elected.iter().all(|(server, _)| *server != one), "{head:?}");
        let told = elected.iter().map(|(_, call)| &call.follower_maps);
        assert!(
            told.into_iter()
                .all(|told| !told.contains_key(one.as_str()))
        );
    }
}

#[test]
fn who_goes_on_from_its_leaders_log_is_elected_with_only_once_it_would_be_asked() {
    let mut left = led_twice(29, 30);
    back(&mut left);
    let Left {
        mut world,
        gone,
        led_by,
        other,
    } = left;
    world.lose(&gone, &["CheckHealth"]);
    write_in_its_term(&mut world, &led_by, &other);
    world.run_for(120_000);
    assert_eq!((term(&world), promotions(&world).len()), (Term(2), 0));
    world.failing.remove(&(gone.clone(), "CheckHealth"));
    world.observe(&gone, true);
    world.run_for(120_000);
    let (_, call) = promotions(&world).remove(0);
    assert!(call.follower_maps.contains_key(gone.as_str()));
}

#[test]
fn a_document_that_somebody_else_has_written_is_taken_to_know_nothing_of_its_own_term() {
    let of = |text: &str| -> Beginnings { text.parse().unwrap() };
    for (before, term, after) in [
        ("", 3, ""),
        ("0@none 2@0/29", 2, "0@none 2@0/29"),
        ("0@none 2@0/29", 4, "0@none 2@0/29 4@unknown"),
    ] {
        assert_eq!(of(before).with_unknown(Term(term)), of(after));
    }
}

/// The leader of term 2 has written two more entries, and was told to lead in term 3, where another one was to
/// take the place of one that has left its log. It is gone, and nobody knows whether the one that came was fed.
#[test]
fn nobody_leads_who_has_what_a_majority_of_one_ensemble_has_while_the_other_may_have_more() {
    let servers = super::exchanged::configuration(&[1, 2, 3, 4]);
    let mut world = World::steady_with(Timing::default(), &servers, 1);
    let named = |names: [&str; 3]| names.map(member).to_vec();
    world.edit(SHARD, |shard| {
        shard.ensemble = named(["s1", "s2", "s4"]);
        shard.removed_nodes = vec![member("s3")];
        shard.last_leader = Some(LastLeader {
            term: Term(2),
            server: Some(ServerId("s1".into())),
            committed: 17,
        });
    });
    unled(&mut world, 3, "0@none 1@0/14 2@0/17 3@2/19");
    let mut world = world.restarted();
    fence(&mut world, "s2:6649", 3, head(0, 17));
    fence(&mut world, "s3:6649", 1, head(1, 17));
    fence(&mut world, "s4:6649", 3, EntryId::NONE);
    elect_without(&mut world, "s1:6649");
    assert_eq!(promotions(&world), []);

    world.failing.clear();
    fence(&mut world, "s1:6649", 3, head(2, 19));
    world.observe("s1:6649", true);
    world.run_for(60_000);
    assert_eq!(promotions(&world)[0].0, "s1:6649");
}

fn member(name: &str) -> DataServerIdentity {
    DataServerIdentity {
        name: Some(name.into()),
        public: format!("{name}:6648").into(),
        internal: format!("{name}:6649").into(),
    }
}
