//! An API server and its etcd, as child processes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::{fs, thread};

use http::Request;
use kube::Client;
use stepdown_sandbox::cluster::{Process, ProcessOptions, SandboxError, free_addresses};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::programs::Programs;
use super::{Access, LIMIT, LOOK, words};
use crate::processes::stepdown;

const LINES: usize = 30;

/// A real API server with RBAC, on loopback; it dies with this process. Dropping it ends it.
#[derive(Debug)]
pub struct ApiServer {
    // Fields are dropped in this order.
    api: Process,
    etcd: Process,
    admin: Access,
    dir: Option<TempDir>,
    is_kept: Arc<AtomicBool>,
}

/// How an API server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At once (SIGKILL).
    Kill,
    /// Asked to (SIGTERM), after what it has begun.
    Terminate,
}

impl ApiServer {
    /// Whether there is what it needs; if not, what is missing.
    pub fn available() -> Result<(), String> {
        Programs::find().map(|_| ())
    }

    /// Starts one of one's own, to be stopped and paused. `None` where it is not available: the
    /// test is skipped then, and that has been said.
    pub async fn start() -> Option<Self> {
        let programs = Programs::find_or_skip()?;
        let mut server = Self::spawn(&programs);
        server.ready().await;
        Some(server)
    }

    /// The one that all tests of this process share while any of them holds it; as
    /// [`ApiServer::start`]. A namespace for each keeps them apart.
    pub async fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<ApiServer>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::start().await?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.admin.server
    }

    /// Access for someone who may do anything.
    pub fn admin_access(&self) -> &Access {
        &self.admin
    }

    /// A client that may do anything.
    pub async fn admin(&self) -> Client {
        self.admin.client().await
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().expect("it is there until it ends").path()
    }

    /// Stops the API server, and waits until it is gone; etcd goes on.
    pub async fn stop_api(&mut self, how: Stop) {
        match how {
            Stop::Kill => done(self.api.kill()),
            Stop::Terminate => {
                done(self.api.terminate());
                self.gone().await;
            }
        }
    }

    /// Starts the API server again, on the same port and the same data, and waits until it is
    /// ready.
    pub async fn start_api(&mut self) {
        done(self.api.restart());
        self.ready().await;
    }

    /// Stops the API server where it is (SIGSTOP).
    pub fn pause_api(&mut self) {
        done(self.api.pause());
    }

    /// Lets the API server go on (SIGCONT).
    pub fn resume_api(&mut self) {
        done(self.api.resume());
    }

    /// Stops etcd where it is (SIGSTOP): the API server answers with time-outs.
    pub(crate) fn pause_etcd(&mut self) {
        done(self.etcd.pause());
    }

    /// Lets etcd go on (SIGCONT).
    pub(crate) fn resume_etcd(&mut self) {
        done(self.etcd.resume());
    }

    /// Its files are to be kept from now on if this is set.
    pub(super) fn is_kept(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_kept)
    }

    fn spawn(programs: &Programs) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("stepdown-kubernetes-")
            .tempdir()
            .expect("a temporary directory");
        let addresses = free_addresses(3).expect("there are free ports");
        let [client, peer, secure]: [SocketAddr; 3] =
            addresses.try_into().expect("as many as were asked for");
        let token = format!("{:032x}", fastrand::u128(..));
        let start = |program: &PathBuf, name: &str, words: Vec<String>| {
            let started = Process::start(ProcessOptions {
                name: name.to_owned(),
                starter: stepdown(),
                program: program.clone(),
                words: words.into_iter().map(Into::into).collect(),
                environment: Vec::new(),
                log: dir.path().join(format!("{name}.log")),
            });
            started.expect("the process can be started")
        };
        let etcd = words::etcd(dir.path(), client, peer);
        let etcd = start(&programs.etcd, "etcd", etcd);
        let api = words::kube_apiserver(dir.path(), client, secure, &token);
        let api = start(&programs.kube_apiserver, "kube-apiserver", api);
        let admin = Access {
            server: format!("https://{secure}"),
            ca: words::certificate(dir.path()),
            token: Some(token),
            namespace: "default".to_owned(),
        };
        Self {
            api,
            etcd,
            admin,
            dir: Some(dir),
            is_kept: Arc::default(),
        }
    }

    async fn ready(&mut self) {
        let deadline = Instant::now() + LIMIT;
        while !self.is_ready().await {
            let ended = done(self.api.ended()).or(done(self.etcd.ended()));
            if let Some(status) = ended {
                self.fail(&format!("a process has ended with {status}"));
            }
            if Instant::now() >= deadline {
                self.fail("the API server is not ready");
            }
            sleep(LOOK).await;
        }
    }

    async fn is_ready(&self) -> bool {
        // Its certificate may not be there yet, or only half.
        let Ok(client) = self.admin.try_client().await else {
            return false;
        };
        let request = Request::get("/readyz").body(Vec::new());
        let asked = client.request_text(request.expect("it is a request"));
        matches!(timeout(LIMIT, asked).await, Ok(Ok(_)))
    }

    async fn gone(&mut self) {
        let deadline = Instant::now() + LIMIT;
        while done(self.api.ended()).is_none() {
            if Instant::now() >= deadline {
                self.fail("asked to end, the API server goes on");
            }
            sleep(LOOK).await;
        }
    }

    fn fail(&self, what: &str) -> ! {
        let logs = [&self.api, &self.etcd].map(|process| {
            let log = fs::read_to_string(process.log()).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = lines.split_at(lines.len().saturating_sub(LINES)).1;
            format!("--- {}:\n{}", process.name(), last.join("\n"))
        });
        panic!("{what}\n{}", logs.join("\n"));
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if (thread::panicking() || self.is_kept.load(Ordering::Relaxed))
            && let Some(dir) = self.dir.take()
        {
            eprintln!("the API server's files are kept: {}", dir.keep().display());
        }
    }
}

fn done<T>(result: Result<T, SandboxError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
