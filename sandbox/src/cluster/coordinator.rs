//! A coordinator as a child process.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::error::SandboxError;
use super::metrics::{self, Samples};
use super::ports::free_addresses;
use super::process::{Process, ProcessOptions};

/// How to start a coordinator.
#[derive(Clone, Debug)]
pub struct CoordinatorProcessOptions {
    /// Its name in elections; its options file and its log are named for it.
    pub name: String,
    /// The `stepdown` program.
    pub program: PathBuf,
    /// Where its options file and its log are put.
    pub dir: PathBuf,
    /// Where its documents and its leadership live: the `metadata` of its options file, less its
    /// name.
    pub metadata: serde_json::Value,
    /// Further flags.
    pub words: Vec<OsString>,
    /// What is added to its environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// A coordinator as a child process.
#[derive(Debug)]
pub struct CoordinatorProcess {
    process: Process,
    internal: SocketAddr,
    public: SocketAddr,
    metrics: SocketAddr,
}

impl CoordinatorProcess {
    /// Starts it on free ports of loopback.
    pub fn start(options: CoordinatorProcessOptions) -> Result<Self, SandboxError> {
        // Nodes of Raft that have not started yet are not to find theirs taken.
        let named = options.metadata.to_string();
        let is_named = |address: &SocketAddr| named.contains(&address.to_string());
        let addresses = loop {
            let found = free_addresses(3).map_err(SandboxError::os("find free ports"))?;
            if !found.iter().any(is_named) {
                break found;
            }
        };
        let &[internal, public, metrics] = addresses.as_slice() else {
            return Err(SandboxError::os("find free ports")(
                std::io::ErrorKind::AddrInUse.into(),
            ));
        };
        let sconfig = options.dir.join(format!("{}.yaml", options.name));
        fs::write(&sconfig, settings(&options)).map_err(SandboxError::file("write", &sconfig))?;
        let mut words = vec![
            "coordinator".into(),
            "--sconfig".into(),
            sconfig.into_os_string(),
            format!("--internal-addr={internal}").into(),
            format!("--public-addr={public}").into(),
            format!("--metrics-addr={metrics}").into(),
        ];
        words.extend(options.words);
        let process = Process::start(ProcessOptions {
            log: options.dir.join(format!("{}.log", options.name)),
            name: options.name,
            starter: options.program.clone(),
            program: options.program,
            words,
            environment: options.environment,
        })?;
        Ok(Self {
            process,
            internal,
            public,
            metrics,
        })
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to be killed, paused or started again.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where its health service is.
    pub fn internal(&self) -> SocketAddr {
        self.internal
    }

    /// Where its admin API is.
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where its metrics are.
    pub fn metrics(&self) -> SocketAddr {
        self.metrics
    }

    /// Reads its metrics.
    pub async fn scrape(&self) -> Result<Samples, SandboxError> {
        Ok(metrics::scrape(self.metrics).await?)
    }
}

/// The `metadata` of a coordinator whose documents are files.
pub(super) fn in_files(status: &Path, configuration: &Path) -> serde_json::Value {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    serde_json::json!({
        "providerName": "file",
        "file": {"statusName": text(status), "configName": text(configuration)},
    })
}

fn settings(options: &CoordinatorProcessOptions) -> String {
    // JSON is YAML, and knows how to quote a path.
    let mut metadata = options.metadata.clone();
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("name".to_owned(), options.name.clone().into());
    }
    let settings = serde_json::json!({"metadata": metadata});
    format!("{settings:#}\n")
}
