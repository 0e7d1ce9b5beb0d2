//! Why nothing has come of `stepdown raft`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use stepdown_backends::raft::admin::{AdminCallError, StoppedError};
use stepdown_backends::status_file::AdoptError;

use crate::cli::visible::visible;
use crate::options::OptionsError;

/// Why nothing has come of `stepdown raft`.
#[derive(Debug, thiserror::Error)]
pub enum RaftCommandError {
    /// The cluster says no, or nothing.
    #[error("{}", visible(&.0.to_string()))]
    Cluster(#[from] AdminCallError),
    /// The configuration can't be put in force.
    #[error("{}: {reason}", .path.display())]
    Configuration {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file can't be read or written.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
    /// The status would make the truth of what it lacks.
    #[error(transparent)]
    Lacking(#[from] AdoptError),
    /// There is no document to write out.
    #[error("the cluster has no {0} to export")]
    Nothing(&'static str),
    /// It is not known whom to ask.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A node that does not run can't be read.
    #[error(transparent)]
    Stopped(#[from] StoppedError),
    /// It is not done yet.
    #[error("{what} within {within:?} (--timeout); {todo}")]
    TimedOut {
        /// What did not happen.
        what: String,
        /// How long it was waited for.
        within: Duration,
        /// What to do now.
        todo: &'static str,
    },
}
