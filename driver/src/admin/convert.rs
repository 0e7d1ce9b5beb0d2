//! Between the documents and the messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_core::ServerState;
use stepdown_core::cluster::{
    AntiAffinity, DataServer, DataServerIdentity, DataServerPatch, HashRange, Namespace,
    NamespaceRequest, NamespaceStatus, ShardMetadata, ShardStatus, SplitMetadata, SplitPhase,
};
use stepdown_wire::v1;
use tonic::Status;

use crate::event_loop::ServerView;

/// A data server, as it is asked for.
pub(super) fn data_server(asked: Option<v1::DataServer>) -> Result<DataServer, Status> {
    let missing = || Status::invalid_argument("data server must not be empty");
    let asked = asked.ok_or_else(missing)?;
    let identity = asked.identity;
    let identity = identity
        .ok_or_else(|| Status::invalid_argument("data server identity must not be empty"))?;
    Ok(DataServer {
        identity: DataServerIdentity {
            name: identity.name.map(Arc::from),
            public: identity.public.into(),
            internal: identity.internal.into(),
        },
        labels: labels(asked.metadata),
    })
}

pub(super) fn data_server_patch(asked: Option<v1::DataServer>) -> Result<DataServerPatch, Status> {
    let DataServer { identity, labels } = data_server(asked)?;
    Ok(DataServerPatch {
        id: identity.name.as_deref().unwrap_or_default().to_owned(),
        public: identity.public.to_string(),
        internal: identity.internal.to_string(),
        labels,
    })
}

fn labels(metadata: Option<v1::DataServerMetadata>) -> BTreeMap<Arc<str>, Arc<str>> {
    let labels = metadata.unwrap_or_default().labels;
    let shared = |(label, text): (String, String)| (label.into(), text.into());
    labels.into_iter().map(shared).collect()
}

/// A namespace, as it is asked for.
pub(super) fn namespace_request(asked: Option<v1::Namespace>) -> Result<NamespaceRequest, Status> {
    let missing = || Status::invalid_argument("namespace must not be empty");
    let asked = asked.ok_or_else(missing)?;
    Ok(NamespaceRequest {
        name: asked.name,
        initial_shard_count: asked.initial_shard_count,
        replication_factor: asked.replication_factor,
        notifications_enabled: asked.notifications_enabled,
        key_sorting: asked.key_sorting,
        has_anti_affinities: !asked.anti_affinities.is_empty(),
    })
}

/// A data server, as it is answered.
pub(super) fn to_data_server(server: &DataServer) -> v1::DataServer {
    let text = |(label, text): (&Arc<str>, &Arc<str>)| (label.to_string(), text.to_string());
    v1::DataServer {
        identity: Some(to_identity(&server.identity)),
        metadata: Some(v1::DataServerMetadata {
            labels: server.labels.iter().map(text).collect(),
        }),
    }
}

pub(super) fn to_data_server_view(
    server: &DataServer,
    seen: Option<&ServerView>,
) -> v1::DataServerView {
    v1::DataServerView {
        data_server: Some(to_data_server(server)),
        data_server_status: Some(to_server_status(seen)),
    }
}

/// One that was configured a moment ago was not seen yet.
fn to_server_status(seen: Option<&ServerView>) -> v1::DataServerStatus {
    let state = match seen.map(|seen| seen.state) {
        Some(ServerState::Draining) => v1::DataServerState::Draining,
        Some(ServerState::Running) => v1::DataServerState::Running,
        Some(ServerState::Unavailable) | None => v1::DataServerState::Unavailable,
    };
    let features = seen.iter().flat_map(|seen| &seen.features);
    v1::DataServerStatus {
        state: state.into(),
        supported_features: features.map(|feature| feature.0).collect(),
    }
}

fn to_identity(identity: &DataServerIdentity) -> v1::DataServerIdentity {
    v1::DataServerIdentity {
        name: identity.name.as_deref().map(str::to_owned),
        public: identity.public.to_string(),
        internal: identity.internal.to_string(),
    }
}

/// A namespace, as it is answered.
pub(super) fn to_namespace(namespace: &Namespace) -> v1::Namespace {
    v1::Namespace {
        name: namespace.name.to_string(),
        initial_shard_count: namespace.initial_shard_count,
        replication_factor: namespace.replication_factor,
        notifications_enabled: namespace.notifications_enabled,
        key_sorting: namespace.key_sorting.name().unwrap_or_default().to_owned(),
        anti_affinities: namespace.anti_affinities.iter().map(to_rule).collect(),
    }
}

fn to_rule(rule: &AntiAffinity) -> v1::AntiAffinity {
    v1::AntiAffinity {
        labels: rule.labels.iter().map(|label| label.to_string()).collect(),
        mode: rule.mode.name().to_owned(),
    }
}

pub(super) fn to_namespace_view(
    namespace: &Namespace,
    seen: Option<&NamespaceStatus>,
) -> v1::NamespaceView {
    v1::NamespaceView {
        namespace: Some(to_namespace(namespace)),
        namespace_status: Some(seen.map(to_namespace_status).unwrap_or_default()),
    }
}

fn to_namespace_status(status: &NamespaceStatus) -> v1::NamespaceStatus {
    let shards = status.shards.iter();
    v1::NamespaceStatus {
        replication_factor: status.replication_factor,
        shards: shards.map(|(id, shard)| (id.0, to_shard(shard))).collect(),
    }
}

fn to_shard(shard: &ShardMetadata) -> v1::ShardMetadata {
    let status = match shard.status {
        ShardStatus::Unknown => v1::ShardStatus::Unknown,
        ShardStatus::SteadyState => v1::ShardStatus::SteadyState,
        ShardStatus::Election => v1::ShardStatus::Election,
        ShardStatus::Deleting => v1::ShardStatus::Deleting,
    };
    let all = |servers: &[DataServerIdentity]| servers.iter().map(to_identity).collect();
    v1::ShardMetadata {
        status: status.into(),
        term: shard.term.0,
        leader: shard.leader.as_ref().map(to_identity),
        ensemble: all(&shard.ensemble),
        removed_nodes: all(&shard.removed_nodes),
        pending_delete_shard_nodes: all(&shard.pending_delete_shard_nodes),
        int32_hash_range: shard
            .int32_hash_range
            .map(|HashRange { min, max }| v1::HashRange { min, max }),
        split: shard.split.as_ref().map(to_split),
    }
}

fn to_split(split: &SplitMetadata) -> v1::SplitMetadata {
    let phase = match split.phase {
        SplitPhase::Bootstrap => v1::SplitPhase::Bootstrap,
        SplitPhase::CatchUp => v1::SplitPhase::CatchUp,
        SplitPhase::Cutover => v1::SplitPhase::Cutover,
    };
    let leaders = split.child_leaders_at_bootstrap.iter();
    v1::SplitMetadata {
        phase: phase.into(),
        parent_shard_id: split.parent_shard_id.0,
        child_shard_ids: split.child_shard_ids.iter().map(|id| id.0).collect(),
        split_point: split.split_point,
        snapshot_offset: split.snapshot_offset,
        parent_term_at_bootstrap: split.parent_term_at_bootstrap,
        child_leaders_at_bootstrap: leaders
            .map(|(id, leader)| (id.0, leader.to_string()))
            .collect(),
    }
}
