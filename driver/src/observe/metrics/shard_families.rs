//! The numbers by shard and by data server as the registry wants them, put together when asked for.

use std::collections::HashMap;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::Family;
use super::shards::{Series, Table};

/// [`Series`] as the registry wants it.
pub struct Collected {
    series: Arc<Series>,
    // A registry knows a collector by its descriptions; one that no other has is enough.
    descriptions: Vec<Desc>,
}

impl Collected {
    pub fn new(series: Arc<Series>) -> Result<Self, prometheus::Error> {
        let description = Desc::new(
            "oxia_coordinator_term".to_owned(),
            "The term of the shard".to_owned(),
            vec!["oxia_namespace".to_owned(), "shard".to_owned()],
            HashMap::new(),
        )?;
        Ok(Self {
            series,
            descriptions: vec![description],
        })
    }
}

impl Collector for Collected {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let table = self.series.copied();
        let mut families = latency_families(&table);
        families.extend(shard_families(&table));
        families.extend(server_families(&table));
        families
    }
}

fn latency_families(table: &Table) -> Vec<MetricFamily> {
    let mut election = Family::histogram("The time of a successful election");
    let mut new_term = Family::histogram("The time to fence a quorum in a new term");
    let mut become_leader = Family::histogram("The time of a successful BecomeLeader");
    let detailed = table.shards.iter().filter_map(|(id, shard)| {
        let latencies = shard.latencies.as_deref()?;
        Some((&shard.namespace, id.to_string(), latencies))
    });
    let others = table
        .others
        .iter()
        .map(|(namespace, latencies)| (namespace, "other".to_owned(), latencies));
    for (namespace, shard, latencies) in detailed.chain(others) {
        let labels = [("oxia_namespace", &**namespace), ("shard", &*shard)];
        for (family, latency) in [
            (&mut election, &latencies.election),
            (&mut new_term, &latencies.new_term),
            (&mut become_leader, &latencies.become_leader),
        ] {
            if let Some(latency) = latency {
                family.add_latency(&labels, latency);
            }
        }
    }
    [
        election.named(&["oxia_coordinator_leader_election_latency_milliseconds"]),
        new_term.named(&["oxia_coordinator_new_term_quorum_latency_milliseconds"]),
        become_leader.named(&["oxia_coordinator_become_leader_latency_milliseconds"]),
    ]
    .concat()
}

fn shard_families(table: &Table) -> Vec<MetricFamily> {
    let mut failed = Family::counter("Election attempts that failed");
    let mut term = Family::gauge("The term of the shard");
    let mut blocked = Family::gauge("1 while the shard can't go on by itself");
    let mut in_sync = Family::gauge("How many replicas of the shard are in sync");
    for (id, shard) in &table.shards {
        let id = id.to_string();
        let labels = [("oxia_namespace", &*shard.namespace), ("shard", &*id)];
        if shard.failures > 0 {
            failed.add_count(&labels, shard.failures);
        }
        if let Some(value) = shard.term {
            term.add_gauge(&labels, signed(value));
        }
        if let Some(replicas) = shard.in_sync {
            let replicas = u32::try_from(replicas).unwrap_or(u32::MAX);
            in_sync.add_gauge(&labels, f64::from(replicas));
        }
        if shard.blocked {
            blocked.add_gauge(&labels, 1.0);
        }
    }
    [
        failed.named(&[
            "oxia_coordinator_leader_election_failed_count_total",
            "oxia_coordinator_leader_election_failed_total",
        ]),
        term.named(&["oxia_coordinator_term_count", "oxia_coordinator_term"]),
        blocked.named(&["stepdown_shard_blocked"]),
        in_sync.named(&["stepdown_shard_in_sync"]),
    ]
    .concat()
}

fn server_families(table: &Table) -> Vec<MetricFamily> {
    let mut running = Family::gauge("1 while the data server answers");
    let mut failed = Family::counter("How often the data server became unavailable");
    for (id, server) in &table.servers {
        // The dashboards ask for `node`, which no release of upstream's sets.
        let labels = [("data_server", &*id.0), ("node", &*id.0)];
        running.add_gauge(&labels, if server.running { 1.0 } else { 0.0 });
        if server.failures > 0 {
            failed.add_count(&labels, server.failures);
        }
    }
    let mut emptied =
        Family::counter("How often the data server had no data where it ought to have had some");
    for (id, count) in &table.emptied {
        emptied.add_count(&[("data_server", &*id.0)], *count);
    }
    [
        running.named(&[
            "oxia_coordinator_node_running_count",
            "oxia_coordinator_node_running",
        ]),
        failed.named(&[
            "oxia_coordinator_node_health_checks_failed_count_total",
            "oxia_coordinator_node_health_checks_failed_total",
        ]),
        emptied.named(&["stepdown_data_server_emptied_total"]),
    ]
    .concat()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus knows only floats; terms stay far below 2^53"
)]
fn signed(value: i64) -> f64 {
    value as f64
}
