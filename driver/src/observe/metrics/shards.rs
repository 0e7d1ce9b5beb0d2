//! Series by shard and by data server. They are kept small, and put together when asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use stepdown_core::{ServerId, ServerState, ShardId, Term};

use super::family::{Family, Latency};

/// So many shards have histograms of their own; later ones share one per namespace, under the
/// shard `other`. 60 lines for each of 10,000 shards would be a scrape of 100 MB.
const DETAILED: usize = 1_000;

/// Numbers by shard and by data server.
#[derive(Default)]
pub struct Series(Mutex<Table>);

#[derive(Clone, Default)]
struct Table {
    shards: BTreeMap<ShardId, Shard>,
    detailed: usize,
    others: BTreeMap<Arc<str>, Latencies>,
    servers: BTreeMap<ServerId, Server>,
}

#[derive(Clone)]
struct Shard {
    namespace: Arc<str>,
    term: Option<i64>,
    blocked: bool,
    failures: u64,
    latencies: Option<Box<Latencies>>,
}

#[derive(Clone, Default)]
struct Latencies {
    election: Option<Latency>,
    new_term: Option<Latency>,
    become_leader: Option<Latency>,
}

#[derive(Clone, Default)]
struct Server {
    running: bool,
    failures: u64,
}

impl Series {
    /// A shard has a new leader.
    pub fn elected(&self, namespace: &Arc<str>, shard: ShardId, took: Duration) {
        let mut table = self.lock();
        table.shard(namespace, shard).blocked = false;
        let latencies = table.latencies(namespace, shard);
        latencies.election.get_or_insert_default().add(took);
    }

    /// An attempt to elect a leader failed.
    pub fn election_failed(&self, namespace: &Arc<str>, shard: ShardId) {
        self.lock().shard(namespace, shard).failures += 1;
    }

    /// A quorum is fenced.
    pub fn fenced(&self, namespace: &Arc<str>, shard: ShardId, took: Duration) {
        let mut table = self.lock();
        let latencies = table.latencies(namespace, shard);
        latencies.new_term.get_or_insert_default().add(took);
    }

    /// A server became leader.
    pub fn leader_confirmed(&self, namespace: &Arc<str>, shard: ShardId, took: Duration) {
        let mut table = self.lock();
        let latencies = table.latencies(namespace, shard);
        latencies.become_leader.get_or_insert_default().add(took);
    }

    /// The store accepted the shard in this term.
    pub fn accepted(&self, namespace: &Arc<str>, shard: ShardId, term: Term) {
        self.lock().shard(namespace, shard).term = Some(term.0);
    }

    /// The shard can't go on by itself.
    pub fn blocked(&self, namespace: &Arc<str>, shard: ShardId) {
        self.lock().shard(namespace, shard).blocked = true;
    }

    /// The shard is led as it should be.
    pub fn verified(&self, namespace: &Arc<str>, shard: ShardId) {
        self.lock().shard(namespace, shard).blocked = false;
    }

    /// A data server's state changed.
    pub fn server_changed(&self, server: &ServerId, state: ServerState) {
        let mut table = self.lock();
        let server = table.servers.entry(server.clone()).or_default();
        server.running = state == ServerState::Running;
        server.failures += u64::from(state == ServerState::Unavailable);
    }

    /// A data server is no longer known.
    pub fn server_forgotten(&self, server: &ServerId) {
        self.lock().servers.remove(server);
    }

    /// Out of office nothing is known of shards and servers; what was counted stays.
    pub fn close_office(&self) {
        let mut table = self.lock();
        table.servers.clear();
        for shard in table.shards.values_mut() {
            shard.term = None;
            shard.blocked = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn shard(&mut self, namespace: &Arc<str>, shard: ShardId) -> &mut Shard {
        self.shards.entry(shard).or_insert_with(|| Shard {
            namespace: Arc::clone(namespace),
            term: None,
            blocked: false,
            failures: 0,
            latencies: None,
        })
    }

    fn latencies(&mut self, namespace: &Arc<str>, shard: ShardId) -> &mut Latencies {
        let full = self.detailed >= DETAILED;
        if full && self.shard(namespace, shard).latencies.is_none() {
            return self.others.entry(Arc::clone(namespace)).or_default();
        }
        if self.shard(namespace, shard).latencies.is_none() {
            self.detailed += 1;
        }
        self.shard(namespace, shard)
            .latencies
            .get_or_insert_default()
    }

    fn families(&self) -> Vec<MetricFamily> {
        let mut families = self.latency_families();
        families.extend(self.shard_families());
        families.extend(self.server_families());
        families
    }

    fn latency_families(&self) -> Vec<MetricFamily> {
        let mut election = Family::histogram("The time of a successful election");
        let mut new_term = Family::histogram("The time to fence a quorum in a new term");
        let mut become_leader = Family::histogram("The time of a successful BecomeLeader");
        let detailed = self.shards.iter().filter_map(|(id, shard)| {
            let latencies = shard.latencies.as_deref()?;
            Some((&shard.namespace, id.to_string(), latencies))
        });
        let others = self
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

    fn shard_families(&self) -> Vec<MetricFamily> {
        let mut failed = Family::counter("Election attempts that failed");
        let mut term = Family::gauge("The term of the shard");
        let mut blocked = Family::gauge("1 while the shard can't go on by itself");
        for (id, shard) in &self.shards {
            let id = id.to_string();
            let labels = [("oxia_namespace", &*shard.namespace), ("shard", &*id)];
            if shard.failures > 0 {
                failed.add_count(&labels, shard.failures);
            }
            if let Some(value) = shard.term {
                term.add_gauge(&labels, signed(value));
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
        ]
        .concat()
    }

    fn server_families(&self) -> Vec<MetricFamily> {
        let mut running = Family::gauge("1 while the data server answers");
        let mut failed = Family::counter("How often the data server became unavailable");
        for (id, server) in &self.servers {
            // The dashboards ask for `node`, which no release of upstream's sets.
            let labels = [("data_server", &*id.0), ("node", &*id.0)];
            running.add_gauge(&labels, if server.running { 1.0 } else { 0.0 });
            if server.failures > 0 {
                failed.add_count(&labels, server.failures);
            }
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
        ]
        .concat()
    }
}

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
            std::collections::HashMap::new(),
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
        // Reports must not wait while a large scrape is put together.
        let copy = self.series.lock().clone();
        copy.families()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus knows only floats; terms stay far below 2^53"
)]
fn signed(value: i64) -> f64 {
    value as f64
}
