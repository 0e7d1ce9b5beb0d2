//! What is in the configuration document.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::identity::DataServerIdentity;
use crate::id::ServerId;

/// The whole configuration document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterConfiguration {
    /// The namespaces that shall exist.
    pub namespaces: Vec<Namespace>,
    /// The data servers.
    pub servers: Vec<DataServerIdentity>,
    /// Further `:authority` values that clients may use.
    pub allow_extra_authorities: Vec<Arc<str>>,
    /// Labels of data servers, for anti-affinity, by server id.
    pub server_metadata: BTreeMap<ServerId, BTreeMap<Arc<str>, Arc<str>>>,
    /// How shards and leaders are balanced.
    pub load_balancer: LoadBalancer,
    /// The coordinators, so that one can redirect admins to another.
    pub coordinators: Vec<Coordinator>,
    /// When shards are split without being asked.
    pub auto_split: AutoSplit,
}

/// One namespace that shall exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its name.
    pub name: Arc<str>,
    /// How many shards it is created with.
    pub initial_shard_count: u32,
    /// How many servers replicate each of its shards.
    pub replication_factor: u32,
    /// Whether clients may subscribe to changes; on unless said otherwise.
    pub notifications_enabled: Option<bool>,
    /// How keys are sorted, fixed when a shard's database is made.
    pub key_sorting: KeySorting,
    /// Which servers may not replicate the same shard.
    pub anti_affinities: Vec<AntiAffinity>,
}

/// How keys are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySorting {
    /// The data server chooses.
    #[default]
    Unknown,
    /// By bytes.
    Natural,
    /// By number of slashes first.
    Hierarchical,
}

/// Servers that share the value of one of these labels don't replicate the same shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AntiAffinity {
    /// The labels' names.
    pub labels: Vec<Arc<str>>,
    /// What to do where that can't be had.
    pub mode: AntiAffinityMode,
}

/// What to do where an anti-affinity can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AntiAffinityMode {
    /// Make no ensemble.
    Strict,
    /// Come as close as can be.
    Relaxed,
}

/// How shards and leaders are balanced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Time between two runs; `None` where the document is silent.
    pub schedule_interval: Option<Duration>,
    /// How long a server or shard that moved is left alone; `None` where the document is silent.
    pub quarantine_time: Option<Duration>,
    /// Whether shards and leaders stay where they are, but for those on servers that are not configured any
    /// more. Upstream passes over this key, and over the next ones.
    pub paused: bool,
    /// So many shards are moved at once at most; zero stands for the default.
    pub max_moves: u32,
    /// So many of them from, and to, one server; zero stands for the default.
    pub max_moves_per_server: u32,
}

/// One coordinator of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinator {
    /// Its `metadata.name`.
    pub name: Arc<str>,
    /// Where its admin API is reached, `host:port`.
    pub public_address: Arc<str>,
}

/// When shards are split without being asked. Fields are `None` or zero where the document is
/// silent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoSplit {
    /// Whether at all.
    pub enabled: bool,
    /// Size of a shard above which it is split, in MiB.
    pub max_shard_size_mb: u32,
    /// Operations per second above which a shard is split.
    pub max_throughput_ops: u32,
    /// How long a shard must stay above a limit.
    pub stabilization_period: Option<Duration>,
    /// Time between two splits.
    pub cooldown_period: Option<Duration>,
    /// No namespace is split beyond this number of shards.
    pub max_shards_per_namespace: u32,
    /// Time between two looks.
    pub collection_interval: Option<Duration>,
}
