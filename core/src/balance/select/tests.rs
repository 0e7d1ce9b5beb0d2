use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::balance::place::Placement;
use crate::cluster::{
    AntiAffinity, AntiAffinityMode, ClusterConfiguration, ClusterStatus, KeySorting,
};

/// A server for each list of label values; value 0 stands for none. Labels are `l0`, `l1`...
fn configuration(servers: &[Vec<u8>]) -> ClusterConfiguration {
    let mut configuration = ClusterConfiguration::default();
    for (index, values) in servers.iter().enumerate() {
        configuration.servers.push(DataServerIdentity {
            name: None,
            public: format!("p{index}").into(),
            internal: format!("s{index:03}").into(),
        });
        let labels = values.iter().enumerate().filter(|(_, value)| **value != 0);
        configuration.server_metadata.insert(
            ServerId(format!("s{index:03}").into()),
            labels
                .map(|(label, value)| (format!("l{label}").into(), format!("v{value}").into()))
                .collect(),
        );
    }
    configuration
}

fn namespace(rules: &[(&[&str], AntiAffinityMode)], shards: u32, factor: u32) -> Namespace {
    Namespace {
        name: Arc::from("default"),
        initial_shard_count: shards,
        replication_factor: factor,
        notifications_enabled: None,
        key_sorting: KeySorting::Unknown,
        anti_affinities: rules
            .iter()
            .map(|(labels, mode)| AntiAffinity {
                labels: labels.iter().map(|label| Arc::from(*label)).collect(),
                mode: *mode,
            })
            .collect(),
    }
}

fn selector(configuration: &ClusterConfiguration, namespace: &Namespace) -> EnsembleSelector {
    EnsembleSelector::new(
        &configuration.servers,
        &configuration.server_metadata,
        namespace,
        &Load::default(),
    )
}

/// An ensemble for each initial shard, from id 7 on.
fn place(
    configuration: &ClusterConfiguration,
    namespace: &Namespace,
) -> Result<Vec<Vec<DataServerIdentity>>, SelectionError> {
    let end = 7 + i64::from(namespace.initial_shard_count);
    let shards: Vec<_> = (7..end).map(ShardId).collect();
    Placement::new(configuration, &ClusterStatus::default()).place_namespace(namespace, &shards)
}

fn value<'a>(
    configuration: &'a ClusterConfiguration,
    server: &DataServerIdentity,
    label: &str,
) -> Option<&'a Arc<str>> {
    configuration.server_metadata.get(&server.id())?.get(label)
}

fn shards_of(configuration: &ClusterConfiguration, load: &Load) -> Vec<u64> {
    let servers = configuration.servers.iter();
    servers.map(|server| load.shards(&server.id())).collect()
}

use AntiAffinityMode::{Relaxed, Strict};

#[test]
fn members_are_distinct_and_named() {
    let configuration = configuration(&vec![vec![]; 5]);
    let ensemble = selector(&configuration, &namespace(&[], 1, 5))
        .select(ShardId(0))
        .unwrap();
    let ids: BTreeSet<_> = ensemble
        .iter()
        .map(|member| member.name.clone().unwrap())
        .collect();
    assert_eq!(ids.len(), 5);
}

#[test]
fn too_few_servers_are_an_error() {
    let configuration = configuration(&vec![vec![]; 2]);
    assert_eq!(
        selector(&configuration, &namespace(&[], 1, 3)).select(ShardId(0)),
        Err(SelectionError::TooFewServers {
            needed: 3,
            servers: 2
        })
    );
}

#[test]
fn servers_with_the_same_id_count_once() {
    let mut configuration = configuration(&vec![vec![]; 2]);
    configuration.servers.push(configuration.servers[0].clone());
    let error = selector(&configuration, &namespace(&[], 1, 3)).select(ShardId(0));
    assert_eq!(
        error,
        Err(SelectionError::TooFewServers {
            needed: 3,
            servers: 2
        })
    );
}

#[test]
fn every_label_of_a_strict_rule_is_a_constraint() {
    let configuration = configuration(&[vec![1, 1], vec![1, 2], vec![2, 1], vec![2, 2]]);
    let namespace = namespace(&[(&["l0", "l1"], Strict)], 1, 2);
    for shard in 0..20 {
        let ensemble = selector(&configuration, &namespace)
            .select(ShardId(shard))
            .unwrap();
        for label in ["l0", "l1"] {
            let values: BTreeSet<_> = ensemble
                .iter()
                .map(|it| value(&configuration, it, label))
                .collect();
            assert_eq!(values.len(), 2, "{ensemble:?}");
        }
    }
}

#[test]
fn a_strict_rule_that_lacks_values_is_named_with_its_label() {
    let configuration = configuration(&[vec![1, 1], vec![2, 2], vec![3, 0], vec![3, 1]]);
    let namespace = namespace(&[(&["l0"], Strict), (&["l1"], Strict)], 1, 3);
    let error = selector(&configuration, &namespace)
        .select(ShardId(0))
        .unwrap_err();
    assert_eq!(
        error,
        SelectionError::TooFewValues {
            rule: 1,
            label: Arc::from("l1"),
            needed: 3,
            values: 2
        }
    );
    assert_eq!(
        error.to_string(),
        "antiAffinities[1] is strict and needs 3 different values of the label 'l1', and the \
         servers that may be chosen have 2; label more servers, add some, or make the rule relaxed"
    );
}

#[test]
fn strict_rules_that_exclude_each_other_are_named_together() {
    let servers = [vec![1, 1], vec![1, 2], vec![1, 3], vec![2, 1], vec![3, 1]];
    let configuration = configuration(&servers);
    let namespace = namespace(&[(&["l0"], Strict), (&["l1"], Strict)], 1, 3);
    let error = selector(&configuration, &namespace)
        .select(ShardId(0))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no 3 servers differ in all labels that strict anti-affinities name: l0, l1; label or \
         add servers, or make a rule relaxed"
    );
}

#[test]
fn a_strict_rule_never_takes_a_server_without_the_label() {
    let configuration = configuration(&[vec![1], vec![0], vec![2], vec![0], vec![3]]);
    let namespace = namespace(&[(&["l0"], Strict)], 40, 3);
    let placed = place(&configuration, &namespace).unwrap();
    for shard in placed {
        assert!(
            shard
                .iter()
                .all(|it| value(&configuration, it, "l0").is_some())
        );
    }
}

#[test]
fn a_relaxed_rule_spreads_as_far_as_it_can_and_then_gives_way() {
    let configuration = configuration(&[vec![1], vec![1], vec![1], vec![2], vec![0]]);
    let namespace = namespace(&[(&["l0"], Relaxed)], 30, 3);
    let placed = place(&configuration, &namespace).unwrap();
    for shard in placed {
        let values: BTreeSet<_> = shard
            .iter()
            .filter_map(|it| value(&configuration, it, "l0"))
            .collect();
        assert_eq!((shard.len(), values.len()), (3, 2));
    }
}

#[test]
fn a_rule_with_more_labels_is_broken_once() {
    // The third server breaks one rule by two labels, the fourth two rules by one label each.
    let servers = [vec![1, 1, 1, 1], vec![1, 1, 2, 2], vec![2, 2, 1, 1]];
    let configuration = configuration(&servers);
    let rules: [(&[&str], _); 3] = [
        (&["l0", "l1"], Relaxed),
        (&["l2"], Relaxed),
        (&["l3"], Relaxed),
    ];
    let namespace = namespace(&rules, 1, 2);
    let stay = [configuration.servers[0].clone()];
    let best = selector(&configuration, &namespace)
        .replacement(ShardId(0), &stay)
        .unwrap();
    assert_eq!(best.id(), configuration.servers[1].id());
}

#[test]
fn a_replacement_keeps_the_strict_rules_with_those_that_stay() {
    let configuration = configuration(&[vec![1], vec![2], vec![2], vec![3], vec![1]]);
    let namespace = namespace(&[(&["l0"], Strict)], 1, 3);
    let stay = [
        configuration.servers[0].clone(),
        configuration.servers[1].clone(),
    ];
    let mut selector = selector(&configuration, &namespace);
    let best = selector.replacement(ShardId(7), &stay).unwrap();
    assert_eq!(best.id(), configuration.servers[3].id());
    let stay = [stay[0].clone(), stay[1].clone(), best];
    assert!(matches!(
        selector.replacement(ShardId(7), &stay),
        Err(SelectionError::TooFewValues { values: 0, .. })
    ));
}

#[test]
fn ties_are_spread_over_the_servers() {
    let configuration = configuration(&vec![vec![]; 5]);
    let mut first = BTreeSet::new();
    for shard in 0..50 {
        let mut selector = selector(&configuration, &namespace(&[], 1, 3));
        first.insert(selector.select(ShardId(shard)).unwrap()[0].id());
    }
    assert_eq!(first.len(), 5);
}

#[test]
fn a_namespace_is_placed_whole_or_not_at_all() {
    let configuration = configuration(&vec![vec![]; 3]);
    let placed = place(&configuration, &namespace(&[], 4, 3)).unwrap();
    assert_eq!(placed.len(), 4);
    assert!(placed.iter().all(|ensemble| ensemble.len() == 3));
    assert!(place(&configuration, &namespace(&[], 4, 4)).is_err());
}

#[test]
fn the_load_of_a_status_is_evened_out() {
    let configuration = configuration(&vec![vec![]; 3]);
    let text = "namespaces: {a: {shards: {0: {status: 1, ensemble: [{internal: s000}]}}}}";
    let status = ClusterStatus::decode(text).unwrap();
    let placed = Placement::new(&configuration, &status)
        .place_namespace(&namespace(&[], 2, 1), &[ShardId(1), ShardId(2)])
        .unwrap();
    let ids: BTreeSet<_> = placed.iter().map(|ensemble| ensemble[0].id().0).collect();
    assert_eq!(ids, BTreeSet::from([Arc::from("s001"), Arc::from("s002")]));
}

#[test]
fn ten_thousand_shards_on_a_hundred_servers_are_level_within_their_zones() {
    let zones: Vec<_> = (0..100).map(|index| vec![1 + index % 4]).collect();
    let configuration = configuration(&zones);
    let namespace = namespace(&[(&["l0"], Strict)], 10_000, 3);
    let placed = place(&configuration, &namespace).unwrap();
    let mut load = Load::default();
    placed.iter().for_each(|shard| load.add(shard));
    let shards = shards_of(&configuration, &load);
    assert!(
        shards.iter().all(|shards| (299..=301).contains(shards)),
        "{shards:?}"
    );
}

/// A cyclic Latin square of even order has no transversal, which only a full search would tell.
#[test]
fn a_search_that_takes_too_long_ends_in_an_error() {
    let square = (0..30_u8).flat_map(|row| (0..30).map(move |column| (row, column)));
    let servers: Vec<_> = square
        .map(|(row, column)| vec![1 + row, 1 + column, 1 + (row + column) % 30])
        .collect();
    let configuration = configuration(&servers);
    let namespace = namespace(&[(&["l0", "l1", "l2"], Strict)], 1, 30);
    let error = selector(&configuration, &namespace).select(ShardId(0));
    assert!(
        matches!(error, Err(SelectionError::TooHard { .. })),
        "{error:?}"
    );
}

/// Whether any `needed` of the servers differ in all strict labels.
fn brute_force(servers: &[Vec<u8>], labels: &[usize], needed: usize) -> bool {
    (0_u32..1 << servers.len())
        .filter(|set| set.count_ones() as usize == needed)
        .any(|set| {
            let members: Vec<_> = (0..servers.len())
                .filter(|index| set >> index & 1 == 1)
                .collect();
            labels.iter().all(|label| {
                let values: BTreeSet<_> = members
                    .iter()
                    .map(|member| servers[*member][*label])
                    .filter(|value| *value != 0)
                    .collect();
                values.len() == needed
            })
        })
}

proptest! {
    #[test]
    fn strict_rules_are_kept_and_a_solution_is_found_where_there_is_one(
        servers in vec(vec(0..5_u8, 3), 1..9),
        strict in proptest::sample::subsequence(vec!["l0", "l1", "l2"], 0..=3),
        relaxed in proptest::sample::subsequence(vec!["l0", "l1", "l2"], 0..=2),
        factor in 1..5_u32,
        shard in any::<i64>(),
        loads in vec(0..3_usize, 8),
    ) {
        let configuration = configuration(&servers);
        let rules: [(&[&str], _); 2] = [(&relaxed, Relaxed), (&strict, Strict)];
        let namespace = namespace(&rules, 1, factor);
        let mut load = Load::default();
        for (server, shards) in configuration.servers.iter().zip(loads) {
            (0..shards).for_each(|_| load.add(std::slice::from_ref(server)));
        }
        let mut selector = EnsembleSelector::new(
            &configuration.servers,
            &configuration.server_metadata,
            &namespace,
            &load,
        );
        let labels: Vec<usize> =
            strict.iter().map(|label| label[1..].parse().unwrap()).collect();
        let factor = factor as usize;
        match selector.select(ShardId(shard)) {
            Ok(ensemble) => {
                let ids: BTreeSet<_> = ensemble.iter().map(DataServerIdentity::id).collect();
                prop_assert_eq!(ids.len(), factor);
                for label in strict {
                    let values: BTreeSet<_> = ensemble
                        .iter()
                        .filter_map(|member| value(&configuration, member, label))
                        .collect();
                    prop_assert_eq!(values.len(), factor);
                }
            }
            Err(error) => {
                prop_assert!(!brute_force(&servers, &labels, factor), "{}", error);
            }
        }
    }

    #[test]
    fn equal_servers_get_within_one_shard_of_each_other(
        servers in 1..12_usize,
        factor in 1..5_u32,
        shards in 1..60_u32,
    ) {
        prop_assume!(factor as usize <= servers);
        let configuration = configuration(&vec![vec![]; servers]);
        let namespace = namespace(&[], shards, factor);
        let placed =
            place(&configuration, &namespace).unwrap();
        let mut load = Load::default();
        placed.iter().for_each(|shard| load.add(shard));
        let shards = shards_of(&configuration, &load);
        prop_assert!(shards.iter().max().unwrap() - shards.iter().min().unwrap() <= 1);
    }
}
