//! Processes, proxies and an API server, and what is awaited of them.

use std::fs;
use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use stepdown_core::Epoch;
use stepdown_sandbox::cluster::{
    CoordinatorProcess, CoordinatorProcessOptions, DataServerKind, DataServerProcess,
    DataServerProcessOptions, NamespaceOptions, Process, SandboxError, configuration, leads,
};
use stepdown_sandbox::workload::Workload;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use super::{Documents, NAMESPACE, Offices, Onlooker};
use crate::kubernetes::{ApiServer, FaultProxy, Grants, Namespace};
use crate::processes::{leaders, stepdown};

/// How long anything may take before it counts as hung. Nothing waits for it otherwise.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);
const LINES: usize = 60;

/// The times of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Those of production.
    Default,
    /// A fifth of them.
    Short,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The coordinators' names; one that comes twice is two pods of one name.
    pub names: Vec<&'static str>,
    /// How many data servers.
    pub servers: u32,
    /// What the coordinators may do.
    pub grants: Grants,
    /// The times of the lease.
    pub profile: Profile,
    /// How many lost leaderships are borne before others go first.
    pub flap_limit: u32,
    /// Further flags for every coordinator.
    pub words: Vec<&'static str>,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            names: vec!["c1", "c2", "c3"],
            servers: 3,
            grants: Grants::Ours,
            profile: Profile::Short,
            flap_limit: 3,
            words: Vec::new(),
        }
    }
}

/// A cluster of processes under test.
#[derive(Debug)]
pub struct Fleet {
    /// The coordinators.
    pub coordinators: Vec<CoordinatorProcess>,
    /// The proxy of each.
    pub proxies: Vec<FaultProxy>,
    /// The data servers.
    pub servers: Vec<DataServerProcess>,
    /// The objects.
    pub documents: Documents,
    /// Whoever looks at the status document.
    pub onlooker: Onlooker,
    /// Who was in office when.
    pub offices: Offices,
    namespaces: Vec<NamespaceOptions>,
    workload: Workload,
    namespace: Namespace,
    /// The API server.
    pub api: ApiServer,
    dir: Option<TempDir>,
}

impl Fleet {
    /// Starts everything, and waits until all shards are led. `None` where there is no API server:
    /// the test is skipped then, and that has been said.
    pub async fn start(options: FleetOptions) -> Option<Self> {
        let api = ApiServer::start().await?;
        let namespace = api.namespace(NAMESPACE, options.grants).await;
        let documents = Documents::new(api.admin().await, NAMESPACE);
        let dir = tempfile::Builder::new()
            .prefix("stepdown-fleet-")
            .tempdir()
            .expect("a temporary directory");
        let mut fleet = Self {
            coordinators: Vec::new(),
            proxies: Vec::new(),
            servers: Vec::new(),
            onlooker: Onlooker::new(&documents),
            documents,
            offices: Offices::default(),
            namespaces: vec![NamespaceOptions {
                name: "default".to_owned(),
                shards: 8,
                replication_factor: options.servers,
            }],
            workload: Workload::new(12),
            namespace,
            api,
            dir: Some(dir),
        };
        for number in 1..=options.servers {
            fleet.start_server(number);
        }
        fleet.configure().await;
        for (index, name) in options.names.iter().enumerate() {
            fleet.start_coordinator(index, name, &options).await;
        }
        fleet.steady().await;
        Some(fleet)
    }

    fn start_server(&mut self, number: u32) {
        let started = DataServerProcess::start(DataServerProcessOptions {
            name: format!("server-{number}"),
            program: stepdown(),
            kind: DataServerKind::Sandbox,
            dir: self.dir().to_owned(),
        });
        let server = self.done(started);
        self.servers.push(server);
    }

    async fn start_coordinator(&mut self, index: usize, name: &str, options: &FleetOptions) {
        let proxy = FaultProxy::start(&self.api).await;
        let kubeconfig = self.namespace.kubeconfig(proxy.url());
        self.proxies.push(proxy);
        // Two of one name have files of their own.
        let dir = self.dir().join(format!("pod-{index}"));
        fs::create_dir(&dir).expect("a temporary directory");
        let mut words: Vec<_> = options.words.iter().map(Into::into).collect();
        words.push("--log-json".into());
        if options.profile == Profile::Short {
            words.push("--lease-profile=short".into());
        }
        let started = CoordinatorProcess::start(CoordinatorProcessOptions {
            name: name.to_owned(),
            program: stepdown(),
            dir,
            metadata: json!({
                "providerName": "configmap",
                "kubernetes": {"namespace": NAMESPACE, "flapLimit": options.flap_limit},
            }),
            words,
            environment: vec![
                ("KUBECONFIG".into(), kubeconfig.into()),
                ("POD_UID".into(), format!("pod-{index}").into()),
            ],
        });
        let coordinator = self.done(started);
        self.coordinators.push(coordinator);
    }

    fn dir(&self) -> &std::path::Path {
        self.dir.as_ref().expect("it is there until the end").path()
    }

    /// A kubeconfig file of someone who may do anything.
    pub(super) fn administrator(&self) -> std::path::PathBuf {
        let path = self.dir().join("administrator.yaml");
        let text = self.api.admin_access().kubeconfig().to_string();
        fs::write(&path, text).expect("a temporary file can be written");
        path
    }

    /// Waits until one coordinator leads, all shards are led, and each has acknowledged a write
    /// made since; returns the coordinator's index.
    pub async fn steady(&mut self) -> usize {
        let since = Instant::now();
        let what = "one coordinator to lead, and every shard to acknowledge a new write";
        self.until(what, async |fleet| {
            let led = fleet.follow().await;
            if led && fleet.workload.silent_since(since).is_empty() {
                fleet.leader().await
            } else {
                None
            }
        })
        .await
    }

    /// The index of the coordinator that says that it leads; none if two do, as may be while
    /// leadership changes hands between two looks.
    pub async fn leader(&self) -> Option<usize> {
        let mut leader = None;
        for index in 0..self.coordinators.len() {
            if self
                .metric(index, "stepdown_role", &[("role", "leader")])
                .await
                > 0.0
            {
                if leader.is_some() {
                    return None;
                }
                leader = Some(index);
            }
        }
        leader
    }

    /// Waits until a coordinator leads in a later epoch; returns its index.
    pub async fn leader_after(&mut self, epoch: Epoch) -> usize {
        let what = format!("a coordinator to lead in an epoch after {epoch}");
        self.until(&what, async |fleet| {
            if fleet.onlooker.epoch() > epoch {
                fleet.leader().await
            } else {
                None
            }
        })
        .await
    }

    /// A coordinator's counter or gauge; 0 where it doesn't answer.
    pub async fn metric(&self, index: usize, name: &str, labels: &[(&str, &str)]) -> f64 {
        let Some(coordinator) = self.coordinators.get(index) else {
            return 0.0;
        };
        let process = coordinator.process();
        if process.pid().is_none() || process.is_paused() {
            return 0.0;
        }
        let samples = coordinator.scrape().await;
        samples.map_or(0.0, |samples| samples.sum(name, labels))
    }

    /// Whether any coordinator that can answer says that it leads.
    pub async fn somebody_leads(&self) -> bool {
        for coordinator in &self.coordinators {
            let process = coordinator.process();
            let answers = process.pid().is_some() && !process.is_paused();
            if answers && coordinator.scrape().await.is_ok_and(|it| leads(&it)) {
                return true;
            }
        }
        false
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
            if let Some(found) = look(self).await {
                return found;
            }
            if Instant::now() >= deadline {
                self.fail(&format!("waited {} s for {what}", LIMIT.as_secs()));
            }
            sleep(LOOK).await;
        }
    }

    /// Lives on for so long; fails if something happens that may never happen.
    pub async fn live(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.check();
            self.follow().await;
            sleep(LOOK).await;
        }
    }

    /// Fails if a process has ended unasked, or if the status document has moved back.
    pub fn check(&mut self) {
        let coordinators = self.coordinators.iter_mut().map(|it| it.process_mut());
        let servers = self.servers.iter_mut().map(|it| it.process_mut());
        let ended = coordinators.chain(servers).find_map(|it| {
            it.ended()
                .ok()
                .flatten()
                .map(|status| (it.name().to_owned(), status))
        });
        if let Some((name, status)) = ended {
            self.fail(&format!("{name} has ended unasked: {status}"));
        }
        if let Some(wrong) = self.onlooker.wrong() {
            self.fail(&format!("the status has changed as it never may: {wrong}"));
        }
    }

    /// Fails, and tells what every coordinator has logged last.
    pub fn fail(&self, what: &str) -> ! {
        let logs = self.coordinators.iter().map(|it| {
            let log = fs::read_to_string(it.process().log()).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = lines.split_at(lines.len().saturating_sub(LINES)).1;
            format!("--- {}:\n{}", it.process().name(), last.join("\n"))
        });
        let logs: Vec<_> = logs.collect();
        let lately = Instant::now().checked_sub(Duration::from_secs(10));
        let silent = lately.map(|since| self.workload.silent_since(since));
        panic!(
            "{what}\nshards that acknowledged nothing for 10 s: {silent:?}\n{}",
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

    /// A coordinator's process.
    pub fn process(&mut self, index: usize) -> &mut Process {
        let coordinator = self.coordinators.get_mut(index);
        coordinator
            .expect("there is such a coordinator")
            .process_mut()
    }

    /// A coordinator's proxy.
    pub fn proxy(&self, index: usize) -> &FaultProxy {
        self.proxies
            .get(index)
            .expect("there is such a coordinator")
    }

    /// Kills a coordinator (SIGKILL).
    pub fn kill(&mut self, index: usize) {
        let name = self.log_name(index);
        let killed = self.process(index).kill();
        self.done(killed);
        self.offices.interrupt(&name);
    }

    /// Pauses a coordinator (SIGSTOP).
    pub fn pause(&mut self, index: usize) {
        let name = self.log_name(index);
        let paused = self.process(index).pause();
        self.done(paused);
        self.offices.interrupt(&name);
    }

    /// Lets a paused coordinator go on (SIGCONT).
    pub fn wake(&mut self, index: usize) {
        let name = self.log_name(index);
        self.offices.go_on(&name);
        let woken = self.process(index).resume();
        self.done(woken);
    }

    /// Kills a data server (SIGKILL).
    pub fn kill_server(&mut self, index: usize) {
        let killed = self
            .servers
            .get_mut(index)
            .map(|it| it.process_mut().kill());
        self.done(killed.expect("there is such a data server"));
    }

    /// Asks a coordinator to end (SIGTERM), and waits until it has, well.
    pub async fn end(&mut self, index: usize) {
        let asked = self.process(index).terminate();
        self.done(asked);
        let deadline = Instant::now() + LIMIT;
        loop {
            let ended = self.process(index).ended();
            match self.done(ended) {
                Some(status) if status.success() => return,
                Some(status) => self.fail(&format!("asked to end, it ended with {status}")),
                None if Instant::now() >= deadline => self.fail("asked to end, it goes on"),
                None => sleep(LOOK).await,
            }
        }
    }

    /// Starts again whatever does not run, lets go on whatever is paused, and ends every fault.
    pub async fn mend(&mut self) {
        for proxy in &self.proxies {
            proxy.clear().await;
        }
        let coordinators = self.coordinators.iter_mut().map(|it| it.process_mut());
        let servers = self.servers.iter_mut().map(|it| it.process_mut());
        let mended = coordinators.chain(servers).try_for_each(|it| {
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

    /// Adds a namespace of one shard to the configuration.
    pub async fn add_namespace(&mut self) {
        self.namespaces.push(NamespaceOptions {
            name: format!("added-{}", self.namespaces.len()),
            shards: 1,
            replication_factor: 1,
        });
        self.configure().await;
    }

    /// Adds a namespace that every server replicates to the configuration.
    pub async fn add_namespace_of(&mut self, name: &str, shards: u32) {
        self.namespaces.push(NamespaceOptions {
            name: name.to_owned(),
            shards,
            replication_factor: 3,
        });
        self.configure().await;
    }

    /// Takes a namespace out of the configuration.
    pub async fn forget_namespace(&mut self, name: &str) {
        self.namespaces.retain(|it| it.name != name);
        self.configure().await;
    }

    /// How many namespaces there are to be.
    pub fn namespaces(&self) -> usize {
        self.namespaces.len()
    }

    /// Writes the configuration document as it is to be.
    pub async fn configure(&self) {
        let text = configuration(&self.namespaces, &self.servers);
        self.documents.configure(&text).await;
    }

    /// The greatest term of any shard, summed over all: it grows with every election.
    pub async fn terms(&mut self) -> i64 {
        self.until("the status to be readable", async |fleet| {
            let status = fleet.documents.status().await?;
            Some(status.shards().map(|(_, _, shard)| shard.term.0).sum())
        })
        .await
    }

    /// Stops writing, and reads back everything that was ever acknowledged; fails if two were in
    /// office at once. Returns how many entries there were.
    pub async fn nothing_is_lost(&mut self) -> u64 {
        self.steady().await;
        self.workload.stop().await;
        let mut reading = pin!(self.workload.verify(Instant::now() + LIMIT));
        // Leaders may change meanwhile.
        let entries = loop {
            match timeout(LOOK, &mut reading).await {
                Ok(entries) => break entries,
                Err(_) => self.follow().await,
            };
        };
        self.check();
        if entries.acknowledged == 0 || entries.verified != entries.acknowledged {
            self.fail(&format!("acknowledged entries are not there: {entries:?}"));
        }
        let names: Vec<_> = (0..self.coordinators.len())
            .map(|it| self.log_name(it))
            .collect();
        let logs = self.coordinators.iter().map(|it| it.process().log());
        let logs = names.iter().map(String::as_str).zip(logs);
        if let Err(wrong) = self.offices.check(logs) {
            self.fail(&wrong);
        }
        entries.acknowledged
    }

    /// Two of one name are still two.
    fn log_name(&self, index: usize) -> String {
        format!("pod-{index}")
    }

    /// Tells the writers who leads; says whether every shard is led.
    async fn follow(&mut self) -> bool {
        let Some(status) = self.documents.status().await else {
            return false;
        };
        let leaders = leaders(&status);
        let all = leaders.iter().all(|it| it.address.is_some());
        self.workload.follow(leaders);
        all && status.namespaces.len() == self.namespaces.len()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("the files are kept: {}", dir.keep().display());
        }
    }
}
