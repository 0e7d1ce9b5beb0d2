//! Upstream's data server as a child process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use stepdown_core::cluster::DataServerIdentity;
use stepdown_sandbox::cluster::{Process, ProcessOptions, free_addresses};

use crate::processes::stepdown;

/// Upstream's data server as a child process; it comes back on the same ports and the same data.
#[derive(Debug)]
pub struct OxiaServer {
    process: Process,
    identity: DataServerIdentity,
}

impl OxiaServer {
    /// Starts it on free ports of loopback; its data and its log are named for it.
    pub fn start(oxia: &Path, name: &str, dir: &Path) -> Self {
        let addresses = free_addresses(3).expect("there are free ports");
        let [public, internal, metrics]: [SocketAddr; 3] =
            addresses.try_into().expect("as many as were asked for");
        let data = |kind: &str| dir.join(name).join(kind).display().to_string();
        let process = Process::start(ProcessOptions {
            name: name.to_owned(),
            starter: stepdown(),
            program: oxia.to_owned(),
            words: vec![
                "server".into(),
                "--log-json".into(),
                format!("--public-addr={public}").into(),
                format!("--internal-addr={internal}").into(),
                format!("--metrics-addr={metrics}").into(),
                format!("--wal-dir={}", data("wal")).into(),
                format!("--data-dir={}", data("db")).into(),
            ],
            environment: Vec::new(),
            log: dir.join(format!("{name}.log")),
        });
        Self {
            process: process.expect("the process can be started"),
            identity: DataServerIdentity {
                name: Some(Arc::from(name)),
                public: Arc::from(public.to_string()),
                internal: Arc::from(internal.to_string()),
            },
        }
    }

    /// Its name and addresses.
    pub fn identity(&self) -> &DataServerIdentity {
        &self.identity
    }

    /// The process, to be killed and started again.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
