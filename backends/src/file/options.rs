//! What the file backend is told.

use std::path::PathBuf;

/// Where the files are, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// The status document. It need not exist; its directory is created.
    pub status: PathBuf,
    /// The configuration document. It need not exist yet.
    pub configuration: PathBuf,
    /// Whether a status document of no bytes is a new cluster.
    pub initialize_empty_status: bool,
    /// Whether the status document may be where locks can't be relied on.
    pub allow_network_filesystem: bool,
}
