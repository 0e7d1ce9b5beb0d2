//! Why TLS can't be set up.

use std::path::Path;

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or holds no PEM of the kind that is needed.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// None of the listed suites is supported, and TLS 1.3 is off.
    #[error("cipherSuites lists no suite that is supported; leave it out to use all safe ones")]
    NoSuite,
    /// The parts don't fit.
    #[error("{0}")]
    Unfit(String),
}

impl TlsError {
    pub(super) fn in_file(path: &Path, reason: impl ToString) -> Self {
        Self::File {
            path: path.display().to_string(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn unfit(reason: impl ToString) -> Self {
        Self::Unfit(reason.to_string())
    }
}
