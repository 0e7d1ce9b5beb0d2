//! What a change is about, and how that is written down.

use std::fmt;

use serde_json::{Value, json};
use stepdown_core::cluster::ClusterConfiguration;
use stepdown_wire::v1;

use super::convert::{to_data_server, to_namespace};

/// What a change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Whether shards and leaders are spread.
    Balancer,
    /// The data server of this name, or at this internal address if it has none.
    DataServer(String),
    /// The namespace of this name.
    Namespace(String),
}

impl Target {
    /// What somebody asks to be added or changed.
    pub(super) fn of_data_server(asked: Option<&v1::DataServer>) -> Self {
        let identity = asked.and_then(|it| it.identity.as_ref());
        let id = identity.map(|it| match it.name.as_deref() {
            Some(name) if !name.is_empty() => name,
            Some(_) | None => &it.internal,
        });
        Self::DataServer(id.unwrap_or_default().to_owned())
    }

    /// What somebody asks to be added or changed.
    pub(super) fn of_namespace(asked: Option<&v1::Namespace>) -> Self {
        Self::Namespace(asked.map(|it| it.name.clone()).unwrap_or_default())
    }

    /// The namespace that whoever changes it has to be allowed to change; `None` is beyond single ones.
    pub(super) fn namespace(&self) -> Option<&str> {
        match self {
            Self::Balancer | Self::DataServer(_) => None,
            Self::Namespace(name) => Some(name),
        }
    }

    /// All that a configuration says of it; `Null` if it is not there.
    pub(super) fn said_in(&self, configuration: &ClusterConfiguration) -> Value {
        match self {
            Self::Balancer => json!({"paused": configuration.load_balancer.paused}),
            Self::DataServer(id) => {
                let server = configuration.data_server(id);
                server.map_or(Value::Null, |it| data_server(&to_data_server(&it)))
            }
            Self::Namespace(name) => {
                let found = configuration.namespace(name);
                found.map_or(Value::Null, |it| namespace(&to_namespace(it)))
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balancer => f.write_str("load balancer"),
            Self::DataServer(id) => write!(f, "data server {id}"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
        }
    }
}

fn data_server(server: &v1::DataServer) -> Value {
    let identity = server.identity.clone().unwrap_or_default();
    json!({
        "name": identity.name,
        "public": identity.public,
        "internal": identity.internal,
        "labels": server.metadata.clone().unwrap_or_default().labels,
    })
}

fn namespace(namespace: &v1::Namespace) -> Value {
    let rules = namespace.anti_affinities.iter();
    let rules = rules.map(|rule| json!({"labels": rule.labels, "mode": rule.mode}));
    json!({
        "name": namespace.name,
        "initialShardCount": namespace.initial_shard_count,
        "replicationFactor": namespace.replication_factor,
        "notificationsEnabled": namespace.notifications_enabled,
        "keySorting": namespace.key_sorting,
        "antiAffinities": rules.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_configured_of_it_is_said() {
        let configuration = ClusterConfiguration::decode(
            "\
namespaces: [{name: a, initialShardCount: 2, replicationFactor: 1, keySorting: natural,
  antiAffinities: [{labels: [zone], mode: strict}]}]
servers: [{public: 'p:1', internal: 'i:1'}]
serverMetadata: {'i:1': {labels: {zone: x}}}
",
        )
        .unwrap();
        assert_eq!(
            Target::Namespace("a".to_owned()).said_in(&configuration),
            json!({
                "name": "a", "initialShardCount": 2, "replicationFactor": 1,
                "notificationsEnabled": null, "keySorting": "natural",
                "antiAffinities": [{"labels": ["zone"], "mode": "strict"}],
            })
        );
        let asked = v1::DataServer {
            identity: Some(v1::DataServerIdentity {
                name: Some(String::new()),
                public: String::new(),
                internal: "i:1".to_owned(),
            }),
            metadata: None,
        };
        let server = Target::of_data_server(Some(&asked));
        assert_eq!(
            server.said_in(&configuration),
            json!({"name": "i:1", "public": "p:1", "internal": "i:1", "labels": {"zone": "x"}})
        );
        let gone = Target::Namespace("b".to_owned());
        assert_eq!(gone.said_in(&configuration), Value::Null);
    }
}
