//! A coordinator and three data servers as processes, to be hurt and to be counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::{Answer, Call};
use stepdown_core::cluster::{ClusterStatus, DataServerIdentity};
use stepdown_core::{ShardId, Term};
use stepdown_sandbox::cluster::{
    Cluster, ClusterOptions, CoordinatorProcess, DataServerProcess, Metadata, NamespaceOptions,
    Samples, SandboxError,
};
use tokio::time::{Instant, sleep, sleep_until};

use super::alike::all_alike;
use super::args::OutageArgs;
use super::document::{Stamp, Weighed, stamp};
use super::led::Led;
use crate::bench::error::BenchError;
use crate::data_servers::{CallOptions, DataServers};

const SERVERS: u8 = 3;
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(600);
/// What answers no sooner is asked again.
const WITHIN: Duration = Duration::from_secs(1);
/// Nothing was written for so long: what was begun is over.
const QUIET: Duration = Duration::from_secs(1);
/// A coordinator that writes all the time is measured so.
const QUIET_WITHIN: Duration = Duration::from_secs(10);

/// The processes, and what has been seen of them.
pub(super) struct Subject {
    cluster: Cluster,
    servers: DataServers,
    weighed: Weighed,
    led: Led,
    read: Option<Stamp>,
    status: ClusterStatus,
}

/// What the coordinator has written so far.
pub(super) struct Costs {
    pub(super) stores: u64,
    pub(super) bytes: u64,
    pub(super) lines: usize,
    terms: BTreeMap<ShardId, Term>,
}

impl Subject {
    /// Starts everything, and waits until every shard is led and all its replicas are alike.
    pub(super) async fn start(dir: &Path, args: &OutageArgs) -> Result<Self, BenchError> {
        let program = std::env::current_exe()
            .map_err(|error| SandboxError::file("find", Path::new("this program"))(error))?;
        let mut cluster = Cluster::start(&ClusterOptions {
            program,
            dir: dir.to_path_buf(),
            metadata: Metadata::File,
            coordinators: 1,
            data_servers: usize::from(SERVERS),
            data_server_kind: args.servers(),
            unlisted: std::collections::BTreeSet::new(),
            namespaces: Vec::new(),
            coordinator_words: Vec::new(),
        })?;
        let weighed = Weighed::start(cluster.status_path().to_path_buf());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            cluster.check_alive()?;
            match cluster.status()? {
                Some(status) => break status,
                None => pause(deadline, "there is a status document").await?,
            }
        };
        let options = CallOptions {
            deadline: WITHIN,
            health_deadline: WITHIN,
            dial_deadline: WITHIN,
            ..CallOptions::default()
        };
        let mut subject = Self {
            servers: DataServers::new(options, Arc::clone(&status.instance_id))?,
            cluster,
            weighed,
            led: Led::default(),
            read: None,
            status,
        };
        // Only then, so that each of them is to lead as many shards.
        subject.all_run().await?;
        subject.cluster.configure(&[NamespaceOptions {
            name: "default".to_owned(),
            shards: args.shards,
            replication_factor: u32::from(SERVERS),
        }])?;
        subject.all_led(Instant::now()).await?;
        subject.all_alike().await?;
        Ok(subject)
    }

    /// The data server that runs and leads most shards.
    pub(super) fn leads_most(&self) -> usize {
        let servers = self.cluster.data_servers.iter().enumerate();
        let running = servers.filter(|(_, it)| it.process().pid().is_some());
        let most = running.max_by_key(|(index, _)| self.led_by(*index));
        most.map_or(0, |(index, _)| index)
    }

    /// How many shards it leads by the status.
    pub(super) fn led_by(&self, index: usize) -> usize {
        let server = self.cluster.data_servers.get(index).map(identity);
        let leaders = self.status.shards().filter_map(|it| it.2.leader.as_ref());
        leaders
            .filter(|leader| {
                server
                    .as_ref()
                    .is_some_and(|it| it.internal == leader.internal)
            })
            .count()
    }

    /// Kills a data server.
    pub(super) fn kill(&mut self, index: usize) -> Result<(), BenchError> {
        if let Some(server) = self.cluster.data_servers.get_mut(index) {
            server.process_mut().kill()?;
            self.led.doubt(&identity(server));
        }
        Ok(())
    }

    /// Starts it again.
    pub(super) fn restart(&mut self, index: usize) -> Result<(), BenchError> {
        if let Some(server) = self.cluster.data_servers.get_mut(index) {
            server.process_mut().restart()?;
        }
        self.led.doubt_all();
        Ok(())
    }

    /// Waits until every shard is led; returns the time since.
    pub(super) async fn all_led(&mut self, since: Instant) -> Result<Duration, BenchError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.cluster.check_alive()?;
            self.look()?;
            let running = self.cluster.data_servers.iter();
            let running: BTreeSet<_> = running
                .filter(|it| it.process().pid().is_some())
                .map(|it| identity(it).internal)
                .collect();
            if self.led.ask(&self.servers, &running, &self.status).await {
                return Ok(since.elapsed());
            }
            pause(deadline, "every shard is led").await?;
        }
    }

    /// Waits until every data server says that it serves; returns when the last one did.
    pub(super) async fn all_serve(&mut self) -> Result<Instant, BenchError> {
        let deadline = Instant::now() + PATIENCE;
        let servers: Vec<_> = self.cluster.data_servers.iter().map(identity).collect();
        for server in servers {
            while self.servers.call(&server, Call::CheckHealth).await
                != Ok(Answer::Health { serving: true })
            {
                self.cluster.check_alive()?;
                pause(deadline, "every data server serves").await?;
            }
        }
        Ok(Instant::now())
    }

    /// Lets so much time pass, in which no process may end by itself.
    pub(super) async fn alive_for(&mut self, time: Duration) -> Result<(), BenchError> {
        sleep(time).await;
        Ok(self.cluster.check_alive()?)
    }

    /// Waits until what was begun is over.
    pub(super) async fn quiet(&mut self) -> Result<(), BenchError> {
        let deadline = Instant::now() + QUIET_WITHIN;
        let mut last = (self.read, self.lines()?);
        let mut since = Instant::now();
        while since.elapsed() < QUIET && Instant::now() < deadline {
            sleep_until(Instant::now() + LOOK).await;
            self.look()?;
            let now = (self.read, self.lines()?);
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    /// What the coordinator has written so far.
    pub(super) async fn costs(&mut self) -> Result<Costs, BenchError> {
        self.look()?;
        let samples = self.coordinator()?.scrape().await?;
        Ok(Costs {
            stores: whole(samples.sum("stepdown_stores_total", &[])),
            bytes: self.weighed.bytes(),
            lines: self.lines()?,
            terms: self.status.shards().map(|it| (it.1, it.2.term)).collect(),
        })
    }

    async fn all_run(&mut self) -> Result<(), BenchError> {
        let deadline = Instant::now() + PATIENCE;
        let run = |it: Samples| it.sum("oxia_coordinator_node_running", &[]);
        while self.coordinator()?.scrape().await.map_or(0.0, run) < f64::from(SERVERS) {
            self.cluster.check_alive()?;
            pause(deadline, "every data server runs").await?;
        }
        Ok(())
    }

    async fn all_alike(&mut self) -> Result<(), BenchError> {
        let deadline = Instant::now() + PATIENCE;
        while !all_alike(&self.servers, &self.status).await {
            self.cluster.check_alive()?;
            self.look()?;
            pause(deadline, "every replica has what its leader has").await?;
        }
        Ok(())
    }

    /// Reads the status if it is another than before.
    fn look(&mut self) -> Result<(), BenchError> {
        let path = self.cluster.status_path();
        let found = fs::metadata(path).map_err(SandboxError::file("read", path))?;
        let now = Some(stamp(&found));
        if now != self.read
            && let Some(status) = self.cluster.status()?
        {
            (self.read, self.status) = (now, status);
        }
        Ok(())
    }

    fn lines(&self) -> Result<usize, BenchError> {
        let path = self.coordinator()?.process().log();
        let log = fs::read(path).map_err(SandboxError::file("read", path))?;
        Ok(log.iter().filter(|byte| **byte == b'\n').count())
    }

    fn coordinator(&self) -> Result<&CoordinatorProcess, BenchError> {
        let first = self.cluster.coordinators.first();
        first.ok_or_else(|| {
            let name = "the coordinator".to_owned();
            SandboxError::NotRunning { name }.into()
        })
    }
}

impl Costs {
    /// How many terms the shard has gone through since that went through most.
    pub(super) fn rise_since(&self, before: &Self) -> i64 {
        let rises = self.terms.iter().map(|(id, term)| {
            let then = before.terms.get(id).unwrap_or(term);
            term.0 - then.0
        });
        rises.max().unwrap_or_default()
    }
}

fn identity(server: &DataServerProcess) -> DataServerIdentity {
    DataServerIdentity {
        name: Some(server.process().name().into()),
        public: server.public().to_string().into(),
        internal: server.internal().to_string().into(),
    }
}

async fn pause(deadline: Instant, what: &'static str) -> Result<(), BenchError> {
    if Instant::now() >= deadline {
        return Err(BenchError::Stuck(PATIENCE, what));
    }
    sleep(LOOK).await;
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Prometheus knows only floats; these are small counts"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}
