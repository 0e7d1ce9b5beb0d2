//! Metrics of leadership and of the store.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use stepdown_core::{Cause, Report, Role, StoreResult};

use super::family::{BOUNDS, SCOPE};
use crate::observe::reports::{role, store_result};

#[derive(Clone)]
pub struct Own {
    configuration_rejected: IntGauge,
    conflicts: IntCounter,
    epoch: IntGauge,
    metadata_get: Histogram,
    metadata_size: IntGauge,
    metadata_store: Histogram,
    role: IntGaugeVec,
    status_bytes: IntGauge,
    status_limit: IntGauge,
    status_unreadable: IntGauge,
    step_down: Histogram,
    store_changes: Histogram,
    stores: IntCounterVec,
    transitions: IntCounterVec,
}

impl Own {
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let own = Self {
            configuration_rejected: IntGauge::new(
                "stepdown_configuration_rejected",
                "1 while the configuration last read is refused and an older one is in force",
            )?,
            conflicts: IntCounter::new(
                "stepdown_conflicts_total",
                "How often a conflict on the status document ended a term of office",
            )?,
            epoch: IntGauge::new(
                "stepdown_epoch",
                "The epoch of the fencing write of this process' last office",
            )?,
            metadata_get: Histogram::with_opts(upstreams(
                "oxia_coordinator_metadata_get_latency_milliseconds",
                "The time to read a document",
            ))?,
            metadata_size: IntGauge::with_opts(
                Opts::new(
                    "oxia_coordinator_metadata_size_bytes",
                    "The size of the status document",
                )
                .const_labels(scope()),
            )?,
            metadata_store: Histogram::with_opts(upstreams(
                "oxia_coordinator_metadata_store_latency_milliseconds",
                "The time to store the status document, until that is certain",
            ))?,
            role: IntGaugeVec::new(
                Opts::new("stepdown_role", "1 for the role of this coordinator"),
                &["role"],
            )?,
            status_bytes: IntGauge::new(
                "stepdown_status_bytes",
                "What the status document takes of the room there is, as stored",
            )?,
            status_limit: IntGauge::new(
                "stepdown_status_limit_bytes",
                "The room there is for the status document; 0 where nothing is known to limit it",
            )?,
            status_unreadable: IntGauge::new(
                "stepdown_status_unreadable",
                "1 while the status document can't be loaded",
            )?,
            step_down: Histogram::with_opts(
                HistogramOpts::new(
                    "stepdown_step_down_duration_seconds",
                    "From the close of office until this process campaigns again",
                )
                .buckets(vec![
                    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0,
                ]),
            )?,
            store_changes: Histogram::with_opts(
                HistogramOpts::new(
                    "stepdown_store_changes",
                    "How many changes one store of the status document carried",
                )
                .buckets(vec![
                    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0,
                    5_000.0, 10_000.0,
                ]),
            )?,
            stores: IntCounterVec::new(
                Opts::new("stepdown_stores_total", "Stores of the status document"),
                &["outcome"],
            )?,
            transitions: IntCounterVec::new(
                Opts::new("stepdown_transitions_total", "Changes of role"),
                &["from", "to", "cause"],
            )?,
        };
        own.start(registry)?;
        Ok(own)
    }

    fn start(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let build = IntGaugeVec::new(
            Opts::new("stepdown_build_info", "1, with the version as a label"),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let all: [Box<dyn Collector>; 15] = [
            Box::new(build),
            Box::new(self.configuration_rejected.clone()),
            Box::new(self.conflicts.clone()),
            Box::new(self.epoch.clone()),
            Box::new(self.metadata_get.clone()),
            Box::new(self.metadata_size.clone()),
            Box::new(self.metadata_store.clone()),
            Box::new(self.role.clone()),
            Box::new(self.status_bytes.clone()),
            Box::new(self.status_limit.clone()),
            Box::new(self.status_unreadable.clone()),
            Box::new(self.step_down.clone()),
            Box::new(self.store_changes.clone()),
            Box::new(self.stores.clone()),
            Box::new(self.transitions.clone()),
        ];
        for collector in all {
            registry.register(collector)?;
        }
        self.set_role(Role::Candidate);
        for outcome in [StoreResult::Stored, StoreResult::Conflict] {
            self.stores.with_label_values(&[store_result(outcome)]);
        }
        Ok(())
    }

    pub fn report(&self, report: &Report) {
        match report {
            Report::ConfigurationApplied { .. } => self.configuration_rejected.set(0),
            Report::ConfigurationRejected { .. } => self.configuration_rejected.set(1),
            Report::RoleChanged {
                from,
                to,
                cause,
                took,
                epoch,
                ..
            } => {
                self.set_role(*to);
                let cause_label = cause.map_or("", cause_name);
                self.transitions
                    .with_label_values(&[role(*from), role(*to), cause_label])
                    .inc();
                if *from == Role::Leader && *cause == Some(Cause::Conflict) {
                    self.conflicts.inc();
                }
                if *to == Role::Leader {
                    self.status_unreadable.set(0);
                }
                if let (Role::SteppingDown, Role::Candidate, Some(took)) = (from, to, took) {
                    self.step_down.observe(took.as_secs_f64());
                }
                if let Some(epoch) = epoch {
                    self.epoch.set(i64::try_from(epoch.0).unwrap_or(i64::MAX));
                }
            }
            Report::StoreConcluded {
                outcome,
                changes,
                took,
                ..
            } => {
                self.stores
                    .with_label_values(&[store_result(*outcome)])
                    .inc();
                self.store_changes.observe(f64::from(*changes));
                self.metadata_store.observe(took.as_secs_f64() * 1_000.0);
            }
            Report::StatusAdopted { .. } => self.status_unreadable.set(0),
            Report::StatusUnreadable { .. } => self.status_unreadable.set(1),
            Report::Elected { .. }
            | Report::ElectionFailed { .. }
            | Report::FencingEnded { .. }
            | Report::LeaderConfirmed { .. }
            | Report::NamespaceCreated { .. }
            | Report::NamespaceRefused { .. }
            | Report::ServerChanged { .. }
            | Report::ServerForgotten { .. }
            | Report::ShardAccepted { .. }
            | Report::ShardBlocked { .. }
            | Report::ShardVerified { .. } => {}
        }
    }

    pub fn metadata_read(&self, took: Duration) {
        self.metadata_get.observe(took.as_secs_f64() * 1_000.0);
    }

    pub fn metadata_size(&self, bytes: u64) {
        self.metadata_size
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub fn status_size(&self, bytes: usize, limit: usize) {
        self.metadata_size(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.status_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.status_limit
            .set(i64::try_from(limit).unwrap_or(i64::MAX));
    }

    fn set_role(&self, now: Role) {
        for one in [Role::Candidate, Role::Leader, Role::SteppingDown] {
            self.role
                .with_label_values(&[role(one)])
                .set(i64::from(one == now));
        }
    }
}

fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::AuthorityExpired => "authority_expired",
        Cause::Conflict => "conflict",
        Cause::LeadershipLost => "leadership_lost",
        Cause::NotInOffice => "not_in_office",
        Cause::Shutdown => "shutdown",
        Cause::StoreRefused => "store_refused",
    }
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
