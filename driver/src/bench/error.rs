//! Why nothing was measured.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use stepdown_sandbox::cluster::SandboxError;
use stepdown_sandbox::server::StartError;

use crate::data_servers::InvalidInstanceId;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// SIGINT or SIGTERM came first.
    #[error("interrupted; every process that was started has been ended")]
    Interrupted,
    /// What is counted can't be.
    #[error("no metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// There is no port for the nodes.
    #[error("no port for the nodes: {0}")]
    Ports(io::Error),
    /// The data servers can't be asked.
    #[error(transparent)]
    InstanceId(#[from] InvalidInstanceId),
    /// It went wrong, and its files tell more.
    #[error("{error}; the logs are kept in {dir}", dir = dir.display())]
    Kept {
        /// Where.
        dir: PathBuf,
        /// What went wrong.
        error: Box<BenchError>,
    },
    /// The program of the data servers can't be run.
    #[error(
        "--data-server-binary {path} {problem}: give the path of a program that takes the flags of \
         `oxia server`", path = path.display()
    )]
    Program {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The nodes do not do as they should.
    #[error("{0}")]
    Raft(String),
    /// A process could not be started, or has ended.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A data server did not start.
    #[error("a sandbox data server did not start: {0}")]
    Server(#[from] StartError),
    /// Signals can't be listened to.
    #[error("can't listen to signals: {0}")]
    Signals(io::Error),
    /// The cluster did not become what it should.
    #[error("gave up after {0:?} waiting until {1}")]
    Stuck(Duration, &'static str),
}
