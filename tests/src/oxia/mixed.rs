//! Real data servers under load, and coordinators of both kinds that take turns.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stepdown_core::cluster::ClusterStatus;
use stepdown_sandbox::cluster::{
    CoordinatorProcess, CoordinatorProcessOptions, Process, SandboxError,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::member::Member;
use super::{OxiaCoordinator, OxiaServer, Perf, Probe, oxia};
use crate::fleet::{Documents, Onlooker};
use crate::kubernetes::{ApiServer, Grants, Namespace};
use crate::processes::{History, Ran, run_with, stepdown};

/// How long anything may take before it counts as hung. Nothing waits for it otherwise.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);
pub(super) const SHARDS: u32 = 8;

/// A cluster whose coordinators are of both kinds.
#[derive(Debug)]
pub struct Mixed {
    /// The objects.
    pub documents: Documents,
    /// Whoever looks at the status document.
    pub onlooker: Onlooker,
    /// The data servers.
    pub servers: Vec<OxiaServer>,
    probe: Option<Probe>,
    perf: Option<Perf>,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) leaving: Vec<Member>,
    restarts: BTreeMap<String, u32>,
    pub(super) namespaces: u32,
    oxia: PathBuf,
    kubeconfig: PathBuf,
    namespace: Namespace,
    _api: Arc<ApiServer>,
    dir: Option<TempDir>,
}

impl Mixed {
    /// Starts data servers, and no coordinator. `None` where a program is missing: the test is
    /// skipped then, and that has been said.
    pub async fn start(name: &str, grants: Grants) -> Option<Self> {
        let oxia = oxia()?;
        let api = ApiServer::shared().await?;
        let namespace = api.namespace(name, grants).await;
        let documents = Documents::new(api.admin().await, name);
        let dir = tempfile::Builder::new()
            .prefix("stepdown-mixed-")
            .tempdir()
            .expect("a temporary directory");
        let servers =
            (1..=3).map(|it| OxiaServer::start(&oxia, &format!("server-{it}"), dir.path()));
        let mixed = Self {
            onlooker: Onlooker::with(&documents, History::with_reserved_ids()),
            documents,
            servers: servers.collect(),
            probe: None,
            perf: None,
            members: BTreeMap::new(),
            leaving: Vec::new(),
            restarts: BTreeMap::new(),
            namespaces: 1,
            oxia,
            kubeconfig: namespace.kubeconfig(api.url()),
            namespace,
            _api: api,
            dir: Some(dir),
        };
        mixed.configure().await;
        Some(mixed)
    }

    /// Starts upstream's coordinator.
    pub fn start_oxia(&mut self, name: &str) {
        let namespace = self.namespace.name();
        let (oxia, dir) = (&self.oxia, self.dir());
        let started = OxiaCoordinator::start(oxia, name, namespace, &self.kubeconfig, dir);
        self.members.insert(name.to_owned(), Member::Oxia(started));
    }

    /// Starts Stepdown.
    pub fn start_stepdown(&mut self, name: &str) {
        let started = CoordinatorProcess::start(CoordinatorProcessOptions {
            name: name.to_owned(),
            program: stepdown(),
            dir: self.dir().to_owned(),
            metadata: json!({
                "providerName": "configmap",
                "kubernetes": {"namespace": self.namespace.name()},
            }),
            words: vec!["--log-json".into()],
            environment: vec![("KUBECONFIG".into(), self.kubeconfig.clone().into())],
        });
        let started = done(started);
        self.members
            .insert(name.to_owned(), Member::Stepdown(started));
    }

    /// Waits until a coordinator has read the documents and waits for its turn.
    pub async fn stands_by(&mut self, name: &str) {
        let what = format!("{name} to stand by");
        self.until(&what, async |mixed| {
            mixed.member(name).stands_by().await.then_some(())
        })
        .await;
    }

    /// Waits until a coordinator leads.
    pub async fn leads(&mut self, name: &str) {
        let what = format!("{name} to lead");
        self.until(&what, async |mixed| {
            let holds = mixed.documents.holder().await.is_some_and(|it| it == name);
            (holds && mixed.member(name).leads().await).then_some(())
        })
        .await;
    }

    /// Begins to probe and to load the cluster, once every shard is led and every data server tells
    /// clients so.
    pub async fn load(&mut self) {
        let status = self
            .until("every shard to be led", async |mixed| {
                let status = mixed.documents.status().await?;
                let led = status.shards().filter(|it| it.2.leader.is_some()).count();
                (led == usize::try_from(SHARDS).ok()?).then_some(status)
            })
            .await;
        let identities: Vec<_> = self
            .servers
            .iter()
            .map(|it| it.identity().clone())
            .collect();
        self.probe = Some(Probe::start(&status, &identities));
        self.until("every data server to be ready", async |mixed| {
            let mut servers = identities.iter();
            let are_ready = servers.all(|it| mixed.is_ready(&it.internal));
            are_ready.then_some(())
        })
        .await;
        let server = self.servers.first().expect("there are data servers");
        self.perf = Some(Perf::start(&self.oxia, server, self.dir()));
        let figures = self.perf().stats().len();
        self.figures_after(figures).await;
    }

    /// Waits until `oxia perf` has told of more than so many times of ten seconds.
    pub async fn figures_after(&mut self, before: usize) {
        self.until("oxia perf to tell", async |mixed| {
            (mixed.perf().stats().len() > before).then_some(())
        })
        .await;
    }

    /// Waits until every replica does what the document says; returns the document.
    pub(crate) async fn in_place(&mut self) -> ClusterStatus {
        self.until("every replica to be in its place", async |mixed| {
            let status = mixed.documents.status().await?;
            mixed.probe().is_in_place(&status).then_some(status)
        })
        .await
    }

    /// The running `oxia perf`.
    pub fn perf(&self) -> &Perf {
        self.perf.as_ref().expect("there is load")
    }

    /// The running probe.
    pub fn probe(&self) -> &Probe {
        self.probe.as_ref().expect("there is load")
    }

    /// A coordinator.
    pub fn member(&self, name: &str) -> &Member {
        self.members.get(name).expect("there is such a coordinator")
    }

    /// How often a coordinator had to be started again, because it had ended by itself.
    pub fn restarts(&self, name: &str) -> u32 {
        self.restarts.get(name).copied().unwrap_or_default()
    }

    /// Runs a program to its end in the name of the coordinators' account.
    pub fn run(&self, program: &Path, words: &[&str]) -> Ran {
        let words: Vec<_> = words.iter().map(OsStr::new).collect();
        run_with(
            program,
            &words,
            &[("KUBECONFIG", self.kubeconfig.as_os_str())],
        )
    }

    /// Upstream's program.
    pub fn oxia(&self) -> &Path {
        &self.oxia
    }

    /// Waits until this holds. A coordinator that ends by itself is started again, as Kubernetes
    /// does it.
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
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            sleep(LOOK).await;
        }
    }

    fn check(&mut self) {
        if let Some(wrong) = self.onlooker.wrong() {
            panic!("the status has changed as it never may: {wrong}");
        }
        for (name, member) in &mut self.members {
            if done(member.process_mut().ended()).is_some() {
                *self.restarts.entry(name.clone()).or_default() += 1;
                done(member.process_mut().restart());
            }
        }
        self.leaving
            .retain_mut(|it| match done(it.process_mut().ended()) {
                Some(status) => {
                    let name = it.process().name();
                    assert!(status.success(), "asked to end, {name} ended with {status}");
                    false
                }
                None => true,
            });
        let others = self.servers.iter_mut().map(OxiaServer::process_mut);
        for process in others.chain(self.perf.iter_mut().map(Perf::process_mut)) {
            unasked(process);
        }
    }

    fn is_ready(&self, internal: &str) -> bool {
        let (host, port) = internal.rsplit_once(':').expect("it has a port");
        let (host, port) = (format!("--host={host}"), format!("--port={port}"));
        let words = ["health", &host, &port, "--service=oxia-readiness"];
        self.run(&self.oxia, &words).code == Some(0)
    }

    fn dir(&self) -> &Path {
        self.dir.as_ref().expect("it is there until the end").path()
    }
}

impl Drop for Mixed {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("the files are kept: {}", dir.keep().display());
        }
    }
}

fn unasked(process: &mut Process) {
    if let Some(status) = done(process.ended()) {
        panic!("{} has ended unasked: {status}", process.name());
    }
}

pub(super) fn done<T>(result: Result<T, SandboxError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
