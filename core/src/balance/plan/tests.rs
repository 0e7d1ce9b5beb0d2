use super::*;
use crate::id::Term;

fn id(server: usize) -> ServerId {
    ServerId(format!("s{server}").into())
}

fn server(at: usize) -> DataServerIdentity {
    DataServerIdentity {
        name: Some(format!("s{at}").into()),
        public: format!("s{at}:6648").into(),
        internal: format!("s{at}:6649").into(),
    }
}

/// Servers by number, and a namespace of so many replicas.
fn configured(servers: &[usize]) -> ClusterConfiguration {
    let namespace = "namespaces: [{name: default, initialShardCount: 1, replicationFactor: 3}]\n";
    let servers = servers.iter().map(|at| {
        format!("  - {{name: s{at}, public: \"s{at}:6648\", internal: \"s{at}:6649\"}}\n")
    });
    let text = format!("{namespace}servers:\n{}", servers.collect::<String>());
    ClusterConfiguration::decode(&text).unwrap()
}

/// Shards by their members.
fn status(ensembles: &[&[usize]]) -> ClusterStatus {
    let mut status = ClusterStatus::default();
    let namespace = status.namespaces.entry("default".into()).or_default();
    for (at, ensemble) in ensembles.iter().enumerate() {
        let ensemble: Vec<_> = ensemble.iter().map(|it| server(*it)).collect();
        let shard = ShardMetadata {
            status: ShardStatus::SteadyState,
            term: Term(1),
            leader: ensemble.first().cloned(),
            ensemble,
            ..ShardMetadata::default()
        };
        let id = ShardId(i64::try_from(at).unwrap());
        namespace.shards.insert(id, Arc::new(shard));
    }
    status
}

fn planned(
    status: &ClusterStatus,
    configuration: &ClusterConfiguration,
    running: &[usize],
) -> Plan {
    let running = running.iter().map(|at| id(*at)).collect();
    situation(status, configuration, &running).plan()
}

/// Nothing is known but who runs, and whoever does can be relied on.
fn situation<'a>(
    status: &'a ClusterStatus,
    configuration: &'a ClusterConfiguration,
    running: &'a BTreeSet<ServerId>,
) -> Situation<'a> {
    static NO_SHARDS: BTreeSet<ShardId> = BTreeSet::new();
    static NO_PLACES: BTreeSet<(ShardId, ServerId)> = BTreeSet::new();
    static NO_FEATURES: BTreeMap<ServerId, BTreeSet<Feature>> = BTreeMap::new();
    Situation {
        status,
        configuration,
        running,
        lasting: running,
        features: &NO_FEATURES,
        tired: &NO_SHARDS,
        fresh: &NO_PLACES,
        declined: &NO_PLACES,
        settled: &NO_SHARDS,
        resting: &NO_SHARDS,
    }
}

/// The status once all of a plan is done.
fn carried_out(mut status: ClusterStatus, plan: &Plan) -> ClusterStatus {
    for each in &plan.moves {
        let namespace = status.namespaces.get_mut(&each.namespace).unwrap();
        let shard = Arc::make_mut(namespace.shards.get_mut(&each.shard).unwrap());
        shard.ensemble.retain(|member| member.id() != each.from);
        assert!(!shard.is_member(&each.to));
        shard.ensemble.push(each.to.clone());
        let leader = shard.leader.take();
        let leader = leader.filter(|leader| shard.is_member(leader));
        shard.leader = leader.or_else(|| shard.ensemble.first().cloned());
    }
    for each in &plan.handings {
        let namespace = status.namespaces.get_mut(&each.namespace).unwrap();
        let shard = Arc::make_mut(namespace.shards.get_mut(&each.shard).unwrap());
        let leader = shard.ensemble.iter().find(|member| member.id() == each.to);
        shard.leader = Some(leader.unwrap().clone());
    }
    status
}

fn spread(status: &ClusterStatus, servers: &[usize]) -> Vec<u64> {
    let load = Load::of(status);
    servers.iter().map(|at| load.shards(&id(*at))).collect()
}

#[test]
fn nothing_is_moved_where_all_have_the_same_but_for_one() {
    let status = status(&[&[1, 2, 3], &[2, 3, 4], &[1, 3, 4], &[1, 2, 4], &[1, 2, 3]]);
    let plan = planned(&status, &configured(&[1, 2, 3, 4]), &[1, 2, 3, 4]);
    assert_eq!((plan.moves.len(), plan.stuck.len()), (0, 0));
}

#[test]
fn new_servers_get_their_share_by_as_few_moves_as_that_takes() {
    let status = status(&[&[1, 2, 3][..]; 32]);
    let all = [1, 2, 3, 4, 5, 6, 7];
    let (mut after, mut moves) = (status, 0);
    // A shard moves once in a plan.
    loop {
        let plan = planned(&after, &configured(&all), &all);
        if plan == Plan::default() {
            break;
        }
        moves += plan.moves.len();
        after = carried_out(after, &plan);
    }
    // 96 places over 7 servers: 13 or 14 each.
    let after = spread(&after, &all);
    assert!(after.iter().all(|it| (13..=14).contains(it)), "{after:?}");
    assert!((96 - 3 * 14..=96 - 3 * 13).contains(&moves), "{moves}");
}

#[test]
fn a_plan_that_is_carried_out_leaves_nothing_to_be_planned() {
    for ensembles in [
        vec![&[1, 2, 3][..]; 20],
        vec![&[1, 2, 3][..], &[1, 2, 5], &[1, 4, 5]],
    ] {
        let status = status(&ensembles);
        let all = [1, 2, 3, 4];
        let configuration = configured(&all);
        let first = planned(&status, &configuration, &all);
        let status = carried_out(status, &first);
        let second = planned(&status, &configuration, &all);
        assert_eq!((second.moves.len(), second.stuck.len()), (0, 0));
        let third = planned(&carried_out(status, &second), &configuration, &all);
        assert_eq!(third, Plan::default());
    }
}

#[test]
fn a_server_that_is_not_configured_any_more_is_emptied_even_while_it_is_away() {
    let status = status(&[&[1, 2, 3], &[1, 2, 3], &[1, 2, 4]]);
    let plan = planned(&status, &configured(&[2, 3, 4, 5]), &[2, 3, 4, 5]);
    let from_one = plan.moves.iter().filter(|it| it.from == id(1)).count();
    assert_eq!(from_one, 3);
    let after = carried_out(status, &plan);
    assert_eq!(spread(&after, &[1]), [0]);
}

#[test]
fn nothing_goes_to_a_server_that_is_away_or_was_left_and_not_cleared_yet() {
    let mut before = status(&[&[1, 2, 3]]);
    let plan = planned(&before, &configured(&[1, 2, 4, 5]), &[1, 2, 5]);
    assert_eq!(plan.moves.first().map(|it| it.to.id()), Some(id(5)));
    let namespace = before.namespaces.get_mut("default").unwrap();
    for shard in namespace.shards.values_mut() {
        Arc::make_mut(shard).pending_delete_shard_nodes = vec![server(5)];
    }
    let plan = planned(&before, &configured(&[1, 2, 4, 5]), &[1, 2, 5]);
    assert_eq!((plan.moves, plan.stuck.len()), (Vec::new(), 1));
}

/// One that is away is never in sync, and nobody is exchanged before all that stay are.
#[test]
fn shards_with_a_member_that_is_away_are_not_moved_only_to_make_servers_equal() {
    let status = status(&[&[1, 2, 3], &[1, 2, 3], &[1, 2, 4], &[1, 2, 4]]);
    let plan = planned(&status, &configured(&[1, 2, 3, 4, 5, 6]), &[1, 2, 4, 5, 6]);
    let moved: Vec<_> = plan.moves.iter().map(|it| it.shard.0).collect();
    assert!(
        !moved.is_empty() && moved.iter().all(|it| [2, 3].contains(it)),
        "{moved:?}"
    );
}

#[test]
fn nothing_is_moved_of_shards_that_are_not_whole_or_have_one_replica() {
    let mut status = status(&[&[1, 2, 3], &[1, 2, 3], &[1, 2, 3], &[1]]);
    let namespace = status.namespaces.get_mut("default").unwrap();
    let changes: [fn(&mut ShardMetadata); 3] = [
        |shard| shard.status = ShardStatus::Election,
        |shard| shard.status = ShardStatus::Deleting,
        |shard| shard.removed_nodes = vec![server(4)],
    ];
    for (shard, change) in namespace.shards.values_mut().zip(changes) {
        change(Arc::make_mut(shard));
    }
    let all = [4, 5, 6, 7];
    let plan = planned(&status, &configured(&all), &all);
    assert!(plan.moves.is_empty() && plan.handings.is_empty());
    assert_eq!(plan.stuck.len(), 1, "the one of one replica");
}

#[test]
fn while_it_is_paused_only_servers_that_are_not_configured_any_more_are_emptied() {
    let status = status(&[&[1, 2, 3], &[1, 2, 3], &[1, 2, 3]]);
    for (servers, moves) in [([1, 2, 3, 4], 0), ([2, 3, 4, 5], 3)] {
        let mut configuration = configured(&servers);
        configuration.load_balancer.paused = true;
        let plan = planned(&status, &configuration, &servers);
        assert_eq!((plan.moves.len(), plan.handings.len()), (moves, 0));
    }
}

#[test]
fn a_shard_of_one_replica_is_said_to_be_stuck_on_a_server_that_is_not_configured_any_more() {
    let status = status(&[&[1], &[2]]);
    let plan = planned(&status, &configured(&[2, 3, 4]), &[1, 2, 3, 4]);
    assert!(plan.moves.is_empty());
    let stuck: Vec<_> = plan.stuck.iter().collect();
    let [(ShardId(0), Stuck { server, reason })] = stuck.as_slice() else {
        panic!("{stuck:?}");
    };
    assert_eq!(*server, id(1));
    assert!(reason.contains("s1 has one of 1 replicas"), "{reason}");
}

#[test]
fn a_shard_that_rests_holds_up_no_other() {
    let status = status(&[&[1, 2, 3], &[1, 2, 3]]);
    let running = [2, 3, 4].map(id).into();
    let configuration = configured(&[2, 3, 4]);
    let situation = Situation {
        resting: &[ShardId(0)].into(),
        ..situation(&status, &configuration, &running)
    };
    let moves = situation.plan().moves;
    let shards: Vec<ShardId> = moves.iter().map(|it| it.shard).collect();
    assert_eq!(shards, [ShardId(1)]);
}

#[test]
fn who_has_data_of_a_shard_of_an_earlier_time_takes_it_in_only_where_it_has_to_go_and_nobody_else_can()
 {
    let targets = |status: &ClusterStatus, servers: &[usize], declined: &[(i64, usize)]| {
        let running = (1..=5).map(id).collect();
        let declined = declined
            .iter()
            .map(|(shard, at)| (ShardId(*shard), id(*at)));
        let configuration = configured(servers);
        let situation = Situation {
            declined: &declined.collect(),
            ..situation(status, &configuration, &running)
        };
        let moves = situation.plan().moves;
        moves
            .iter()
            .map(|it| (it.shard.0, it.to.id()))
            .collect::<Vec<_>>()
    };
    let one = status(&[&[1, 2, 3]]);
    for (declined, to) in [(4, 5), (5, 4)] {
        assert_eq!(
            targets(&one, &[2, 3, 4, 5], &[(0, declined)]),
            [(0, id(to))]
        );
    }
    assert_eq!(targets(&one, &[2, 3, 4], &[(0, 4)]), [(0, id(4))]);
    // To make servers equal, another shard goes there.
    let two = status(&[&[1, 2, 3], &[1, 2, 3]]);
    assert_eq!(targets(&two, &[1, 2, 3, 4], &[(0, 4)]), [(1, id(4))]);
    assert_eq!(targets(&two, &[1, 2, 3, 4], &[(0, 4), (1, 4)]), []);
}

#[test]
fn a_shard_that_only_who_has_old_data_of_it_could_take_in_is_tried_and_said_to_be_stuck() {
    let stuck = |servers: &[usize], declined: bool| {
        let (status, configuration) = (status(&[&[1, 2, 3]]), configured(servers));
        let running = (1..=5).map(id).collect();
        let declined = declined.then(|| (ShardId(0), id(4)));
        let situation = Situation {
            declined: &declined.into_iter().collect(),
            ..situation(&status, &configuration, &running)
        };
        let Plan { moves, stuck, .. } = situation.plan();
        let told = stuck
            .values()
            .map(|it| (it.server.clone(), it.reason.contains("s4")));
        (moves.len(), told.collect::<Vec<_>>())
    };
    assert_eq!(stuck(&[2, 3, 4], true), (1, vec![(id(1), true)]));
    assert_eq!(stuck(&[2, 3, 4], false), (1, vec![]));
    assert_eq!(stuck(&[2, 3, 4, 5], true), (1, vec![]));
    // It does not have to leave.
    assert_eq!(stuck(&[1, 2, 3, 4], true), (0, vec![]));
}

/// How many of the shards of a status each server leads, once a plan has been carried out.
fn leads(status: &ClusterStatus, plan: &Plan, servers: &[usize]) -> Vec<usize> {
    let leader = |shard: ShardId, stored: Option<ServerId>| {
        let handed = plan.handings.iter().find(|it| it.shard == shard);
        handed.map_or(stored, |it| Some(it.to.clone()))
    };
    let leaders: Vec<_> = status
        .shards()
        .filter_map(|(_, shard, it)| leader(shard, it.leader.as_ref().map(DataServerIdentity::id)))
        .collect();
    let counts = servers
        .iter()
        .map(|at| leaders.iter().filter(|it| **it == id(*at)).count());
    counts.collect()
}

#[test]
fn a_server_that_leads_too_many_shards_hands_them_to_those_that_lead_the_fewest() {
    let all = [1, 2, 3];
    let status = status(&[&[1_usize, 2, 3][..]; 9]);
    let plan = planned(&status, &configured(&all), &all);
    assert_eq!(leads(&status, &plan, &all), [3, 3, 3]);
    assert_eq!(plan.handings.len(), 6, "no more than have to");
    let even = self::status(&[&[1, 2, 3], &[1, 3, 2], &[2, 1, 3], &[3, 1, 2]]);
    assert_eq!(planned(&even, &configured(&all), &all), Plan::default());
}

#[test]
fn leaders_are_spread_only_once_nothing_is_to_be_moved_and_most_shards_are_led() {
    let status = status(&[&[1_usize, 2, 3][..]; 8]);
    let plan = planned(&status, &configured(&[1, 2, 3, 4]), &[1, 2, 3, 4]);
    assert!(!plan.moves.is_empty() && plan.handings.is_empty());
    for (unled, are_handed) in [(2, true), (3, false)] {
        let mut status = status.clone();
        let namespace = status.namespaces.get_mut("default").unwrap();
        for shard in namespace.shards.values_mut().take(unled) {
            Arc::make_mut(shard).leader = None;
        }
        let plan = planned(&status, &configured(&[1, 2, 3]), &[1, 2, 3]);
        assert_eq!(!plan.handings.is_empty(), are_handed, "{unled} of 8");
    }
}

#[test]
fn nothing_is_handed_to_or_from_one_that_failed_lately() {
    let status = status(&[&[1_usize, 2, 3][..]; 8]);
    let configuration = configured(&[1, 2, 3]);
    let running = [1, 2, 3].map(id).into();
    for (lasting, handed) in [([1, 2], [4, 4, 0]), ([2, 3], [8, 0, 0])] {
        let situation = Situation {
            lasting: &lasting.map(id).into(),
            ..situation(&status, &configuration, &running)
        };
        let plan = situation.plan();
        assert_eq!(leads(&status, &plan, &[1, 2, 3]), handed);
    }
}

#[test]
fn a_shard_goes_to_who_can_do_what_all_of_its_members_can_and_to_nobody_else() {
    let status = status(&[&[1, 2, 3]]);
    let configuration = configured(&[2, 3, 4, 5]);
    let running = [2, 3, 4, 5].map(id).into();
    let able = |names: &[usize]| -> BTreeMap<ServerId, BTreeSet<Feature>> {
        let one = BTreeSet::from([Feature(1)]);
        let both = BTreeSet::from([Feature(1), Feature(2)]);
        let all = [2, 3, 4, 5].into_iter();
        all.map(|at| {
            (
                id(at),
                if names.contains(&at) {
                    both.clone()
                } else {
                    one.clone()
                },
            )
        })
        .collect()
    };
    for (names, to) in [
        (&[2, 3, 5][..], Some(5)),
        (&[2, 3, 4][..], Some(4)),
        (&[2, 3][..], None),
        (&[2][..], Some(5)),
    ] {
        let situation = Situation {
            features: &able(names),
            ..situation(&status, &configuration, &running)
        };
        let plan = situation.plan();
        assert_eq!(
            plan.moves.first().map(|it| it.to.id()),
            to.map(id),
            "{names:?}"
        );
        assert_eq!(plan.stuck.len(), usize::from(to.is_none()));
    }
}

#[test]
fn a_tired_shard_leaves_only_a_server_that_is_not_configured_any_more() {
    let status = status(&[&[1, 2, 3], &[1, 2, 3], &[1, 2, 3]]);
    for (servers, moves) in [([1, 2, 3, 4], 0), ([2, 3, 4, 5], 3)] {
        let running = servers.map(id).into();
        let configuration = configured(&servers);
        let situation = Situation {
            lasting: &BTreeSet::new(),
            tired: &[0, 1, 2].map(ShardId).into(),
            ..situation(&status, &configuration, &running)
        };
        assert_eq!(situation.plan().moves.len(), moves);
    }
}

#[test]
fn where_nobody_can_take_a_shard_in_it_is_said_of_each_server_why() {
    let status = status(&[&[1, 2, 3]]);
    let mut configuration = configured(&[2, 3, 4, 5]);
    configuration.servers[3].internal = server(1).internal;
    let plan = planned(&status, &configuration, &[2, 3, 5]);
    let reason = &plan.stuck[&ShardId(0)].reason;
    for told in ["s4 is away", "s5 has the address of s1", "name it s1 again"] {
        assert!(reason.contains(told), "{reason}");
    }
    assert!(!reason.contains("s2"), "{reason}");
}

#[test]
fn a_shard_of_two_replicas_stays_where_it_is() {
    let status = status(&[&[1, 2], &[2, 3]]);
    let plan = planned(&status, &configured(&[2, 3, 4]), &[1, 2, 3, 4]);
    assert_eq!((plan.moves.len(), plan.stuck.len()), (0, 1));
}

#[test]
fn nobody_comes_to_where_data_of_the_shard_is_still_to_be_deleted_under_whatever_name() {
    let mut status = status(&[&[1, 2, 3]]);
    let namespace = status.namespaces.get_mut("default").unwrap();
    let shard = Arc::make_mut(namespace.shards.get_mut(&ShardId(0)).unwrap());
    let renamed = DataServerIdentity {
        name: Some("before".into()),
        ..server(4)
    };
    shard.pending_delete_shard_nodes.push(renamed);
    let plan = planned(&status, &configured(&[2, 3, 4]), &[2, 3, 4]);
    assert_eq!((plan.moves.len(), plan.stuck.len()), (0, 1));
}

#[test]
fn leaders_of_shards_that_are_not_moved_count_as_well() {
    let status = status(&[&[1], &[1], &[1], &[2, 1, 3], &[2, 1, 3]]);
    let plan = planned(&status, &configured(&[1, 2, 3]), &[1, 2, 3]);
    let to: Vec<_> = plan.handings.iter().map(|it| it.to.clone()).collect();
    assert!(!to.contains(&id(1)), "it leads three already: {to:?}");
}

#[test]
fn a_shard_does_not_leave_where_it_has_come_to_lately_only_to_make_servers_equal() {
    let status = status(&[&[1, 2, 3], &[1, 2, 3], &[1, 2, 3]]);
    let running = [1, 2, 3, 4].map(id).into();
    let shards = [0, 1, 2].map(ShardId).into_iter();
    let fresh = shards.flat_map(|shard| [(shard, id(2)), (shard, id(3))]);
    let configuration = configured(&[1, 2, 3, 4]);
    let situation = Situation {
        lasting: &BTreeSet::new(),
        fresh: &fresh.collect(),
        ..situation(&status, &configuration, &running)
    };
    let moves = situation.plan().moves;
    assert!(!moves.is_empty(), "the other members may go");
    assert!(moves.iter().all(|it| it.from == id(1)), "{moves:?}");
}

#[test]
fn a_server_of_another_name_is_not_given_the_place_that_it_has_by_its_address() {
    let status = status(&[&[1, 2, 3]]);
    let mut renamed = configured(&[1, 2, 4, 5]);
    renamed.servers[2].internal = "s3:6649".into();
    let plan = planned(&status, &renamed, &[1, 2, 3, 4, 5]);
    let to: Vec<ServerId> = plan.moves.iter().map(|it| it.to.id()).collect();
    assert_eq!(to, [id(5)]);
    renamed.servers.pop();
    let plan = planned(&status, &renamed, &[1, 2, 3, 4]);
    assert_eq!((plan.moves.len(), plan.stuck.len()), (0, 1));
}
