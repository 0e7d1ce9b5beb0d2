//! A status as somebody else may write it.

use serde_json::Value;
use stepdown_core::cluster::{
    ClusterStatus, DataServerIdentity, LastLeader, NamespaceStatus, ShardMetadata, ShardStatus,
    SplitMetadata, SplitPhase,
};

use crate::choices::Choices;
use crate::written::{list, map, message, number, server};

/// The document that says it.
pub fn document(choices: &mut Choices<'_>, it: &ClusterStatus) -> Value {
    let namespaces = it.namespaces.iter();
    let namespaces = namespaces.map(|(name, it)| (name.to_string(), namespace(choices, it)));
    let namespaces = map(namespaces);
    let fields = [
        ("namespaces", namespaces),
        ("shardIdGenerator", number(choices, it.shard_id_generator)),
        ("serverIdx", number(choices, it.server_idx.into())),
        ("instanceId", (&*it.instance_id).into()),
        ("knownToNobody", number(choices, 0)),
    ];
    message(choices, fields)
}

fn namespace(choices: &mut Choices<'_>, it: &NamespaceStatus) -> Value {
    let shards = it.shards.iter();
    let shards = map(shards.map(|(id, it)| (id.0.to_string(), shard(choices, it))));
    let factor = number(choices, it.replication_factor.into());
    message(choices, [("replicationFactor", factor), ("shards", shards)])
}

fn shard(choices: &mut Choices<'_>, it: &ShardMetadata) -> Value {
    let status = match it.status {
        ShardStatus::Unknown => (0, choices.one_of(&["ShardStatusUnknown", "Whatever"])),
        ShardStatus::SteadyState => (1, "SteadyState"),
        ShardStatus::Election => (2, "Election"),
        ShardStatus::Deleting => (3, "Deleting"),
    };
    let range = it.int32_hash_range.map(|range| {
        let ends = [
            ("min", number(choices, range.min.into())),
            ("max", number(choices, range.max.into())),
        ];
        message(choices, ends)
    });
    let fields = [
        ("status", variant(choices, status)),
        ("term", number(choices, it.term.0)),
        (
            "leader",
            it.leader
                .as_ref()
                .map_or(Value::Null, |it| server(choices, it)),
        ),
        ("ensemble", servers(choices, &it.ensemble)),
        ("removedNodes", servers(choices, &it.removed_nodes)),
        (
            "pendingDeleteShardNodes",
            servers(choices, &it.pending_delete_shard_nodes),
        ),
        ("int32HashRange", range.unwrap_or_default()),
        (
            "split",
            it.split
                .as_ref()
                .map_or(Value::Null, |it| split(choices, it)),
        ),
        ("beginnings", it.beginnings.to_string().into()),
    ];
    let mut shard = message(choices, fields);
    // Oxia has no such keys, so they are spelled in one way.
    if let Some(last) = &it.last_leader {
        shard["lastLeader"] = last_leader(choices, last);
    }
    if let Some(term) = it.loss_accepted {
        shard["lossAccepted"] = term.0.into();
    }
    shard
}

fn last_leader(choices: &mut Choices<'_>, it: &LastLeader) -> Value {
    let server = it.server.as_ref().map_or(Value::Null, |it| (&*it.0).into());
    let committed = match it.committed {
        -1 if choices.below(2) == 0 => Value::Null,
        committed => committed.into(),
    };
    let term = number(choices, it.term.0);
    message(
        choices,
        [("term", term), ("server", server), ("committed", committed)],
    )
}

fn split(choices: &mut Choices<'_>, it: &SplitMetadata) -> Value {
    let phase = match it.phase {
        SplitPhase::Bootstrap => (0, "Bootstrap"),
        SplitPhase::CatchUp => (1, "CatchUp"),
        SplitPhase::Cutover => (2, "Cutover"),
    };
    let children = it.child_shard_ids.iter().map(|it| it.0.into()).collect();
    let leaders = it.child_leaders_at_bootstrap.iter();
    let leaders = map(leaders.map(|(id, it)| (id.0.to_string(), (&**it).into())));
    let fields = [
        ("phase", variant(choices, phase)),
        ("parentShardId", number(choices, it.parent_shard_id.0)),
        ("childShardIds", list(choices, children)),
        ("splitPoint", number(choices, it.split_point.into())),
        ("snapshotOffset", number(choices, it.snapshot_offset)),
        (
            "parentTermAtBootstrap",
            number(choices, it.parent_term_at_bootstrap),
        ),
        ("childLeadersAtBootstrap", leaders),
    ];
    message(choices, fields)
}

fn servers(choices: &mut Choices<'_>, servers: &[DataServerIdentity]) -> Value {
    let servers = servers.iter().map(|it| server(choices, it)).collect();
    list(choices, servers)
}

/// By its number or by its name.
fn variant(choices: &mut Choices<'_>, (by_number, name): (i64, &str)) -> Value {
    match choices.below(3) {
        0 => name.into(),
        _ => number(choices, by_number),
    }
}
