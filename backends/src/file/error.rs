//! Why a file backend can't be opened.

use std::io;
use std::path::PathBuf;

/// Why a file backend can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The directory of the status file can't be made or read.
    #[error("{}: {error}; create the directory, or let the coordinator write to the one above", .directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
    /// What is there is no lock file.
    #[error("{}: {error}; remove it: a coordinator makes a lock file itself", .path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// The path is no place for a status file.
    #[error("{}: {error}; name a file, or one that is still to be created", .path.display())]
    Path {
        /// The path as given.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// Its locks can't be relied on, and they are what keeps two coordinators apart.
    #[error("{} is on {filesystem}, where locks can't be relied on: use a local disk, or allow network file systems", .directory.display())]
    NetworkFilesystem {
        /// The directory.
        directory: PathBuf,
        /// The kind of file system.
        filesystem: &'static str,
    },
}
