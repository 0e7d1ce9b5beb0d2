//! The numbers by shard and by data server in Prometheus' text form, put together when asked for.
//!
//! One family after the other: what it takes to put one together is several times its text, and that
//! of 10,000 shards is large.

use std::io::Write;

use super::family::{Family, Latency};
use super::shards::{Latencies, Shard, Table};

impl Table {
    /// Writes them all.
    pub fn write(&self, out: &mut impl Write) -> Result<(), prometheus::Error> {
        self.write_latencies(out)?;
        self.write_shards(out)?;
        self.write_servers(out)
    }

    fn write_latencies(&self, out: &mut impl Write) -> Result<(), prometheus::Error> {
        self.histograms("The time of a successful election", |all| {
            all.election.as_ref()
        })
        .write(
            &["oxia_coordinator_leader_election_latency_milliseconds"],
            out,
        )?;
        self.histograms("The time to fence a quorum in a new term", |all| {
            all.new_term.as_ref()
        })
        .write(
            &["oxia_coordinator_new_term_quorum_latency_milliseconds"],
            out,
        )?;
        self.histograms("The time of a successful BecomeLeader", |all| {
            all.become_leader.as_ref()
        })
        .write(
            &["oxia_coordinator_become_leader_latency_milliseconds"],
            out,
        )
    }

    fn write_shards(&self, out: &mut impl Write) -> Result<(), prometheus::Error> {
        let failed = Family::counter("Election attempts that failed");
        self.by_shard(failed, |family, labels, shard| {
            family.add_count(labels, shard.failures);
        })
        .write(
            &[
                "oxia_coordinator_leader_election_failed_count_total",
                "oxia_coordinator_leader_election_failed_total",
            ],
            out,
        )?;
        let term = Family::gauge("The term of the shard");
        self.by_shard(term, |family, labels, shard| {
            if let Some(term) = shard.term {
                family.add_gauge(labels, signed(term));
            }
        })
        .write(
            &["oxia_coordinator_term_count", "oxia_coordinator_term"],
            out,
        )?;
        let blocked = Family::gauge("1 while the shard can't go on by itself");
        self.by_shard(blocked, |family, labels, shard| {
            if shard.blocked {
                family.add_gauge(labels, 1.0);
            }
        })
        .write(&["stepdown_shard_blocked"], out)?;
        let in_sync = Family::gauge("How many replicas of the shard are in sync");
        self.by_shard(in_sync, |family, labels, shard| {
            if let Some((some, _)) = shard.in_sync {
                family.add_gauge(labels, counted(some));
            }
        })
        .write(&["stepdown_shard_in_sync"], out)?;
        let replicas = Family::gauge("How many replicas the shard has");
        self.by_shard(replicas, |family, labels, shard| {
            if let Some((_, all)) = shard.in_sync {
                family.add_gauge(labels, counted(all));
            }
        })
        .write(&["stepdown_shard_replicas"], out)
    }

    fn write_servers(&self, out: &mut impl Write) -> Result<(), prometheus::Error> {
        let mut running = Family::gauge("1 while the data server answers");
        let mut suspect = Family::gauge(
            "1 while the data server does not answer in time, and is not taken to be unavailable yet",
        );
        let mut failed = Family::counter("How often the data server became unavailable");
        for (id, server) in &self.servers {
            // The dashboards ask for `node`, which no release of upstream's sets.
            let labels = [("data_server", &*id.0), ("node", &*id.0)];
            running.add_gauge(&labels, if server.running { 1.0 } else { 0.0 });
            suspect.add_gauge(&labels[..1], if server.silent { 1.0 } else { 0.0 });
            failed.add_count(&labels, server.failures);
        }
        let mut emptied = Family::counter(
            "How often the data server had no data where it ought to have had some",
        );
        for (id, count) in &self.emptied {
            emptied.add_count(&[("data_server", &*id.0)], *count);
        }
        running.write(
            &[
                "oxia_coordinator_node_running_count",
                "oxia_coordinator_node_running",
            ],
            out,
        )?;
        suspect.write(&["stepdown_data_server_suspect"], out)?;
        failed.write(
            &[
                "oxia_coordinator_node_health_checks_failed_count_total",
                "oxia_coordinator_node_health_checks_failed_total",
            ],
            out,
        )?;
        emptied.write(&["stepdown_data_server_emptied_total"], out)
    }

    /// The family, with what `add` makes of each shard.
    fn by_shard(
        &self,
        mut family: Family,
        add: impl Fn(&mut Family, &[(&str, &str)], &Shard),
    ) -> Family {
        for (id, shard) in &self.shards {
            let id = id.to_string();
            let labels = [("oxia_namespace", &*shard.namespace), ("shard", &*id)];
            add(&mut family, &labels, shard);
        }
        family
    }

    /// The histograms of one kind: of the shards that have their own, and of the others.
    fn histograms(
        &self,
        help: &'static str,
        of: impl Fn(&Latencies) -> Option<&Latency>,
    ) -> Family {
        let add = |family: &mut Family, labels: &[(&str, &str)], latencies: &Latencies| {
            if let Some(latency) = of(latencies) {
                family.add_latency(labels, latency);
            }
        };
        let family = Family::histogram(help);
        let mut family = self.by_shard(family, |family, labels, shard| {
            if let Some(latencies) = &shard.latencies {
                add(family, labels, latencies);
            }
        });
        for (namespace, latencies) in &self.others {
            let labels = [("oxia_namespace", &**namespace), ("shard", "other")];
            add(&mut family, &labels, latencies);
        }
        family
    }
}

fn counted(replicas: usize) -> f64 {
    f64::from(u32::try_from(replicas).unwrap_or(u32::MAX))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus knows only floats; terms stay far below 2^53"
)]
fn signed(value: i64) -> f64 {
    value as f64
}
