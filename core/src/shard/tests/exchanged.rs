//! One server takes another's place.

use super::{SHARD, calls_of_shard, promotions};
use crate::call::{Call, CallErrorKind};
use crate::cluster::{ShardMetadata, ShardStatus};
use crate::scripted::World;
use crate::{Effect, Report, Term, Timing};

/// A namespace of one shard with three replicas, and these servers.
pub(super) fn configuration(servers: &[u32]) -> String {
    let servers = servers
        .iter()
        .map(|at| format!("  - {{name: s{at}, public: 's{at}:6648', internal: 's{at}:6649'}}\n"));
    format!(
        "namespaces: [{{name: default, initialShardCount: 1, replicationFactor: 3}}]\n\
         servers:\n{}",
        servers.collect::<String>()
    )
}

pub(super) fn steady() -> World {
    World::steady_with(Timing::default(), &configuration(&[1, 2, 3]), 1)
}

pub(super) fn shard(world: &World) -> ShardMetadata {
    let (_, document) = world.stored.as_ref().unwrap();
    let shard = &document.status.namespaces["default"].shards[&SHARD];
    ShardMetadata::clone(shard)
}

fn members(world: &World) -> Vec<String> {
    let shard = shard(world);
    let mut names: Vec<_> = shard
        .ensemble
        .iter()
        .map(|it| it.id().to_string())
        .collect();
    names.sort();
    names
}

/// Where in the log a call of this kind went to this server, first.
fn at(world: &World, kind: &str, server: &str) -> Option<usize> {
    let calls = calls_of_shard(world);
    let server = format!("{server}:6649");
    calls
        .iter()
        .position(|(name, to, _)| *name == kind && *to == server)
}

pub(super) fn forgotten(world: &World) -> bool {
    let is_it = |effect: &Effect| matches!(effect, Effect::Report(Report::ServerForgotten { .. }));
    world.log.iter().any(is_it)
}

#[test]
fn a_server_that_is_not_configured_any_more_is_emptied_and_then_forgotten() {
    let mut world = steady();
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(10_000);
    assert_eq!(members(&world), ["s2", "s3", "s4"]);
    let shard = shard(&world);
    assert_eq!(shard.status, ShardStatus::SteadyState);
    assert!(shard.removed_nodes.is_empty() && shard.pending_delete_shard_nodes.is_empty());
    assert!(at(&world, "DeleteShard", "s1").is_some());
    assert!(forgotten(&world));
    assert_eq!(shard.term, Term(1), "one term is enough");
}

#[test]
fn who_leaves_deletes_what_it_has_only_once_the_one_that_came_has_all() {
    let mut world = steady();
    for server in ["s1", "s2", "s3"] {
        let server = format!("{server}:6649");
        world.heads.insert(server, super::head(0, 10));
    }
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(20_000);
    assert_eq!(members(&world), ["s2", "s3", "s4"]);
    let deleted = at(&world, "DeleteShard", "s1");
    assert_eq!(deleted, None, "the new one has nothing yet");
    let has_all = crate::call::ReplicaStatus {
        head_offset: 10,
        ..super::replica(1, crate::call::ReplicaRole::Follower)
    };
    world.replicas.insert("s4:6649".to_owned(), has_all);
    world.run_for(60_000);
    assert!(at(&world, "DeleteShard", "s1").is_some());
    assert_eq!(shard(&world).pending_delete_shard_nodes, []);
}

#[test]
fn what_is_to_be_is_stored_with_the_term_before_anybody_is_told() {
    let mut world = steady();
    world.hold_stores = true;
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(5_000);
    let told = calls_of_shard(&world).into_iter();
    let mut told = told.filter(|(_, _, call)| match call {
        Call::NewTerm(call) => call.term > Term(0),
        Call::BecomeLeader(_) => true,
        _ => false,
    });
    assert_eq!(told.next(), None);
    let Some(Effect::Store { document, .. }) = world.held.first() else {
        panic!("nothing is stored: {:?}", world.held);
    };
    let shard = &document.status.namespaces["default"].shards[&SHARD];
    assert_eq!((shard.term, shard.status), (Term(1), ShardStatus::Election));
    let names = |servers: &[crate::cluster::DataServerIdentity]| {
        let names = servers.iter().map(|it| it.id().to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&shard.removed_nodes), ["s1"]);
    assert_eq!(names(&shard.ensemble).last().unwrap(), "s4");
}

#[test]
fn a_leader_that_leaves_hands_over_in_the_same_term() {
    for leaver in 1..=3 {
        let mut world = steady();
        let stay: Vec<u32> = (1..=4).filter(|at| *at != leaver).collect();
        world.configure(Some(&configuration(&stay)));
        world.run_for(10_000);
        let leader = shard(&world).leader.unwrap().id();
        assert_ne!(leader.to_string(), format!("s{leaver}"));
        assert_eq!(shard(&world).term, Term(1));
        assert_eq!(promotions(&world).len(), 1);
    }
}

#[test]
fn one_that_is_away_for_good_is_replaced_and_its_data_is_asked_for_when_it_is_back() {
    let mut world = steady();
    world.take_away("s1:6649");
    world.run_for(20_000);
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(20_000);
    assert_eq!(members(&world), ["s2", "s3", "s4"]);
    assert_eq!(shard(&world).pending_delete_shard_nodes.len(), 1);
    assert!(!forgotten(&world));
    world.failing.clear();
    world.run_for(30_000);
    assert_eq!(shard(&world).pending_delete_shard_nodes, []);
    assert!(forgotten(&world));
}

#[test]
fn where_nobody_can_lead_with_the_one_that_came_it_goes_back() {
    let mut world = steady();
    let refuse = |world: &mut World, yes: bool| {
        for server in ["s1", "s2", "s3", "s4"] {
            let key = (format!("{server}:6649"), "BecomeLeader");
            if yes {
                world.failing.insert(key, CallErrorKind::Other);
            } else {
                world.failing.remove(&key);
            }
        }
    };
    refuse(&mut world, true);
    world.configure(Some(&configuration(&[2, 3, 4])));
    let mut seen = Vec::new();
    for _ in 0..4_000 {
        world.run_for(1);
        let now = (shard(&world).term, members(&world));
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        if seen.len() == 3 {
            break;
        }
    }
    let [_, (one, came), (two, back)] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!((*one, came.contains(&"s4".to_owned())), (Term(1), true));
    assert_eq!((*two, back.contains(&"s4".to_owned())), (Term(2), false));
    refuse(&mut world, false);
    world.run_for(30_000);
    assert!(shard(&world).leader.is_some());
    assert!(shard(&world).removed_nodes.is_empty());
}

#[test]
fn while_another_member_is_away_it_is_said_why_a_server_is_not_emptied() {
    let mut world = steady();
    world.take_away("s2:6649");
    world.run_for(20_000);
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(10_000);
    let plan = world.machine.survey().unwrap().plan();
    let stuck = plan.stuck.get(&SHARD).unwrap();
    assert_eq!(stuck.server.to_string(), "s1");
    assert!(stuck.reason.contains("have what is committed"), "{stuck:?}");
}

#[test]
fn who_comes_in_the_place_of_another_is_not_said_to_have_lost_what_it_never_got() {
    let mut world = steady();
    for server in ["s1:6649", "s2:6649", "s3:6649", "s4:6649"] {
        world.cut_off(server, &["BecomeLeader"]);
    }
    world.configure(Some(&configuration(&[2, 3, 4])));
    while !members(&world).contains(&"s4".to_owned()) {
        world.run_for(1);
    }
    // It has not got anything.
    world.forgetful.insert("s4:6649".to_owned());
    for server in ["s2:6649", "s3:6649"] {
        world.cut_off(server, &["GetStatus", "NewTerm"]);
    }
    world.log.clear();
    world.run_for(20_000);
    let blocked = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::ShardBlocked { reason, .. }) => Some(reason.clone()),
        _ => None,
    });
    let blocked: Vec<_> = blocked.collect();
    let [reason] = blocked.as_slice() else {
        panic!("{blocked:?}");
    };
    assert!(
        reason.starts_with("s4, which came in the place of another, has nothing"),
        "{reason}"
    );
    assert!(reason.contains("it waits for s2, s3"), "{reason}");
}

#[test]
fn one_that_has_data_of_an_earlier_time_does_not_come() {
    let mut world = steady();
    // It was fenced once, and nobody knows.
    world.replicas.insert(
        "s4:6649".to_owned(),
        super::replica(0, crate::call::ReplicaRole::Follower),
    );
    world.closed.clear();
    world.known.insert("s4:6649".to_owned());
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(20_000);
    assert_eq!(members(&world), ["s1", "s2", "s3"]);
    let refused = world.log.iter().find_map(|effect| match effect {
        Effect::Report(Report::ExchangeRefused { reason, .. }) => Some(reason.clone()),
        _ => None,
    });
    assert!(refused.unwrap().contains("s4 has data of it"));
}

#[test]
fn a_shard_that_nobody_could_take_in_goes_to_the_next_server_that_comes_however_seldom_is_planned()
{
    let mut world = steady();
    world.cut_off("s4:6649", &["Handshake"]);
    let seldom = "loadBalancer: {scheduleInterval: 1h}\n";
    world.configure(Some(&format!("{}{seldom}", configuration(&[2, 3, 4]))));
    world.run_for(60_000);
    assert_eq!(members(&world), ["s1", "s2", "s3"]);
    world.failing.clear();
    world.run_for(20_000);
    assert_eq!(members(&world), ["s2", "s3", "s4"]);
}

#[test]
fn a_shard_goes_where_what_it_had_there_is_deleted_by_now_however_seldom_is_planned() {
    let mut world = steady();
    let deletes = ("s1:6649".to_owned(), "DeleteShard");
    world
        .failing
        .insert(deletes, crate::call::CallErrorKind::Other);
    world.configure(Some(&configuration(&[2, 3, 4])));
    world.run_for(20_000);
    let seldom = "loadBalancer: {scheduleInterval: 1h}\n";
    world.configure(Some(&format!("{}{seldom}", configuration(&[1, 2, 4]))));
    world.run_for(60_000);
    assert_eq!(members(&world), ["s2", "s3", "s4"]);
    world.failing.clear();
    world.run_for(90_000);
    assert_eq!(members(&world), ["s1", "s2", "s4"]);
}

/// A shard of which a server that is not configured yet has data, in this term.
fn with_old_data(at: &str, term: i64) -> World {
    let mut world = steady();
    let replica = super::replica(term, crate::call::ReplicaRole::Follower);
    world.replicas.insert(format!("{at}:6649"), replica);
    world.closed.clear();
    world.known.insert(format!("{at}:6649"));
    world
}

fn refusals(world: &World) -> usize {
    let is_it = |it: &&Effect| matches!(it, Effect::Report(Report::ExchangeRefused { .. }));
    world.log.iter().filter(is_it).count()
}

/// A shard that is to leave `s1` for `s4` or `s5`, of which this one has data of it, in this term.
fn with_data_of_an_earlier_time(at: &str, term: i64) -> World {
    let mut world = with_old_data(at, term);
    world.configure(Some(&configuration(&[2, 3, 4, 5])));
    world.run_for(20_000);
    world
}

#[test]
fn where_who_was_chosen_has_data_of_an_earlier_time_another_one_comes() {
    let mut refused = 0;
    for (old, other) in [("s4", "s5"), ("s5", "s4")] {
        let world = with_data_of_an_earlier_time(old, 0);
        assert_eq!(members(&world), ["s2", "s3", other]);
        refused += refusals(&world);
    }
    assert_eq!(refused, 1, "one of them is chosen first, and is not again");
}

#[test]
fn where_who_was_chosen_has_data_another_one_comes_however_short_the_quarantine() {
    for (old, other) in [("s4", "s5"), ("s5", "s4")] {
        let mut world = with_old_data(old, 0);
        let text = configuration(&[2, 3, 4, 5]);
        world.configure(Some(&format!(
            "{text}loadBalancer: {{quarantineTime: 1s}}\n"
        )));
        world.run_for(20_000);
        assert_eq!(members(&world), ["s2", "s3", other]);
    }
}

#[test]
fn the_term_of_data_of_an_earlier_time_is_exceeded_once_it_is_seen() {
    let seen = |at: &str| with_data_of_an_earlier_time(at, 5);
    let terms = ["s4", "s5"].map(|at| shard(&seen(at)).term);
    assert!(terms.contains(&Term(6)), "{terms:?}");
}

#[test]
fn a_shard_that_could_not_be_moved_is_tried_again_soon_however_seldom_is_planned() {
    let seldom = |servers: &[u32]| {
        let text = configuration(servers).replace("initialShardCount: 1", "initialShardCount: 2");
        format!("{text}loadBalancer: {{scheduleInterval: 1h, paused: true}}\n")
    };
    let mut world = World::steady_with(Timing::default(), &seldom(&[1, 2, 3]), 2);
    let old = super::replica(0, crate::call::ReplicaRole::Follower);
    world.replicas.insert("s4:6649".to_owned(), old);
    world.closed.clear();
    world.known.insert("s4:6649".to_owned());
    world.configure(Some(&seldom(&[2, 3, 4])));
    world.run_for(2_000);
    let moved = |world: &World| {
        let is_it = |it: &&Effect| matches!(it, Effect::Report(Report::ShardMoved { .. }));
        world.log.iter().filter(is_it).count()
    };
    assert_eq!(moved(&world), 0, "it has data of both");
    world.replicas.clear();
    world.known.remove("s4:6649");
    world.run_for(20_000);
    assert_eq!(moved(&world), 2);
}

#[test]
fn of_two_that_leave_the_one_that_is_away_goes_first() {
    for (away, other) in [(1, 2), (2, 1), (2, 3), (3, 1)] {
        let mut world = steady();
        world.take_away(&format!("s{away}:6649"));
        world.run_for(20_000);
        let left = (1..=5).filter(|at| ![away, other].contains(at));
        world.configure(Some(&configuration(&left.collect::<Vec<_>>())));
        world.run_for(60_000);
        let stays = 6 - away - other;
        assert_eq!(
            members(&world),
            [format!("s{stays}"), "s4".to_owned(), "s5".to_owned()]
        );
    }
}

#[test]
fn one_that_waits_for_its_servers_holds_up_no_other_however_seldom_is_planned() {
    let (world, drained) = with_one_that_waits("maxMovesPerServer: 1, scheduleInterval: 1h");
    assert!(!ensembles(&world)[1].contains(&drained), "it has left");
}

#[test]
fn where_as_many_wait_as_may_be_moved_at_once_no_more_are_begun_and_it_is_said_why() {
    let (world, drained) = with_one_that_waits("maxMoves: 1");
    assert!(
        ensembles(&world)[1].contains(&drained),
        "it stays, and is led"
    );
    let stuck = world.machine.survey().unwrap().planned.stuck;
    let stuck: Vec<_> = stuck.values().map(|it| it.server.to_string()).collect();
    assert_eq!(stuck, [drained]);
}

#[test]
fn moves_that_are_held_back_are_planned_anew_however_seldom_is_planned() {
    let (mut world, _) = with_one_that_waits("maxMoves: 1, scheduleInterval: 1h");
    let planned = |world: &World| {
        let planned = world.machine.survey().unwrap().planned.moves;
        planned.first().map(|it| it.to.internal.to_string())
    };
    let before = planned(&world).expect("it is held back");
    world.take_away(&before);
    world.run_for(60_000);
    assert_ne!(planned(&world).expect("it is held back still"), before);
}

#[test]
fn a_coordinator_that_comes_after_begins_no_more_moves_where_as_many_wait() {
    let (world, drained) = with_one_that_waits("maxMoves: 1");
    let failing = world.failing.clone();
    let configured = of_two("maxMoves: 1", &all_but(&drained));
    let mut world = world.restarted();
    world.failing = failing;
    world.configure(Some(&configured));
    world.settle();
    world.run_for(120_000);
    assert!(
        ensembles(&world)[1].contains(&drained),
        "it stays, and is led"
    );
}

/// Two shards are to leave the server that is returned, and since two minutes the first of them waits for others amid
/// its move.
fn with_one_that_waits(limits: &str) -> (World, String) {
    let all = of_two(limits, &[1, 2, 3, 4, 5]);
    let mut world = World::steady_with(Timing::default(), &all, 2);
    let before = ensembles(&world);
    let both = before[0].iter().find(|it| before[1].contains(it)).unwrap();
    for other in before[0].iter().filter(|it| *it != both) {
        let key = (format!("{other}:6649"), "NewTerm");
        world.failing.insert(key, CallErrorKind::Other);
    }
    world.configure(Some(&of_two(limits, &all_but(both))));
    world.run_for(30_000);
    assert!(
        ensembles(&world)[1].contains(both),
        "the first one is under way"
    );
    world.run_for(120_000);
    let (_, _, first) = world.status().shards().next().unwrap();
    assert_eq!(first.status, ShardStatus::Election);
    (world, both.clone())
}

fn of_two(limits: &str, servers: &[u32]) -> String {
    let text = configuration(servers).replace("initialShardCount: 1", "initialShardCount: 2");
    format!("{text}loadBalancer: {{{limits}}}\n")
}

fn all_but(server: &str) -> Vec<u32> {
    let all = (1..=6).filter(|at| format!("s{at}") != server);
    all.collect()
}

fn ensembles(world: &World) -> Vec<Vec<String>> {
    let shards = world.status().shards();
    let names = |shard: &ShardMetadata| {
        let members = shard.ensemble.iter();
        members.map(|it| it.id().to_string()).collect()
    };
    shards.map(|(_, _, shard)| names(shard)).collect()
}

#[test]
fn who_left_and_can_not_be_fenced_deletes_what_it_has_all_the_same() {
    let mut world = steady();
    let led_by = super::leader(&world);
    let leaves = (1..=3).find(|at| led_by != format!("s{at}:6649")).unwrap();
    let server = format!("s{leaves}:6649");
    // As one does that was cut off amid a snapshot.
    world
        .failing
        .insert((server.clone(), "NewTerm"), CallErrorKind::Other);
    let stay: Vec<u32> = (1..=4).filter(|at| *at != leaves).collect();
    world.configure(Some(&configuration(&stay)));
    world.run_for(60_000);
    assert!(at(&world, "DeleteShard", &format!("s{leaves}")).is_some());
    assert!(forgotten(&world));
}

#[test]
fn an_exchange_that_a_document_tells_of_and_calls_steady_is_brought_to_its_end() {
    let mut world = World::steady_with(Timing::default(), &configuration(&[1, 2, 3, 4]), 1);
    let leaver = shard(&world).ensemble[0].clone();
    let mut all = (1..=4).map(|at| format!("s{at}"));
    let spare = all.find(|it| !members(&world).contains(it)).unwrap();
    world.edit(SHARD, |shard| {
        shard.ensemble.remove(0);
        let mut came = leaver.clone();
        came.name = Some(spare.clone().into());
        came.public = format!("{spare}:6648").into();
        came.internal = format!("{spare}:6649").into();
        shard.leader = shard.ensemble.first().cloned();
        shard.ensemble.push(came);
        shard.removed_nodes = vec![leaver];
    });
    let mut world = world.restarted();
    world.configure(Some(&configuration(&[1, 2, 3, 4])));
    world.settle();
    world.run_for(60_000);
    let shard = shard(&world);
    assert!(shard.leader.is_some());
    assert!(shard.removed_nodes.is_empty() && shard.pending_delete_shard_nodes.is_empty());
}

#[test]
fn a_shard_that_is_led_again_leaves_who_is_drained_soon_however_seldom_is_planned() {
    let seldom = |servers: &[u32]| {
        let text = configuration(servers);
        format!("{text}loadBalancer: {{scheduleInterval: 1h}}\n")
    };
    let mut world = World::steady_with(Timing::default(), &seldom(&[1, 2, 3, 4]), 1);
    let gone = super::leader(&world);
    let drained = shard(&world).ensemble.into_iter();
    let mut drained = drained.filter(|it| *it.internal != *gone);
    let drained = drained.next().unwrap().id().to_string();
    let number: u32 = drained.trim_start_matches('s').parse().unwrap();
    for server in ["s1", "s2", "s3", "s4"] {
        let key = (format!("{server}:6649"), "BecomeLeader");
        world.failing.insert(key, CallErrorKind::TimedOut);
    }
    world.lose(&gone, &super::LIFE);
    world.run_for(1_000);
    let left: Vec<u32> = (1..=4).filter(|at| *at != number).collect();
    world.configure(Some(&seldom(&left)));
    world.run_for(20_000);
    assert!(members(&world).contains(&drained));
    world.failing.clear();
    world.run_for(60_000);
    assert!(!members(&world).contains(&drained));
}
