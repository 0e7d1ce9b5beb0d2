//! What is remembered of a status document beside it, to tell what another one lacks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stepdown_core::cluster::{ClusterStatus, ShardStatus};

use super::Ids;

/// What a coordinator wrote last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remembered {
    #[serde(default)]
    pub(crate) instance_id: String,
    /// The shards of each namespace, but for those that are being deleted.
    #[serde(default)]
    pub(crate) shards: BTreeMap<String, Ids>,
}

impl Remembered {
    pub(crate) fn of(status: &ClusterStatus) -> Self {
        let shards = status.namespaces.iter().map(|(name, namespace)| {
            let lasting = namespace
                .shards
                .iter()
                .filter(|(_, shard)| shard.status != ShardStatus::Deleting);
            (name.to_string(), lasting.map(|(id, _)| id.0).collect())
        });
        Self {
            instance_id: status.instance_id.to_string(),
            shards: shards.collect(),
        }
    }
}
