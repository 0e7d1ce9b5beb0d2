//! A cluster of processes, what is written to it, and whoever looks on.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::cluster::{ClusterStatus, ShardStatus};
use stepdown_sandbox::cluster::{
    Cluster, ClusterOptions, DataServerKind, Metadata, NamespaceOptions, Process, SandboxError,
    Stamp, leads,
};
use stepdown_sandbox::workload::{Entries, LeaderAt, Workload};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use super::{Load, Onlooker};

/// How long anything may take before it counts as hung. Nothing waits for it otherwise.
pub const LIMIT: Duration = Duration::from_secs(240);
const LOOK: Duration = Duration::from_millis(20);
const LINES: usize = 50;
const LATELY: Duration = Duration::from_secs(5);
/// About as many as there will be, which is how often the workload writes.
const SHARDS: usize = 12;

/// Namespaces whose names begin so are not written to.
pub const DOOMED: &str = "doomed";

/// A cluster of processes under test.
#[derive(Debug)]
pub struct Rig {
    /// The processes.
    pub cluster: Cluster,
    /// Who looks at the status.
    pub onlooker: Onlooker,
    namespaces: Vec<NamespaceOptions>,
    load: Load,
    /// The status as it was seen last.
    seen: Option<(Stamp, ClusterStatus)>,
    dir: Option<TempDir>,
}

impl Rig {
    /// Starts a program's coordinators and data servers, and waits until all shards are led.
    pub async fn start(dir: TempDir, program: PathBuf, coordinators: usize, servers: u32) -> Self {
        let options = ClusterOptions {
            program,
            dir: dir.path().canonicalize().expect("the directory is there"),
            metadata: Metadata::File,
            coordinators,
            data_servers: usize::try_from(servers).unwrap_or_default(),
            data_server_kind: DataServerKind::Sandbox,
            unlisted: std::collections::BTreeSet::new(),
            namespaces: vec![NamespaceOptions {
                name: "default".to_owned(),
                shards: 8,
                replication_factor: servers,
            }],
            coordinator_words: Vec::new(),
        };
        let load = |_: &Cluster| Load::Entries(Workload::new(SHARDS));
        Self::with(dir, &options, load).await
    }

    /// Starts these processes and this load, and waits until all shards are led.
    pub async fn with(
        dir: TempDir,
        options: &ClusterOptions,
        load: impl FnOnce(&Cluster) -> Load,
    ) -> Self {
        let started = || Cluster::start(options).expect("the processes can be started");
        let (cluster, onlooker) = match options.metadata {
            Metadata::File => {
                let onlooker = Onlooker::new(&options.dir.join("cluster-status.yaml"));
                (started(), onlooker)
            }
            Metadata::Raft => {
                let cluster = started();
                let onlooker = Onlooker::of_nodes(cluster.nodes());
                (cluster, onlooker)
            }
        };
        let mut rig = Self {
            load: load(&cluster),
            cluster,
            onlooker,
            namespaces: options.namespaces.clone(),
            seen: None,
            dir: Some(dir),
        };
        rig.done(rig.cluster.hand_out_configuration(LIMIT).await);
        rig.steady().await;
        rig
    }

    /// Waits until one coordinator leads, all shards are led, and each has acknowledged a write
    /// made since; returns the coordinator's index.
    pub async fn steady(&mut self) -> usize {
        self.ready().await;
        let since = Instant::now();
        let what = "one coordinator to lead, and every shard to acknowledge a new write";
        self.until(what, async |rig| {
            let led = rig.follow();
            let all = led && rig.load.silent_since(since).is_empty();
            if all {
                rig.cluster.leader().await
            } else {
                None
            }
        })
        .await
    }

    /// Waits until every coordinator that runs answers.
    pub async fn ready(&mut self) {
        self.until("every coordinator to answer at /metrics", async |rig| {
            for it in &rig.cluster.coordinators {
                if it.process().pid().is_some() && it.scrape().await.is_err() {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// Waits until this holds, and fails if it takes too long, or if something happens that may
    /// never happen.
    pub async fn until<T>(
        &mut self,
        what: &str,
        mut look: impl AsyncFnMut(&mut Self) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            self.check();
            self.look().await;
            self.follow();
            if let Some(found) = look(self).await {
                return found;
            }
            if Instant::now() >= deadline {
                self.fail(&format!("waited {} s for {what}", LIMIT.as_secs()));
            }
            sleep(LOOK).await;
        }
    }

    /// Fails if a process has ended unasked, or if the status has moved back.
    pub fn check(&mut self) {
        if let Err(error) = self.cluster.check_alive() {
            self.fail(&error.to_string());
        }
        if let Some(wrong) = self.onlooker.wrong() {
            self.fail(&format!("the status has changed as it never may: {wrong}"));
        }
    }

    /// Fails, and tells what every process has logged last.
    pub fn fail(&self, what: &str) -> ! {
        let coordinators = self.cluster.coordinators.iter().map(|it| it.process());
        let servers = self.cluster.data_servers.iter().map(|it| it.process());
        let logs: Vec<_> = coordinators
            .chain(servers)
            .map(|it| {
                let log = fs::read_to_string(it.log()).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                let last = lines.split_at(lines.len().saturating_sub(LINES)).1;
                let state = match (it.pid(), it.is_paused()) {
                    (None, _) => "ended",
                    (Some(_), true) => "paused",
                    (Some(_), false) => "runs",
                };
                format!("--- {} ({state}):\n{}", it.name(), last.join("\n"))
            })
            .collect();
        let status = fs::read_to_string(self.cluster.status_path()).unwrap_or_default();
        let lately = Instant::now().checked_sub(LATELY);
        let silent = lately.map_or_else(Vec::new, |it| self.load.silent_since(it));
        panic!(
            "{what}\n--- without an acknowledged write in the last {LATELY:?}: {silent:?}\n{}\n--- the status file:\n{status}",
            logs.join("\n")
        );
    }

    /// Unwraps what the sandbox says.
    pub fn done<T>(&self, result: Result<T, SandboxError>) -> T {
        match result {
            Ok(done) => done,
            Err(error) => self.fail(&error.to_string()),
        }
    }

    /// Adds a namespace of one shard to the configuration.
    pub fn add_namespace(&mut self) {
        self.namespaces.push(NamespaceOptions {
            name: format!("added-{}", self.namespaces.len()),
            shards: 1,
            replication_factor: 3,
        });
        self.done(self.cluster.configure(&self.namespaces));
    }

    /// Puts these namespaces, and these data servers, by their index, into the configuration.
    pub fn configure(&mut self, namespaces: Vec<NamespaceOptions>, listed: &[usize]) {
        for index in 0..self.cluster.data_servers.len() {
            self.cluster.list(index, listed.contains(&index));
        }
        self.namespaces = namespaces;
        self.done(self.cluster.configure(&self.namespaces));
    }

    /// How many namespaces there are to be.
    pub fn namespaces(&self) -> usize {
        self.namespaces.len()
    }

    /// Whether any coordinator that can answer says that it leads.
    pub async fn somebody_leads(&self) -> bool {
        for it in &self.cluster.coordinators {
            let runs = it.process().pid().is_some() && !it.process().is_paused();
            if runs && it.scrape().await.is_ok_and(|samples| leads(&samples)) {
                return true;
            }
        }
        false
    }

    /// A coordinator's counter or gauge; 0 where it doesn't answer.
    pub async fn metric(&self, coordinator: usize, name: &str) -> f64 {
        match self.cluster.coordinators.get(coordinator) {
            Some(it) => it
                .scrape()
                .await
                .map_or(0.0, |samples| samples.sum(name, &[])),
            None => 0.0,
        }
    }

    /// Kills a coordinator (SIGKILL).
    pub fn kill_coordinator(&mut self, index: usize) {
        let killed = self.coordinator(index).kill();
        self.done(killed);
    }

    /// Kills a data server (SIGKILL).
    pub fn kill_server(&mut self, index: usize) {
        let killed = self
            .cluster
            .data_servers
            .get_mut(index)
            .map(|it| it.process_mut().kill());
        self.done(killed.expect("there is such a data server"));
    }

    /// A coordinator's process.
    pub fn coordinator(&mut self, index: usize) -> &mut Process {
        let coordinator = self.cluster.coordinators.get_mut(index);
        coordinator
            .expect("there is such a coordinator")
            .process_mut()
    }

    /// Starts again whatever does not run, and lets go on whatever is paused.
    pub fn mend(&mut self) {
        let mended = self.cluster.processes_mut().try_for_each(|it| {
            if it.pid().is_none() {
                it.restart()
            } else if it.is_paused() {
                it.resume()
            } else {
                Ok(())
            }
        });
        self.done(mended);
    }

    /// Asks every coordinator to end, and waits until all have, well.
    pub async fn end_coordinators(&mut self) {
        for index in 0..self.cluster.coordinators.len() {
            self.end_coordinator(index).await;
        }
    }

    /// Asks a coordinator to end (SIGTERM), and waits until it has, well.
    pub async fn end_coordinator(&mut self, index: usize) {
        let asked = self.coordinator(index).terminate();
        self.done(asked);
        let deadline = Instant::now() + LIMIT;
        loop {
            let ended = self.coordinator(index).ended();
            match self.done(ended) {
                Some(status) if status.success() => return,
                Some(status) => self.fail(&format!("asked to end, it ended with {status}")),
                None if Instant::now() >= deadline => self.fail("asked to end, it goes on"),
                None => sleep(LOOK).await,
            }
        }
    }

    /// Waits until so many keys are acknowledged, if keys are what is written.
    pub async fn has_written(&mut self, keys: usize) {
        self.until("keys to be acknowledged", async |rig| match &rig.load {
            Load::Keys(it) => (it.acknowledged() >= keys).then_some(()),
            Load::Entries(_) => Some(()),
        })
        .await;
    }

    /// Stops writing, and reads back everything that was ever acknowledged; returns how much.
    pub async fn nothing_is_lost(&mut self) -> u64 {
        self.steady().await;
        self.load.stop().await;
        let entries = self.read_back().await;
        self.check();
        if entries.acknowledged == 0 || entries.verified != entries.acknowledged {
            self.fail(&format!("acknowledged entries are not there: {entries:?}"));
        }
        entries.acknowledged
    }

    /// How many puts failed so far, or wait for an answer; where that is known.
    pub fn unanswered(&self) -> Option<u64> {
        self.load.unanswered()
    }

    /// Reads back what was acknowledged from whoever leads by then.
    async fn read_back(&mut self) -> Entries {
        let deadline = Instant::now() + LIMIT;
        let mut reading = match &self.load {
            Load::Keys(keys) => return keys.verify(deadline).await,
            Load::Entries(entries) => Box::pin(entries.verify(deadline)),
        };
        loop {
            if let Ok(entries) = timeout(LOOK, &mut reading).await {
                return entries;
            }
            self.look().await;
            self.follow();
        }
    }

    /// The status document, once there is one.
    pub fn status(&self) -> Option<ClusterStatus> {
        self.done(self.cluster.status())
    }

    /// Reads the status, if it has changed. One that can't be read is looked at again.
    async fn look(&mut self) {
        let known = self.seen.as_ref().map(|(stamp, _)| stamp);
        if let Ok(Some(seen)) = self.cluster.changed_status(known).await {
            self.seen = Some(seen);
        }
    }

    /// Tells the writers who leads; says whether every shard is led.
    fn follow(&mut self) -> bool {
        let Some((_, status)) = &self.seen else {
            return false;
        };
        let mut leaders = leaders(status);
        let all = leaders.iter().all(|it| it.address.is_some());
        // What is going to be deleted is not written to.
        leaders.retain(|it| !it.namespace.starts_with(DOOMED));
        self.load.follow(leaders);
        let is_there = |namespace: &NamespaceOptions| {
            let there = status.namespaces.get(namespace.name.as_str());
            there.is_some_and(|there| there.kept().next().is_some())
        };
        all && self.namespaces.iter().all(is_there)
    }
}

/// Who leads each shard, by the status document.
pub fn leaders(status: &ClusterStatus) -> Vec<LeaderAt> {
    let shards = status.shards();
    shards
        .filter(|(_, _, metadata)| metadata.status != ShardStatus::Deleting)
        .map(|(namespace, shard, metadata)| {
            let leader = metadata.leader.as_ref();
            let leader = leader.filter(|_| metadata.status == ShardStatus::SteadyState);
            LeaderAt {
                namespace: namespace.clone(),
                shard,
                address: leader.map(|it| Arc::clone(&it.public)),
            }
        })
        .collect()
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("the files are kept: {}", dir.keep().display());
        }
    }
}
