//! The sandbox's own commands.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, value_parser};
use stepdown_sandbox::cluster::{
    ClusterOptions, DataServerKind, Metadata, NamespaceOptions, SandboxError,
};
use stepdown_sandbox::server::DataServerOptions;
use stepdown_sandbox::show::{Place, Script, ShowOptions, Summary, run};

use super::duration::parse_duration;

/// Flags of `stepdown sandbox`.
#[derive(Clone, Debug, Args)]
#[command(after_help = SANDBOX_HELP)]
pub struct SandboxArgs {
    /// Do these things one after the other, then end: conflict, kill-leader, kill-data-server,
    /// pause-leader, add-data-server, drain-data-server, add-namespace, delete-namespace, wait=TIME
    #[arg(long, value_name = "STEPS", conflicts_with = "duration")]
    script: Option<Script>,
    /// End after this time; without it and without a script, when asked to
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// How long to wait for the cluster to be steady again, before giving up
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = parse_duration)]
    timeout: Duration,

    /// Where the documents are: file, or raft, where the coordinators keep them among themselves
    #[arg(
        long,
        value_name = "PROVIDER",
        default_value = "file",
        help_heading = "Cluster",
        hide_possible_values = true
    )]
    metadata: MetadataArg,
    /// How many shards
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = value_parser!(u32).range(1..=10_000), help_heading = "Cluster")]
    shards: u32,
    /// The namespace
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default",
        help_heading = "Cluster"
    )]
    namespace: String,
    /// How many data servers replicate each shard [default: 3, or all where there are fewer]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=9), help_heading = "Cluster")]
    replication_factor: Option<u32>,
    /// How many coordinators
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=9), help_heading = "Cluster")]
    coordinators: u32,
    /// How many data servers
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=30), help_heading = "Cluster")]
    data_servers: u32,

    /// Where to put documents, data and logs: an empty directory, which is kept [default: a temporary one]
    #[arg(long, value_name = "DIR", help_heading = "Files")]
    dir: Option<PathBuf>,
    /// Keep the temporary directory; it is kept anyway if something went wrong
    #[arg(long, help_heading = "Files")]
    keep: bool,
}

/// Where a sandbox's documents are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum MetadataArg {
    #[default]
    File,
    Raft,
}

impl From<MetadataArg> for Metadata {
    fn from(metadata: MetadataArg) -> Self {
        match metadata {
            MetadataArg::File => Self::File,
            MetadataArg::Raft => Self::Raft,
        }
    }
}

const SANDBOX_HELP: &str = "\
Starts coordinators and data servers as processes on 127.0.0.1, writes to every shard, and shows
what happens. The data servers elect, fence and replicate as Oxia's do, but store no keys.

On a terminal, keys hurt the cluster: c writes the status document as another coordinator would,
l kills the coordinator that leads, d kills a data server. Others change it as an operator does:
a adds a data server, r drains the one that leads most shards and ends it, n adds a second namespace
or deletes it. h says what every key does, q ends.

At the end every acknowledged entry is read back. Exits with 0 if none is lost, no process ended
unasked, and the cluster was steady again in time; with 1 otherwise.

Examples:
  stepdown sandbox
  stepdown sandbox --script conflict,kill-leader,kill-data-server --shards 100
  stepdown sandbox --metadata raft --script conflict,kill-leader,kill-data-server
  stepdown sandbox --script add-data-server,drain-data-server,add-namespace,delete-namespace
  stepdown sandbox --script pause-leader,wait=5s,conflict --keep";

impl SandboxArgs {
    /// Runs the sandbox.
    pub async fn run(self) -> Result<Summary, SandboxError> {
        let program = std::env::current_exe().map_err(|source| SandboxError::Os {
            doing: "find this program's file".to_owned(),
            source,
        })?;
        let place = Place::find(self.dir, self.keep)?;
        let cluster = ClusterOptions {
            program,
            dir: place.path().to_path_buf(),
            metadata: self.metadata.into(),
            coordinators: count(self.coordinators),
            data_servers: count(self.data_servers),
            data_server_kind: DataServerKind::Sandbox,
            unlisted: std::collections::BTreeSet::new(),
            namespaces: vec![NamespaceOptions {
                name: self.namespace,
                shards: self.shards,
                replication_factor: self.replication_factor.unwrap_or(self.data_servers.min(3)),
            }],
            coordinator_words: Vec::new(),
        };
        let options = ShowOptions {
            script: self.script,
            duration: self.duration,
            timeout: self.timeout,
        };
        run(place, cluster, options).await
    }

    /// Refuses what can't be.
    pub fn check(&self) -> Result<(), TooFewDataServers> {
        let data_servers = self.data_servers;
        match self.replication_factor {
            Some(replication_factor) if replication_factor > data_servers => {
                Err(TooFewDataServers {
                    replication_factor,
                    data_servers,
                })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// No shard can be replicated so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--replication-factor {replication_factor} is more than --data-servers {data_servers}")]
pub struct TooFewDataServers {
    replication_factor: u32,
    data_servers: u32,
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Flags of the hidden `stepdown sandbox-data-server`.
#[derive(Clone, Debug, Args)]
pub struct SandboxDataServerArgs {
    /// Its name
    #[arg(long)]
    name: String,
    /// Where coordinators and other data servers reach it
    #[arg(long, value_name = "ADDRESS")]
    internal_addr: SocketAddr,
    /// Where clients reach it
    #[arg(long, value_name = "ADDRESS")]
    public_addr: SocketAddr,
    /// Where it keeps its state; in memory if absent
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl SandboxDataServerArgs {
    /// As the data server takes them.
    pub fn into_options(self) -> DataServerOptions {
        DataServerOptions {
            name: self.name,
            internal: self.internal_addr,
            public: self.public_addr,
            data_dir: self.data_dir,
        }
    }
}

/// Words of the hidden `stepdown sandbox-child`.
#[derive(Clone, Debug, Args)]
pub struct SandboxChildArgs {
    /// The process to die with
    pub parent: u32,
    /// The program to become
    pub program: OsString,
    /// What follows its name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}
