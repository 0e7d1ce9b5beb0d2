//! Metrics: upstream's names in both of its spellings, so that its dashboards work, and our own.

mod family;
mod grpc;
mod http;
mod own;
mod rpc;
mod shards;

use std::sync::Arc;
use std::time::Duration;

use prometheus::process_collector::ProcessCollector;
use prometheus::{Registry, TextEncoder};
use stepdown_core::{Report, Role, ShardId};

pub use grpc::{CountRpcs, RpcCounter};
pub use http::serve_metrics;

/// Every metric of the process. Clones share the same numbers.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    own: own::Own,
    rpcs: rpc::Rpcs,
    shards: Arc<shards::Series>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All metrics, at rest. It fails only if two metrics have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let shards = Arc::new(shards::Series::default());
        registry.register(Box::new(shards::Collected::new(Arc::clone(&shards))?))?;
        Ok(Self {
            own: own::Own::register(&registry)?,
            rpcs: rpc::Rpcs::register(&registry)?,
            registry,
            shards,
        })
    }

    /// Takes note of a report. It costs little: a lock, a look-up and an addition.
    pub fn report(&self, report: &Report) {
        self.own.report(report);
        self.shards.report(report);
        if let Report::RoleChanged {
            from: Role::Leader, ..
        } = report
        {
            self.shards.close_office();
        }
    }

    /// The shard is gone: its series end.
    pub fn forget_shard(&self, shard: ShardId) {
        self.shards.forget_shard(shard);
    }

    /// A document was read from the store.
    pub fn metadata_read(&self, took: Duration) {
        self.own.metadata_read(took);
    }

    /// The size of the status document that was stored or read last.
    pub fn metadata_size(&self, bytes: u64) {
        self.own.metadata_size(bytes);
    }

    /// How much of the room for the status document is taken, in bytes.
    pub fn status_size(&self, bytes: usize, limit: usize) {
        self.own.status_size(bytes, limit);
    }

    /// Counts the calls that are served, as a layer of a tonic server.
    pub fn count_served(&self) -> CountRpcs {
        CountRpcs::new(self.rpcs.served.clone())
    }

    /// Counts the calls that are made, as a layer around a tonic channel.
    pub fn count_made(&self) -> CountRpcs {
        CountRpcs::new(self.rpcs.made.clone())
    }

    /// Everything, in Prometheus' text form.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod tests;
