//! A status by choice, sound or not: everything that a document can say.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_core::cluster::{
    ClusterStatus, DataServerIdentity, HashRange, LastLeader, NamespaceStatus, ShardMetadata,
    ShardStatus, SplitMetadata, SplitPhase,
};
use stepdown_core::{ServerId, ShardId, Term};

use crate::choices::Choices;

/// Numbers that a document holds, and their neighbours.
const NUMBERS: [i64; 8] = [0, 1, -1, 7, 4_294_967_296, i64::MAX, i64::MAX - 1, i64::MIN];
const HASHES: [u32; 6] = [0, 1, 99, 100, u32::MAX - 1, u32::MAX];

pub fn status(choices: &mut Choices<'_>) -> ClusterStatus {
    let namespaces = (0..choices.below(4)).map(|_| {
        let name = choices.one_of(&["default", "old", "0e10", "", "a: b", "\u{e4}\n", "true"]);
        (name.into(), namespace(choices))
    });
    let namespaces = namespaces.collect();
    ClusterStatus {
        namespaces,
        shard_id_generator: choices.one_of(&NUMBERS),
        server_idx: choices.one_of(&HASHES),
        instance_id: text(choices),
    }
}

fn namespace(choices: &mut Choices<'_>) -> NamespaceStatus {
    NamespaceStatus {
        replication_factor: choices.one_of(&[0, 1, 3, u32::MAX]),
        shards: (0..choices.below(4))
            .map(|_| (id(choices), Arc::new(shard(choices))))
            .collect(),
    }
}

fn shard(choices: &mut Choices<'_>) -> ShardMetadata {
    const BEGINNINGS: [&str; 4] = ["", "0@none", "0@none 2@0/29 3-4@2/31", "7@unknown"];
    ShardMetadata {
        status: choices.one_of(&[
            ShardStatus::Unknown,
            ShardStatus::SteadyState,
            ShardStatus::Election,
            ShardStatus::Deleting,
        ]),
        term: Term(choices.one_of(&NUMBERS)),
        leader: (choices.below(2) == 0).then(|| server(choices)),
        ensemble: servers(choices),
        removed_nodes: servers(choices),
        pending_delete_shard_nodes: servers(choices),
        int32_hash_range: (choices.below(4) > 0).then(|| HashRange {
            min: choices.one_of(&HASHES),
            max: choices.one_of(&HASHES),
        }),
        split: (choices.below(3) == 0).then(|| split(choices)),
        beginnings: choices.one_of(&BEGINNINGS).parse().unwrap(),
        last_leader: (choices.below(3) == 0).then(|| LastLeader {
            term: Term(choices.one_of(&NUMBERS)),
            server: (choices.below(2) == 0).then(|| ServerId(text(choices))),
            committed: choices.one_of(&NUMBERS),
        }),
        loss_accepted: (choices.below(3) == 0).then(|| Term(choices.one_of(&NUMBERS))),
    }
}

fn split(choices: &mut Choices<'_>) -> SplitMetadata {
    let children = choices.below(3);
    SplitMetadata {
        phase: choices.one_of(&[
            SplitPhase::Bootstrap,
            SplitPhase::CatchUp,
            SplitPhase::Cutover,
        ]),
        parent_shard_id: id(choices),
        child_shard_ids: (0..children).map(|_| id(choices)).collect(),
        split_point: choices.one_of(&HASHES),
        snapshot_offset: choices.one_of(&NUMBERS),
        parent_term_at_bootstrap: choices.one_of(&NUMBERS),
        child_leaders_at_bootstrap: (0..children)
            .map(|_| (id(choices), text(choices)))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn servers(choices: &mut Choices<'_>) -> Vec<DataServerIdentity> {
    (0..choices.below(4)).map(|_| server(choices)).collect()
}

fn server(choices: &mut Choices<'_>) -> DataServerIdentity {
    DataServerIdentity {
        name: (choices.below(3) > 0).then(|| text(choices)),
        public: text(choices),
        internal: text(choices),
    }
}

fn id(choices: &mut Choices<'_>) -> ShardId {
    ShardId(choices.one_of(&[0, 1, 2, 3, -1, i64::MAX, i64::MIN]))
}

fn text(choices: &mut Choices<'_>) -> Arc<str> {
    let texts = [
        "s0",
        "s1:6649",
        "",
        "7",
        "null",
        "a'\"\\",
        "\u{e4}\u{1}",
        " # ",
        "-",
    ];
    choices.one_of(&texts).into()
}
