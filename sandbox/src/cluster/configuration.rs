//! The configuration document of a sandbox.

use super::data_server::DataServerProcess;

/// One namespace.
#[derive(Clone, Debug)]
pub struct NamespaceOptions {
    /// Its name.
    pub name: String,
    /// How many shards.
    pub shards: u32,
    /// How many servers replicate each.
    pub replication_factor: u32,
}

/// The text of a configuration document: these namespaces, and these data servers.
pub fn configuration<'a>(
    namespaces: &[NamespaceOptions],
    data_servers: impl IntoIterator<Item = &'a DataServerProcess>,
) -> String {
    let namespaces: Vec<_> = namespaces
        .iter()
        .map(|it| {
            serde_json::json!({
                "name": it.name,
                "initialShardCount": it.shards,
                "replicationFactor": it.replication_factor,
            })
        })
        .collect();
    let servers: Vec<_> = data_servers
        .into_iter()
        .map(|it| {
            serde_json::json!({
                "name": it.process().name(),
                "public": it.public().to_string(),
                "internal": it.internal().to_string(),
            })
        })
        .collect();
    let document = serde_json::json!({"namespaces": namespaces, "servers": servers});
    format!("{document:#}\n")
}
