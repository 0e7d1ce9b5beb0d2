//! Upstream's coordinator as a child process.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;
use stepdown_sandbox::cluster::{Process, ProcessOptions, free_addresses, scrape};

use crate::processes::stepdown;

/// Upstream's coordinator on ConfigMaps, as a child process.
#[derive(Debug)]
pub struct OxiaCoordinator {
    process: Process,
    public: SocketAddr,
    metrics: SocketAddr,
}

impl OxiaCoordinator {
    /// Starts it on free ports of loopback; its options file and its log are named for it.
    pub fn start(oxia: &Path, name: &str, namespace: &str, kubeconfig: &Path, dir: &Path) -> Self {
        let addresses = free_addresses(3).expect("there are free ports");
        let [public, internal, metrics]: [SocketAddr; 3] =
            addresses.try_into().expect("as many as were asked for");
        // Only this file can give it a name. JSON is YAML.
        let sconfig = dir.join(format!("{name}.yaml"));
        let settings = json!({"metadata": {
            "name": name,
            "providerName": "configmap",
            "kubernetes": {"namespace": namespace},
        }});
        fs::write(&sconfig, settings.to_string()).expect("a temporary file can be written");
        let process = Process::start(ProcessOptions {
            name: name.to_owned(),
            starter: stepdown(),
            program: oxia.to_owned(),
            words: vec![
                "coordinator".into(),
                "--log-json".into(),
                "--sconfig".into(),
                sconfig.into(),
                format!("--public-addr={public}").into(),
                format!("--internal-addr={internal}").into(),
                format!("--metrics-addr={metrics}").into(),
            ],
            environment: vec![("KUBECONFIG".into(), kubeconfig.into())],
            log: dir.join(format!("{name}.log")),
        });
        Self {
            process: process.expect("the process can be started"),
            public,
            metrics,
        }
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to be ended and started again.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where its admin API is.
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// Whether it leads, and has brought its cluster up: it has metrics only then.
    pub async fn leads(&self) -> bool {
        self.process.pid().is_some() && scrape(self.metrics).await.is_ok()
    }
}
