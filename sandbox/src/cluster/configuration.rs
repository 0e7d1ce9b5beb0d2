//! The configuration document of a sandbox.

use std::time::Duration;

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

/// How soon shards are moved.
#[derive(Clone, Copy, Debug)]
pub struct Balancing {
    /// How often it is looked whether any are to be.
    pub schedule_interval: Duration,
    /// How long one stays at least where it has come to.
    pub quarantine_time: Duration,
}

/// The text of a configuration document: these namespaces, and these data servers.
pub fn configuration<'a>(
    namespaces: &[NamespaceOptions],
    data_servers: impl IntoIterator<Item = &'a DataServerProcess>,
) -> String {
    balanced_configuration(namespaces, data_servers, None)
}

/// The same, and how soon shards are moved.
pub(super) fn balanced_configuration<'a>(
    namespaces: &[NamespaceOptions],
    data_servers: impl IntoIterator<Item = &'a DataServerProcess>,
    balancing: Option<Balancing>,
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
    let mut document = serde_json::json!({"namespaces": namespaces, "servers": servers});
    if let Some(balancing) = balancing
        && let Some(document) = document.as_object_mut()
    {
        let time = |time: Duration| format!("{}ms", time.as_millis());
        let balancer = serde_json::json!({
            "scheduleInterval": time(balancing.schedule_interval),
            "quarantineTime": time(balancing.quarantine_time),
        });
        document.insert("loadBalancer".to_owned(), balancer);
    }
    format!("{document:#}\n")
}
