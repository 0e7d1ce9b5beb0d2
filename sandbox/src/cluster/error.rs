//! What can go wrong around the sandbox's processes.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::Duration;

use stepdown_backends::raft::admin::AdminCallError;
use stepdown_core::cluster::DecodeError;

use super::metrics::ScrapeError;

/// Why the sandbox can't do something.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The operating system refused.
    #[error("can't {doing}: {source}")]
    Os {
        /// What was tried.
        doing: String,
        /// The operating system's words.
        source: io::Error,
    },
    /// A process has ended, or was never started.
    #[error("{name} does not run")]
    NotRunning {
        /// Its name.
        name: String,
    },
    /// A coordinator's metrics can't be had.
    #[error(transparent)]
    Scrape(#[from] ScrapeError),
    /// The coordinators, which keep the documents, can't be asked.
    #[error("the coordinators can't be asked for their documents: {0}")]
    Documents(#[from] AdminCallError),
    /// The status file can't be understood.
    #[error("{path}: {reason}")]
    Status {
        /// The file.
        path: String,
        /// Why.
        reason: DecodeError,
    },
    /// Something did not come about in time.
    #[error("waited {} s for {what}", .within.as_secs())]
    Timeout {
        /// What was waited for, and how far it was.
        what: String,
        /// For how long.
        within: Duration,
    },
    /// Two coordinators lead.
    #[error("{one} leads while {other}, which is paused, still holds the lock")]
    TwoLeaders {
        /// The one that should not.
        one: String,
        /// The one that leads.
        other: String,
    },
    /// What was asked for can't be done now.
    #[error("{step}: {reason}")]
    Refused {
        /// What was asked for.
        step: String,
        /// Why it can't be done, and what to do first.
        reason: String,
    },
    /// A process ended though nobody asked it to.
    #[error("{name} ended unasked ({status}); its log is {log}")]
    Ended {
        /// Its name.
        name: String,
        /// How.
        status: String,
        /// Its log file.
        log: String,
    },
}

impl SandboxError {
    /// The operating system refused to do this.
    pub fn os(doing: impl Display) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.to_string();
        move |source| Self::Os { doing, source }
    }

    /// The operating system refused to do this with a file.
    pub fn file(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::os(format!("{verb} {}", path.display()))
    }
}
