//! Reads the configuration document.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::document::{
    AntiAffinity, AntiAffinityMode, AutoSplit, ClusterConfiguration, Coordinator, KeySorting,
    LoadBalancer, Namespace,
};
use crate::cluster::duration::parse_duration;
use crate::cluster::identity::DataServerIdentity;
use crate::cluster::yaml::{self, Cursor, DecodeError, Strings};
use crate::id::ServerId;

impl ClusterConfiguration {
    /// Reads a configuration document as [`ClusterStatus::decode`] reads a status, and does not
    /// judge it. [`ClusterConfiguration::read`] does.
    ///
    /// [`ClusterStatus::decode`]: crate::cluster::ClusterStatus::decode
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let document = yaml::parse(text)?;
        Self::decode_at(document.root(), &mut Strings::default())
    }

    fn decode_at(at: Cursor<'_>, strings: &mut Strings) -> Result<Self, DecodeError> {
        let mut configuration = Self::default();
        for (field, at) in at.fields()? {
            match field {
                "namespaces" => configuration.namespaces = at.list(Namespace::read)?,
                "servers" => {
                    configuration.servers = at.list(|at| DataServerIdentity::read(at, strings))?;
                }
                "allowExtraAuthorities" | "allow_extra_authorities" => {
                    configuration.allow_extra_authorities = at.list(shared_text)?;
                }
                "serverMetadata" | "server_metadata" => {
                    for (id, at) in at.entries()? {
                        let labels = labels(at, strings)?;
                        let id = ServerId(strings.share(id));
                        configuration.server_metadata.insert(id, labels);
                    }
                }
                "loadBalancer" | "load_balancer" => {
                    configuration.load_balancer = LoadBalancer::read(at)?;
                }
                "coordinators" => configuration.coordinators = at.list(Coordinator::read)?,
                "autoSplit" | "auto_split" => configuration.auto_split = AutoSplit::read(at)?,
                _ => {}
            }
        }
        Ok(configuration)
    }
}

fn labels(
    at: Cursor<'_>,
    strings: &mut Strings,
) -> Result<BTreeMap<Arc<str>, Arc<str>>, DecodeError> {
    let mut labels = BTreeMap::new();
    for (field, at) in at.fields()? {
        if field == "labels" {
            for (label, at) in at.entries()? {
                labels.insert(strings.share(label), strings.share(at.text()?));
            }
        }
    }
    Ok(labels)
}

impl Namespace {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        let mut namespace = Self {
            name: Arc::from(""),
            initial_shard_count: 0,
            replication_factor: 0,
            notifications_enabled: None,
            key_sorting: KeySorting::default(),
            anti_affinities: Vec::new(),
        };
        for (field, at) in at.fields()? {
            match field {
                "name" => namespace.name = shared_text(at)?,
                "initialShardCount" | "initial_shard_count" => {
                    namespace.initial_shard_count = at.uint32()?;
                }
                "replicationFactor" | "replication_factor" => {
                    namespace.replication_factor = at.uint32()?;
                }
                "notificationsEnabled" | "notifications_enabled" => {
                    namespace.notifications_enabled = Some(at.boolean()?);
                }
                "keySorting" | "key_sorting" => namespace.key_sorting = KeySorting::read(at)?,
                "antiAffinities" | "anti_affinities" => {
                    namespace.anti_affinities = at.list(AntiAffinity::read)?;
                }
                _ => {}
            }
        }
        Ok(namespace)
    }
}

impl KeySorting {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        let text = at.text()?;
        match text.to_lowercase().as_str() {
            "" | "unknown" => Ok(Self::Unknown),
            "natural" => Ok(Self::Natural),
            "hierarchical" => Ok(Self::Hierarchical),
            _ => Err(at.error(format!("'{text}' is neither natural nor hierarchical"))),
        }
    }
}

impl AntiAffinity {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        let mut labels = Vec::new();
        let mut mode = None;
        for (field, at) in at.fields()? {
            match field {
                "labels" => labels = at.list(shared_text)?,
                "mode" => mode = Some(AntiAffinityMode::read(at)?),
                _ => {}
            }
        }
        let mode = mode.ok_or_else(|| at.error("the key mode is missing: strict or relaxed"))?;
        Ok(Self { labels, mode })
    }
}

impl AntiAffinityMode {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        let text = at.text()?;
        match text.to_lowercase().as_str() {
            "strict" => Ok(Self::Strict),
            "relaxed" => Ok(Self::Relaxed),
            _ => Err(at.error(format!("'{text}' is neither strict nor relaxed"))),
        }
    }
}

impl LoadBalancer {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        let mut balancer = Self::default();
        for (field, at) in at.fields()? {
            match field {
                "scheduleInterval" | "schedule_interval" => {
                    balancer.schedule_interval = positive(at)?;
                }
                "quarantineTime" | "quarantine_time" => {
                    balancer.quarantine_time = positive(at)?;
                }
                "paused" => balancer.paused = at.boolean()?,
                "maxMoves" | "max_moves" => balancer.max_moves = at.uint32()?,
                "maxMovesPerServer" | "max_moves_per_server" => {
                    balancer.max_moves_per_server = at.uint32()?;
                }
                _ => {}
            }
        }
        Ok(balancer)
    }
}

impl Coordinator {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        let mut coordinator = Self {
            name: Arc::from(""),
            public_address: Arc::from(""),
        };
        for (field, at) in at.fields()? {
            match field {
                "name" => coordinator.name = shared_text(at)?,
                "publicAddress" | "public_address" => {
                    coordinator.public_address = shared_text(at)?;
                }
                _ => {}
            }
        }
        Ok(coordinator)
    }
}

impl AutoSplit {
    fn read(at: Cursor<'_>) -> Result<Self, DecodeError> {
        let mut split = Self::default();
        for (field, at) in at.fields()? {
            match field {
                "enabled" => split.enabled = at.boolean()?,
                "maxShardSizeMb" | "max_shard_size_mb" => split.max_shard_size_mb = at.uint32()?,
                "maxThroughputOps" | "max_throughput_ops" => {
                    split.max_throughput_ops = at.uint32()?;
                }
                "stabilizationPeriod" | "stabilization_period" => {
                    split.stabilization_period = period(at)?;
                }
                "cooldownPeriod" | "cooldown_period" => split.cooldown_period = period(at)?,
                "maxShardsPerNamespace" | "max_shards_per_namespace" => {
                    split.max_shards_per_namespace = at.uint32()?;
                }
                "collectionInterval" | "collection_interval" => {
                    split.collection_interval = positive(at)?;
                }
                _ => {}
            }
        }
        Ok(split)
    }
}

/// A duration, or `None` where it is empty.
fn period(at: Cursor<'_>) -> Result<Option<Duration>, DecodeError> {
    let text = at.text()?;
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = parse_duration(text);
    parsed
        .map(Some)
        .map_err(|error| at.error(format!("'{text}' {error}")))
}

/// As `period`, where zero, too, stands for the default.
fn positive(at: Cursor<'_>) -> Result<Option<Duration>, DecodeError> {
    Ok(period(at)?.filter(|duration| !duration.is_zero()))
}

fn shared_text(at: Cursor<'_>) -> Result<Arc<str>, DecodeError> {
    at.text().map(Arc::from)
}
