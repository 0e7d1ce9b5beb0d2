//! Two files on a local disk: the status document, which this coordinator writes, and the
//! configuration document, which people write. Leadership is the lock on a third beside the first.

mod commit;
mod configuration;
mod content;
mod disk;
mod error;
mod header;
mod hints;
mod leadership;
mod outcome;
mod place;
mod sidecar;
pub mod status_file;
mod store;
mod vfs;
mod watch;

#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch as channel;

use crate::backend::Backend;
use configuration::FileConfiguration;
use disk::Disk;
pub use error::FileError;
use hints::FileHints;
use leadership::FileLeadership;
use place::Place;
use store::FileStore;
use vfs::RealVfs;

/// Where the files are, and what is allowed.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The status document. It need not exist; its directory is created.
    pub status: PathBuf,
    /// The configuration document. It need not exist yet.
    pub configuration: PathBuf,
    /// Whether a status document of no bytes is a new cluster.
    pub initialize_empty_status: bool,
    /// The coordinator's name, for whoever asks who leads.
    pub name: String,
    /// Whether the status document may be where locks can't be relied on.
    pub allow_network_filesystem: bool,
}

/// The file backend.
pub struct FileBackend;

impl FileBackend {
    /// Opens the files; must be called within a runtime, where it leaves two tasks that watch
    /// them. They end with the backend.
    pub fn open(options: FileOptions) -> Result<Backend, FileError> {
        let disk = Arc::new(open_disk(
            &options.status,
            options.initialize_empty_status,
            options.allow_network_filesystem,
        )?);
        let stores = channel::Sender::new(0);
        Ok(Backend {
            store: Arc::new(FileStore {
                disk: disk.clone(),
                stores: stores.clone(),
            }),
            leadership: Arc::new(FileLeadership::new(disk.clone(), &options.name, stores)),
            configuration: Arc::new(FileConfiguration::new(options.configuration)),
            hints: Arc::new(FileHints::new(disk)),
        })
    }
}

fn open_disk(
    status: &Path,
    initialize_empty: bool,
    allow_network_filesystem: bool,
) -> Result<Disk, FileError> {
    let path_error = |error| FileError::Path {
        path: status.to_path_buf(),
        error,
    };
    let place = Place::find(&RealVfs, status).map_err(path_error)?;
    let directory = place.directory;
    let directory_error = |error| FileError::Directory {
        directory: directory.clone(),
        error,
    };
    RealVfs::create_directories(&directory).map_err(directory_error)?;
    let network = RealVfs::network_filesystem(&directory).map_err(directory_error)?;
    if let Some(filesystem) = network.filter(|_| !allow_network_filesystem) {
        return Err(FileError::NetworkFilesystem {
            directory,
            filesystem,
        });
    }
    if place.document.is_dir() {
        let error = std::io::Error::from(std::io::ErrorKind::IsADirectory);
        return Err(path_error(error));
    }
    Disk::new(Arc::new(RealVfs), status, initialize_empty).map_err(path_error)
}
