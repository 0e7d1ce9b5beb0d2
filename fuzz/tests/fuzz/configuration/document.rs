//! A configuration as somebody may write it.

use std::time::Duration;

use serde_json::Value;
use stepdown_core::cluster::{
    AntiAffinity, AntiAffinityMode, ClusterConfiguration, Coordinator, KeySorting, Namespace,
};

use crate::choices::Choices;
use crate::written::{list, map, message, number, server};

/// The document that says it.
pub fn document(choices: &mut Choices<'_>, it: &ClusterConfiguration) -> Value {
    let namespaces = it.namespaces.iter().map(|it| namespace(choices, it));
    let namespaces = namespaces.collect();
    let servers = it.servers.iter().map(|it| server(choices, it)).collect();
    let authorities = it.allow_extra_authorities.iter();
    let authorities = authorities.map(|it| Value::from(&**it)).collect();
    let labels = it.server_metadata.iter().map(|(id, labels)| {
        let labels = labels
            .iter()
            .map(|(label, value)| (label.to_string(), (&**value).into()));
        (id.0.to_string(), map([("labels".to_owned(), map(labels))]))
    });
    let metadata = map(labels);
    let coordinators = it.coordinators.iter().map(|it| coordinator(choices, it));
    let coordinators = coordinators.collect();
    let balancer = [
        (
            "scheduleInterval",
            duration(choices, it.load_balancer.schedule_interval),
        ),
        (
            "quarantineTime",
            duration(choices, it.load_balancer.quarantine_time),
        ),
        ("paused", it.load_balancer.paused.into()),
        (
            "maxMoves",
            number(choices, it.load_balancer.max_moves.into()),
        ),
        (
            "maxMovesPerServer",
            number(choices, it.load_balancer.max_moves_per_server.into()),
        ),
    ];
    let split = &it.auto_split;
    let split = [
        (
            "enabled",
            if split.enabled {
                true.into()
            } else {
                Value::Null
            },
        ),
        (
            "maxShardSizeMb",
            number(choices, split.max_shard_size_mb.into()),
        ),
        (
            "maxThroughputOps",
            number(choices, split.max_throughput_ops.into()),
        ),
        (
            "stabilizationPeriod",
            duration(choices, split.stabilization_period),
        ),
        ("cooldownPeriod", duration(choices, split.cooldown_period)),
        (
            "maxShardsPerNamespace",
            number(choices, split.max_shards_per_namespace.into()),
        ),
        (
            "collectionInterval",
            duration(choices, split.collection_interval),
        ),
    ];
    let fields = [
        ("namespaces", list(choices, namespaces)),
        ("servers", list(choices, servers)),
        ("allowExtraAuthorities", list(choices, authorities)),
        ("serverMetadata", metadata),
        ("loadBalancer", message(choices, balancer)),
        ("coordinators", list(choices, coordinators)),
        ("autoSplit", message(choices, split)),
        // Nobody knows it.
        ("knownToNobody", choices.one_of(&["", "x"]).into()),
    ];
    message(choices, fields)
}

fn namespace(choices: &mut Choices<'_>, it: &Namespace) -> Value {
    let rules = it.anti_affinities.iter().map(|it| rule(choices, it));
    let rules = rules.collect();
    let sorting = match it.key_sorting {
        KeySorting::Unknown => choices.one_of(&["", "unknown", "Unknown"]),
        KeySorting::Natural => choices.one_of(&["natural", "Natural", "NATURAL"]),
        KeySorting::Hierarchical => choices.one_of(&["hierarchical", "HierarChical"]),
    };
    let fields = [
        ("name", (&*it.name).into()),
        (
            "initialShardCount",
            number(choices, it.initial_shard_count.into()),
        ),
        (
            "replicationFactor",
            number(choices, it.replication_factor.into()),
        ),
        (
            "notificationsEnabled",
            it.notifications_enabled.map_or(Value::Null, Value::from),
        ),
        ("keySorting", sorting.into()),
        ("antiAffinities", list(choices, rules)),
    ];
    message(choices, fields)
}

fn rule(choices: &mut Choices<'_>, it: &AntiAffinity) -> Value {
    let mode = match it.mode {
        AntiAffinityMode::Strict => choices.one_of(&["strict", "Strict"]),
        AntiAffinityMode::Relaxed => choices.one_of(&["relaxed", "RELAXED"]),
    };
    let labels = it.labels.iter().map(|it| Value::from(&**it)).collect();
    let fields = [("labels", list(choices, labels)), ("mode", mode.into())];
    message(choices, fields)
}

fn coordinator(choices: &mut Choices<'_>, it: &Coordinator) -> Value {
    let fields = [
        ("name", (&*it.name).into()),
        ("publicAddress", (&*it.public_address).into()),
    ];
    message(choices, fields)
}

/// Made of whole seconds; what is unset may be said to be.
fn duration(choices: &mut Choices<'_>, duration: Option<Duration>) -> Value {
    let Some(seconds) = duration.map(|it| it.as_secs()) else {
        return [Value::Null, "".into()][choices.below(2)].clone();
    };
    let text = match choices.below(4) {
        0 => format!("{}ns", seconds * 1_000_000_000),
        1 => format!("{}m{}s", seconds / 60, seconds % 60),
        2 if seconds > 0 => format!("+{}.5s500ms", seconds - 1),
        _ => format!("{seconds}s"),
    };
    text.into()
}
