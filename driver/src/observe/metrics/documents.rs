//! Metrics of the two documents and of their store.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use stepdown_core::StoreResult;

use super::declare::metrics;
use super::family::{BOUNDS, SCOPE};
use crate::observe::names;

metrics! {
    /// How the documents are read and stored.
    Documents {
        configuration_rejected: IntGauge = IntGauge::new(
            "stepdown_configuration_rejected",
            "1 while the configuration last read is refused: an older one is in force, or none",
        ),
        configuration_unknown_keys: IntGauge = IntGauge::new(
            "stepdown_configuration_unknown_keys",
            "How many keys of the configuration last read are not known, and so have no effect",
        ),
        configuration_without_effect: IntGauge = IntGauge::new(
            "stepdown_configuration_without_effect",
            "How many wishes of the configuration in force have no effect; the log of the leader names them",
        ),
        metadata_get: Histogram = Histogram::with_opts(upstreams(
            "oxia_coordinator_metadata_get_latency_milliseconds",
            "The time to read a document",
        )),
        metadata_size: IntGauge = IntGauge::with_opts(
            Opts::new(
                "oxia_coordinator_metadata_size_bytes",
                "The size of the status document",
            )
            .const_labels(scope()),
        ),
        metadata_store: Histogram = Histogram::with_opts(upstreams(
            "oxia_coordinator_metadata_store_latency_milliseconds",
            "The time to store the status document, until that is certain",
        )),
        status_bytes: IntGauge = IntGauge::new(
            "stepdown_status_bytes",
            "What the status document takes of the room there is, as stored",
        ),
        status_limit: IntGauge = IntGauge::new(
            "stepdown_status_limit_bytes",
            "The room there is for the status document; 0 where nothing is known to limit it",
        ),
        status_unreadable: IntGauge = IntGauge::new(
            "stepdown_status_unreadable",
            "1 while the status document can't be loaded",
        ),
        store_changes: Histogram = Histogram::with_opts(
            HistogramOpts::new(
                "stepdown_store_changes",
                "How many changes one store of the status document carried",
            )
            .buckets(vec![
                1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0,
                10_000.0,
            ]),
        ),
        stores: IntCounterVec = IntCounterVec::new(
            Opts::new("stepdown_stores_total", "Stores of the status document"),
            &["outcome"],
        ),
    }
}

impl Documents {
    /// Before anything was read.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let documents = Self::register(registry)?;
        for outcome in names::STORE_RESULTS {
            documents.stores_of(outcome);
        }
        Ok(documents)
    }

    /// The configuration last read is in force, or was refused.
    pub fn configuration_read(&self, is_in_force: bool) {
        self.configuration_rejected.set(i64::from(!is_in_force));
    }

    /// So many keys of the configuration last read are not known.
    pub fn keys_unknown(&self, count: usize) {
        self.configuration_unknown_keys
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many wishes of the configuration in force have no effect.
    pub fn wishes_without_effect(&self, count: usize) {
        self.configuration_without_effect
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A document was read from the store.
    pub fn document_read(&self, took: Duration) {
        self.metadata_get.observe(millis(took));
    }

    /// The status document can be loaded, or can't.
    pub fn status_loaded(&self, is_readable: bool) {
        self.status_unreadable.set(i64::from(!is_readable));
    }

    /// The size of the status document that was stored or read last.
    pub fn status_weighed(&self, bytes: u64) {
        self.metadata_size
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// How much of the room for the status document is taken, in bytes.
    pub fn room_taken(&self, bytes: usize, limit: usize) {
        self.status_weighed(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.status_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.status_limit
            .set(i64::try_from(limit).unwrap_or(i64::MAX));
    }

    /// A store of so many changes came to its end.
    pub fn store_concluded(&self, outcome: StoreResult, changes: u32, took: Duration) {
        self.stores_of(outcome).inc();
        self.store_changes.observe(f64::from(changes));
        self.metadata_store.observe(millis(took));
    }

    fn stores_of(&self, outcome: StoreResult) -> IntCounter {
        self.stores
            .with_label_values(&[names::store_result(outcome)])
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}

fn upstreams(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help)
        .const_labels(scope())
        .buckets(BOUNDS.to_vec())
}

fn scope() -> HashMap<String, String> {
    SCOPE
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
