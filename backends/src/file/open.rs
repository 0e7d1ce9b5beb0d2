//! Opens the files.

use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use stepdown_core::Timing;
use tokio::sync::watch;

use super::configuration::FileConfiguration;
use super::configuration_store::FileConfigurationStore;
use super::disk::Disk;
use super::error::FileError;
use super::exposure::{exposures, exposures_of_configuration};
use super::hints::FileHints;
use super::leadership::FileLeadership;
use super::options::FileOptions;
use super::place::Place;
use super::store::FileStore;
use super::vfs::{RealVfs, Vfs};
use crate::backend::{Backend, no_failure};
use crate::candidate::Candidate;
use crate::directories;
use crate::status_size::StatusSize;

/// Opens the files; must be called within a runtime, where it leaves two tasks that watch them.
/// They end with the backend.
pub(crate) fn open(options: &FileOptions, candidate: &Candidate) -> Result<Backend, FileError> {
    let disk = Arc::new(open_disk(
        &options.status,
        options.initialize_empty_status,
        options.allow_network_filesystem,
    )?);
    for exposure in exposures_of_configuration(&options.configuration) {
        tracing::warn!("{exposure}");
    }
    let stores = watch::Sender::new(0);
    let leadership = FileLeadership::new(disk.clone(), &candidate.name, stores.clone());
    Ok(Backend {
        store: Arc::new(FileStore {
            disk: disk.clone(),
            stores,
        }),
        leadership: Arc::new(leadership.reached_at(candidate.public_address.clone())),
        configuration: Arc::new(FileConfiguration::new(options.configuration.clone())),
        configuration_store: Arc::new(FileConfigurationStore::new(options.configuration.clone())),
        hints: Arc::new(FileHints::new(disk)),
        sizes: StatusSize::unlimited(),
        head_check_every: Timing::default().head_check_every,
        failure: no_failure(),
    })
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
    let directory = place.directory.clone();
    let directory_error = |error| FileError::Directory {
        directory: directory.clone(),
        error,
    };
    directories::make(&directory).map_err(directory_error)?;
    let network = RealVfs::network_filesystem(&directory).map_err(directory_error)?;
    if let Some(filesystem) = network.filter(|_| !allow_network_filesystem) {
        return Err(FileError::NetworkFilesystem {
            directory,
            filesystem,
        });
    }
    if let Some(error) = unfit(&place.document) {
        return Err(path_error(error));
    }
    if let Some(error) = unfit(&place.lock) {
        let path = place.lock;
        return Err(FileError::Lock { path, error });
    }
    for exposure in exposures(&place) {
        tracing::warn!("{exposure}");
    }
    Disk::new(Arc::new(RealVfs), status, initialize_empty).map_err(path_error)
}

/// Why this can't be one of the files, whatever may change. What else is wrong with it is told when it is
/// used.
fn unfit(path: &Path) -> Option<Error> {
    let error = RealVfs.open(path).err()?;
    let is_no_file = matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::IsADirectory
    );
    is_no_file.then_some(error)
}
