//! A sound configuration by choice, what a person may write for it, and one mistake in it.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::ServerId;
use stepdown_core::cluster::{
    AntiAffinity, AntiAffinityMode, AutoSplit, ClusterConfiguration, Coordinator,
    DataServerIdentity, KeySorting, LoadBalancer, Namespace,
};

use crate::choices::Choices;

/// So many a namespace may have.
pub const MOST_SHARDS: u32 = 65_536;

/// So many all shards may have.
pub const MOST_REPLICAS: u32 = 262_144;

/// A configuration that breaks no rule.
pub fn sound(choices: &mut Choices<'_>) -> ClusterConfiguration {
    let servers = 1 + choices.below(5);
    let namespaces = 1 + choices.below(3);
    ClusterConfiguration {
        servers: (0..servers).map(|it| server(choices, it)).collect(),
        namespaces: (0..namespaces)
            .map(|it| {
                let most = MOST_REPLICAS / (namespaces * servers) as u32;
                namespace(choices, it, servers, most.min(MOST_SHARDS))
            })
            .collect(),
        allow_extra_authorities: shared(["oxia:6648", "", "true"], choices.below(4)),
        server_metadata: (0..choices.below(servers + 1))
            .map(|it| {
                let labels = [("zone", "z0"), ("rack", "1"), ("x", "")];
                let labels = labels.into_iter().take(choices.below(4));
                let labels = labels.map(|(label, value)| (label.into(), value.into()));
                (ServerId(format!("s{it}").into()), labels.collect())
            })
            .collect(),
        load_balancer: LoadBalancer {
            schedule_interval: positive(choices),
            quarantine_time: positive(choices),
            paused: choices.below(2) == 1,
            max_moves: count(choices),
            max_moves_per_server: count(choices),
        },
        coordinators: (0..choices.below(3))
            .map(|it| Coordinator {
                name: format!("c{it}").into(),
                public_address: "c:6651".into(),
            })
            .collect(),
        auto_split: AutoSplit {
            enabled: choices.below(2) == 1,
            max_shard_size_mb: count(choices),
            max_throughput_ops: count(choices),
            stabilization_period: period(choices),
            cooldown_period: period(choices),
            max_shards_per_namespace: count(choices),
            collection_interval: positive(choices),
        },
    }
}

fn server(choices: &mut Choices<'_>, index: usize) -> DataServerIdentity {
    DataServerIdentity {
        name: match choices.below(3) {
            0 => None,
            1 => Some("".into()),
            _ => Some(format!("s{index}").into()),
        },
        public: format!("s{index}.example:6648").into(),
        internal: format!("s{index}:6649").into(),
    }
}

fn namespace(
    choices: &mut Choices<'_>,
    index: usize,
    servers: usize,
    most_shards: u32,
) -> Namespace {
    Namespace {
        name: ["default", "0", "A.b_-"][index].into(),
        initial_shard_count: choices.one_of(&[1, 2, 3, most_shards]),
        replication_factor: 1 + choices.below(servers) as u32,
        notifications_enabled: choices.one_of(&[None, Some(false), Some(true)]),
        key_sorting: choices.one_of(&[
            KeySorting::Unknown,
            KeySorting::Natural,
            KeySorting::Hierarchical,
        ]),
        anti_affinities: (0..choices.below(3))
            .map(|_| AntiAffinity {
                labels: shared(["zone", "rack", "no"], 1 + choices.below(3)),
                mode: choices.one_of(&[AntiAffinityMode::Strict, AntiAffinityMode::Relaxed]),
            })
            .collect(),
    }
}

/// The first of them.
fn shared<const N: usize>(texts: [&str; N], count: usize) -> Vec<Arc<str>> {
    texts.into_iter().take(count).map(Arc::from).collect()
}

fn count(choices: &mut Choices<'_>) -> u32 {
    choices.one_of(&[0, 1, 512, u32::MAX])
}

fn period(choices: &mut Choices<'_>) -> Option<Duration> {
    let seconds = choices.one_of(&[None, Some(0), Some(1), Some(90), Some(86_400)]);
    seconds.map(Duration::from_secs)
}

/// Here zero is what the document says that says nothing.
fn positive(choices: &mut Choices<'_>) -> Option<Duration> {
    period(choices).filter(|it| !it.is_zero())
}

/// Makes one mistake, and says at which key; `None` where there is nothing to make it in.
pub fn spoiled(choices: &mut Choices<'_>, it: &mut ClusterConfiguration) -> Option<String> {
    let (servers, namespaces) = (it.servers.len(), it.namespaces.len());
    let (at, last) = (choices.below(namespaces), servers - 1);
    let namespace = it.namespaces.get_mut(at)?;
    let blank = choices.one_of(&["", " ", "\t", "\u{a0}"]);
    let key = match choices.below(17) {
        0 => {
            namespace.name = choices
                .one_of(&["", "..", ".a", "a..b", "a/b", "\u{e4}", "a\n"])
                .into();
            format!("namespaces[{at}].name")
        }
        1 => {
            namespace.replication_factor = 0;
            format!("namespaces[{at}].replicationFactor")
        }
        2 => {
            let factor = u32::try_from(servers).ok()? + 1;
            namespace.replication_factor = choices.one_of(&[factor, u32::MAX]);
            format!("namespaces[{at}].replicationFactor")
        }
        3 => {
            namespace.initial_shard_count = choices.one_of(&[0, 65_537, u32::MAX]);
            format!("namespaces[{at}].initialShardCount")
        }
        4 => {
            namespace.anti_affinities.first_mut()?.labels.clear();
            format!("namespaces[{at}].antiAffinities[0].labels")
        }
        5 => {
            *namespace.anti_affinities.first_mut()?.labels.last_mut()? = blank.into();
            let label = namespace.anti_affinities.first()?.labels.len() - 1;
            format!("namespaces[{at}].antiAffinities[0].labels[{label}]")
        }
        6 if namespaces > 1 => {
            it.namespaces[namespaces - 1].name = it.namespaces[0].name.clone();
            format!("namespaces[{}].name", namespaces - 1)
        }
        7 => {
            it.servers[last].public = blank.into();
            format!("servers[{last}].public")
        }
        8 => {
            it.servers[last].internal = blank.into();
            format!("servers[{last}].internal")
        }
        9 if servers > 1 => {
            it.servers[last].public = it.servers[0].public.clone();
            format!("servers[{last}].public")
        }
        10 if servers > 1 => {
            it.servers[last].internal = it.servers[0].internal.clone();
            format!("servers[{last}].internal")
        }
        11 if servers > 1 => {
            it.servers[0].name = Some("one".into());
            it.servers[last].name = Some("one".into());
            format!("servers[{last}].name")
        }
        // The id of one that has no name.
        12 if servers > 1 => {
            it.servers[0].name = None;
            it.servers[last].name = Some(it.servers[0].internal.clone());
            format!("servers[{last}].name")
        }
        13 => {
            it.coordinators.first_mut()?.name = "".into();
            "coordinators[0].name".to_owned()
        }
        14 => {
            it.coordinators.last_mut()?.public_address = blank.into();
            format!("coordinators[{}].publicAddress", it.coordinators.len() - 1)
        }
        15 if it.coordinators.len() > 1 => {
            it.coordinators[1].name = it.coordinators[0].name.clone();
            "coordinators[1].name".to_owned()
        }
        16 if namespaces * servers > (MOST_REPLICAS / MOST_SHARDS) as usize => {
            for each in &mut it.namespaces {
                each.initial_shard_count = MOST_SHARDS;
                each.replication_factor = servers as u32;
            }
            "namespaces".to_owned()
        }
        _ => return None,
    };
    Some(key)
}
