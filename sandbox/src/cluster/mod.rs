//! Coordinators and data servers as processes, around two files or around nothing.

mod configuration;
mod coordinator;
mod data_server;
mod documents;
mod error;
mod metrics;
mod orphans;
mod ports;
mod process;
mod raft;
mod servers;
mod status;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stepdown_core::cluster::ClusterStatus;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use self::configuration::balanced_configuration;
use self::documents::Documents;

pub use configuration::{Balancing, NamespaceOptions, configuration};
pub use coordinator::{CoordinatorProcess, CoordinatorProcessOptions};
pub use data_server::{DataServerKind, DataServerProcess, DataServerProcessOptions};
pub use documents::{Metadata, Stamp};
pub use error::SandboxError;
pub use metrics::{Samples, ScrapeError, leads, scrape};
pub use orphans::become_child;
pub use ports::free_addresses;
pub use process::{Process, ProcessOptions};

const LOOK: Duration = Duration::from_millis(20);

/// What to start.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The `stepdown` program.
    pub program: PathBuf,
    /// An existing directory for documents, data and logs.
    pub dir: PathBuf,
    /// Where the documents are.
    pub metadata: Metadata,
    /// How many coordinators.
    pub coordinators: usize,
    /// How many data servers.
    pub data_servers: usize,
    /// What the data servers are.
    pub data_server_kind: DataServerKind,
    /// Those of them that are not in the configuration at first, by their index.
    pub unlisted: BTreeSet<usize>,
    /// The namespaces.
    pub namespaces: Vec<NamespaceOptions>,
    /// Further flags for every coordinator.
    pub coordinator_words: Vec<OsString>,
}

/// Processes that run. Dropping it kills them.
#[derive(Debug)]
pub struct Cluster {
    /// The coordinators, `coordinator-1` and on.
    pub coordinators: Vec<CoordinatorProcess>,
    /// The data servers, `server-1` and on.
    pub data_servers: Vec<DataServerProcess>,
    program: PathBuf,
    data_server_kind: DataServerKind,
    /// How many data servers were ever started: no name is given twice.
    named: usize,
    dir: PathBuf,
    documents: Documents,
    balancing: Option<Balancing>,
    /// Data servers that run, but are not in the configuration, by their index.
    unlisted: BTreeSet<usize>,
}

impl Cluster {
    /// Starts every process; none needs to be ready yet. Where the coordinators keep the documents,
    /// they are still to be [given](Self::hand_out_configuration) the configuration.
    pub fn start(options: &ClusterOptions) -> Result<Self, SandboxError> {
        let dir =
            fs::canonicalize(&options.dir).map_err(SandboxError::file("find", &options.dir))?;
        let mut cluster = Self {
            coordinators: Vec::new(),
            data_servers: Vec::new(),
            program: options.program.clone(),
            data_server_kind: options.data_server_kind.clone(),
            named: 0,
            documents: Documents::new(options.metadata, &dir, options.coordinators)?,
            dir,
            balancing: None,
            unlisted: options.unlisted.clone(),
        };
        for _ in 0..options.data_servers {
            cluster.add_data_server()?;
        }
        cluster.configure(&options.namespaces)?;
        for (index, number) in (1..=options.coordinators).enumerate() {
            let options = CoordinatorProcessOptions {
                name: format!("coordinator-{number}"),
                program: options.program.clone(),
                dir: cluster.dir.clone(),
                metadata: cluster.documents.metadata(index, &cluster.dir),
                words: options.coordinator_words.clone(),
                environment: Vec::new(),
            };
            cluster
                .coordinators
                .push(CoordinatorProcess::start(options)?);
        }
        Ok(cluster)
    }

    /// Has every configuration from the next on say how soon shards are moved.
    pub fn balance(&mut self, balancing: Balancing) {
        self.balancing = Some(balancing);
    }

    /// Writes the configuration document, put in place whole: these namespaces, and the data servers that
    /// are listed.
    pub fn configure(&self, namespaces: &[NamespaceOptions]) -> Result<(), SandboxError> {
        let servers = self.data_servers.iter().enumerate();
        let listed = servers.filter(|(index, _)| !self.unlisted.contains(index));
        let listed = listed.map(|(_, server)| server);
        let document = balanced_configuration(namespaces, listed, self.balancing);
        self.documents.write_configuration(&document)
    }

    /// Gives the configuration to the coordinators, where these keep the documents; waits until one
    /// of them can take it.
    pub fn hand_out_configuration(
        &self,
        within: Duration,
    ) -> impl Future<Output = Result<(), SandboxError>> + Send + use<> {
        self.documents.import_configuration(within)
    }

    /// Where the files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The status document's file; there is none where the coordinators keep the documents.
    pub fn status_path(&self) -> &Path {
        &self.documents.status
    }

    /// Where the coordinators' nodes are; none where the documents are files.
    pub fn nodes(&self) -> Vec<String> {
        self.documents.nodes()
    }

    /// The status document in its file; `None` before the first leader has written it.
    pub fn status(&self) -> Result<Option<ClusterStatus>, SandboxError> {
        status::read(&self.documents.status)
    }

    /// The status document, wherever it is, if it is another than at this stamp; and its own.
    pub async fn changed_status(
        &self,
        known: Option<&Stamp>,
    ) -> Result<Option<(Stamp, ClusterStatus)>, SandboxError> {
        self.documents.changed(known).await
    }

    /// Whether a leader that stops for a while is followed by another.
    pub(crate) fn follows_paused_leaders(&self) -> bool {
        self.documents.are_with_coordinators()
    }

    /// Writes the status document as another coordinator would that knows nothing of the leader.
    pub(crate) async fn write_as_stranger(&self) -> Result<(), SandboxError> {
        self.documents.write_as_stranger().await
    }

    /// Waits until every coordinator answers at `/metrics` and every data server takes
    /// connections.
    pub async fn wait_until_ready(&mut self, within: Duration) -> Result<(), SandboxError> {
        let deadline = Instant::now() + within;
        loop {
            self.check_alive()?;
            let Some(missing) = self.not_ready().await else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                let what = format!("{missing} to answer");
                return Err(SandboxError::Timeout { what, within });
            }
            sleep(LOOK).await;
        }
    }

    /// Fails if a process has ended by itself.
    pub fn check_alive(&mut self) -> Result<(), SandboxError> {
        for process in self.processes_mut() {
            if let Some(status) = process.ended()? {
                return Err(SandboxError::Ended {
                    name: process.name().to_owned(),
                    status: status.to_string(),
                    log: process.log().display().to_string(),
                });
            }
        }
        Ok(())
    }

    /// Every process.
    pub fn processes_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        let coordinators = self.coordinators.iter_mut().map(|it| it.process_mut());
        let data_servers = self.data_servers.iter_mut().map(|it| it.process_mut());
        coordinators.chain(data_servers)
    }

    /// The index of the coordinator that says that it leads; none if two do, as may be while
    /// leadership changes hands between two looks.
    pub async fn leader(&self) -> Option<usize> {
        let mut leaders = Vec::new();
        for (index, coordinator) in self.coordinators.iter().enumerate() {
            let runs = coordinator.process().pid().is_some() && !coordinator.process().is_paused();
            if runs
                && let Ok(samples) = coordinator.scrape().await
                && leads(&samples)
            {
                leaders.push(index);
            }
        }
        match leaders.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    async fn not_ready(&self) -> Option<String> {
        for it in &self.data_servers {
            if TcpStream::connect(it.public()).await.is_err() {
                return Some(it.process().name().to_owned());
            }
        }
        for it in &self.coordinators {
            if it.scrape().await.is_err() {
                return Some(it.process().name().to_owned());
            }
        }
        None
    }
}
