//! Writes the configuration document as Oxia's admin API writes it. Comments, and keys that nobody
//! knows, are not in the document, so they are not written.

use std::time::Duration;

use super::document::{
    AntiAffinity, AntiAffinityMode, AutoSplit, ClusterConfiguration, Coordinator, KeySorting,
    LoadBalancer, Namespace,
};
use crate::cluster::duration::format_duration;
use crate::cluster::yaml::Emitter;

impl ClusterConfiguration {
    /// The document's YAML, which Oxia reads too. What it was silent about stays unsaid.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut yaml = Emitter::default();
        yaml.list("namespaces", &self.namespaces, |yaml, it| it.write(yaml));
        yaml.list("servers", &self.servers, |yaml, it| it.write(yaml));
        let texts = &self.allow_extra_authorities;
        yaml.list("allowExtraAuthorities", texts, |yaml, it| {
            yaml.text_item(it);
        });
        self.write_metadata(&mut yaml);
        if self.load_balancer != LoadBalancer::default() {
            yaml.map("loadBalancer", |yaml| self.load_balancer.write(yaml));
        }
        yaml.list("coordinators", &self.coordinators, |yaml, it| {
            it.write(yaml);
        });
        if self.auto_split != AutoSplit::default() {
            yaml.map("autoSplit", |yaml| self.auto_split.write(yaml));
        }
        yaml.finish()
    }

    fn write_metadata(&self, yaml: &mut Emitter) {
        if self.server_metadata.is_empty() {
            return;
        }
        yaml.map("serverMetadata", |yaml| {
            for (id, labels) in &self.server_metadata {
                yaml.named_map(&id.0, |yaml| {
                    if labels.is_empty() {
                        yaml.empty("labels");
                        return;
                    }
                    yaml.map("labels", |yaml| {
                        for (label, text) in labels {
                            yaml.named_text(label, text);
                        }
                    });
                });
            }
        });
    }
}

impl Namespace {
    fn write(&self, yaml: &mut Emitter) {
        yaml.text("name", &self.name);
        yaml.number("initialShardCount", self.initial_shard_count);
        yaml.number("replicationFactor", self.replication_factor);
        if let Some(enabled) = self.notifications_enabled {
            yaml.flag("notificationsEnabled", enabled);
        }
        if let Some(sorting) = self.key_sorting.name() {
            yaml.text("keySorting", sorting);
        }
        yaml.list("antiAffinities", &self.anti_affinities, |yaml, it| {
            it.write(yaml);
        });
    }
}

impl KeySorting {
    /// Its name in documents; none where the data server chooses.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Unknown => None,
            Self::Natural => Some("natural"),
            Self::Hierarchical => Some("hierarchical"),
        }
    }
}

impl AntiAffinity {
    fn write(&self, yaml: &mut Emitter) {
        // First, since a list's item may not begin with one that is empty.
        yaml.text("mode", self.mode.name());
        yaml.list("labels", &self.labels, |yaml, it| yaml.text_item(it));
    }
}

impl AntiAffinityMode {
    /// Its name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Relaxed => "relaxed",
        }
    }
}

impl LoadBalancer {
    fn write(&self, yaml: &mut Emitter) {
        write_duration(yaml, "scheduleInterval", self.schedule_interval);
        write_duration(yaml, "quarantineTime", self.quarantine_time);
        if self.paused {
            yaml.flag("paused", true);
        }
        for (key, number) in [
            ("maxMoves", self.max_moves),
            ("maxMovesPerServer", self.max_moves_per_server),
        ] {
            if number != 0 {
                yaml.number(key, number);
            }
        }
    }
}

impl Coordinator {
    fn write(&self, yaml: &mut Emitter) {
        yaml.text("name", &self.name);
        yaml.text("publicAddress", &self.public_address);
    }
}

impl AutoSplit {
    fn write(&self, yaml: &mut Emitter) {
        yaml.flag("enabled", self.enabled);
        for (key, number) in [
            ("maxShardSizeMb", self.max_shard_size_mb),
            ("maxThroughputOps", self.max_throughput_ops),
            ("maxShardsPerNamespace", self.max_shards_per_namespace),
        ] {
            if number != 0 {
                yaml.number(key, number);
            }
        }
        write_duration(yaml, "stabilizationPeriod", self.stabilization_period);
        write_duration(yaml, "cooldownPeriod", self.cooldown_period);
        write_duration(yaml, "collectionInterval", self.collection_interval);
    }
}

fn write_duration(yaml: &mut Emitter, key: &str, duration: Option<Duration>) {
    if let Some(duration) = duration {
        yaml.text(key, &format_duration(duration));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::cluster::DataServerIdentity;
    use crate::id::ServerId;

    /// As Oxia's admin API was seen to write it.
    #[test]
    fn it_is_written_as_oxia_writes_it() {
        let text = "\
namespaces:
    - name: default
      initialShardCount: 2
      replicationFactor: 1
servers:
    - name: s1
      public: 127.0.0.1:41048
      internal: 127.0.0.1:41049
    - name: s2
      public: 127.0.0.1:41058
      internal: 127.0.0.1:41059
";
        let configuration = ClusterConfiguration::decode(text).unwrap();
        assert_eq!(configuration.encode(), text);
    }

    fn text() -> impl Strategy<Value = Arc<str>> {
        // Words that mean something else unless quoted, and any other text.
        prop_oneof![
            "[a-z0-9.:-]{0,12}",
            "yes|no|~|1e3|0x1|null|<<|- |a: b|#",
            ".{0,140}"
        ]
        .prop_map(|text: String| Arc::from(text))
    }

    fn duration(least: u64) -> impl Strategy<Value = Option<Duration>> {
        let nanos = prop_oneof![
            least..1_000_000_u64,
            (least..1_000_000).prop_map(|s| s * 1_000_000_000)
        ];
        option::of(nanos.prop_map(Duration::from_nanos))
    }

    fn namespace() -> impl Strategy<Value = Namespace> {
        let sorting = prop_oneof![
            Just(KeySorting::Unknown),
            Just(KeySorting::Natural),
            Just(KeySorting::Hierarchical)
        ];
        let mode = prop_oneof![
            Just(AntiAffinityMode::Strict),
            Just(AntiAffinityMode::Relaxed)
        ];
        let rule =
            (vec(text(), 0..3), mode).prop_map(|(labels, mode)| AntiAffinity { labels, mode });
        (
            text(),
            any::<(u32, u32, Option<bool>)>(),
            sorting,
            vec(rule, 0..3),
        )
            .prop_map(|(name, (shards, factor, notifications), sorting, rules)| {
                Namespace {
                    name,
                    initial_shard_count: shards,
                    replication_factor: factor,
                    notifications_enabled: notifications,
                    key_sorting: sorting,
                    anti_affinities: rules,
                }
            })
    }

    fn server() -> impl Strategy<Value = DataServerIdentity> {
        (option::of(text()), text(), text()).prop_map(|(name, public, internal)| {
            DataServerIdentity {
                name,
                public,
                internal,
            }
        })
    }

    fn split() -> impl Strategy<Value = AutoSplit> {
        (
            any::<(bool, u32, u32, u32)>(),
            (duration(0), duration(0), duration(1)),
        )
            .prop_map(|((enabled, size, ops, shards), periods)| AutoSplit {
                enabled,
                max_shard_size_mb: size,
                max_throughput_ops: ops,
                stabilization_period: periods.0,
                cooldown_period: periods.1,
                max_shards_per_namespace: shards,
                collection_interval: periods.2,
            })
    }

    prop_compose! {
        fn document()(
            namespaces in vec(namespace(), 0..4),
            servers in vec(server(), 0..4),
            authorities in vec(text(), 0..3),
            metadata in btree_map(text(), btree_map(text(), text(), 0..3), 0..3),
            balancer in (duration(1), duration(1), any::<(bool, u32, u32)>()),
            coordinators in vec((text(), text()), 0..3),
            auto_split in split(),
        ) -> ClusterConfiguration {
            let coordinators = coordinators
                .into_iter()
                .map(|(name, public_address)| Coordinator { name, public_address })
                .collect();
            let server_metadata: BTreeMap<_, _> = metadata
                .into_iter()
                .map(|(id, labels)| (ServerId(id), labels))
                .collect();
            ClusterConfiguration {
                namespaces,
                servers,
                allow_extra_authorities: authorities,
                server_metadata,
                load_balancer: LoadBalancer {
                    schedule_interval: balancer.0,
                    quarantine_time: balancer.1,
                    paused: balancer.2.0,
                    max_moves: balancer.2.1,
                    max_moves_per_server: balancer.2.2,
                },
                coordinators,
                auto_split,
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_as_it_was(document in document()) {
            let text = document.encode();
            prop_assert_eq!(ClusterConfiguration::decode(&text), Ok(document), "{}", text);
        }
    }
}
