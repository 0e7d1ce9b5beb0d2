//! What an operator can do with a status file by hand: look at it, and accept an edit.

mod report;

use std::io;
use std::path::{Path, PathBuf};

use stepdown_core::ShardId;
use stepdown_core::cluster::{AcceptLossError, ClusterStatus, DecodeError, StatusProblem};

pub use report::{StatusFileContent, StatusFileReport};

use super::commit::{CommitError, commit};
use super::disk::{Disk, Taken};
use super::header::{Header, Seal, seal, unseal};
use super::sidecar::{Record, Sidecar};
use super::vfs::RealVfs;

/// Looks at a status file. Nothing is changed.
pub fn check(path: &Path) -> io::Result<StatusFileReport> {
    report::report(path)
}

/// Why a status file is not adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// A coordinator is at work on it.
    #[error("{} is in use by a coordinator: stop it first", .0.display())]
    InUse(PathBuf),
    /// There is nothing to adopt.
    #[error("{} does not exist", .0.display())]
    Absent(PathBuf),
    /// It is no text.
    #[error("{} is not UTF-8: restore it from a copy", .0.display())]
    NotText(PathBuf),
    /// It is no status document.
    #[error("{}: {error}; put it right first", .path.display())]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// Leading on it would do harm.
    #[error("{}: {problem}; put it right first", .path.display())]
    Harmful {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: StatusProblem,
    },
    /// No loss can be accepted.
    #[error("{}: {error}", .path.display())]
    Loss {
        /// The file.
        path: PathBuf,
        /// Why.
        error: AcceptLossError,
    },
    /// It can't be read or written; nothing was changed.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
    /// It may or may not be written.
    #[error("{}: {error}; check what is there now", .path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
}

/// Accepts a status file as it is, whoever wrote it: writes it anew with a first line that says
/// that it is whole. The epoch is the greatest that the file or its lock file knows.
pub fn adopt(path: &Path) -> Result<StatusFileReport, AdoptError> {
    rewrite(path, |_| Ok(()))
}

/// Accepts that what the lost replicas of a shard had is gone.
pub fn accept_loss(
    path: &Path,
    namespace: &str,
    shard: ShardId,
) -> Result<StatusFileReport, AdoptError> {
    rewrite(path, |status| {
        status
            .accept_loss(namespace, shard)
            .map_err(|error| AdoptError::Loss {
                path: path.to_path_buf(),
                error,
            })
    })
}

/// Writes a status file anew, with this change, while no coordinator is at work on it.
fn rewrite(
    path: &Path,
    change: impl FnOnce(&mut ClusterStatus) -> Result<(), AdoptError>,
) -> Result<StatusFileReport, AdoptError> {
    let io_error = |error| AdoptError::Io {
        path: path.to_path_buf(),
        error,
    };
    let disk = Disk::new(std::sync::Arc::new(RealVfs), path, false).map_err(io_error)?;
    let place = &disk.place;
    // Before the lock, which would leave a lock file beside nothing.
    if place.read_document(&RealVfs).map_err(io_error)?.is_none() {
        return Err(AdoptError::Absent(path.to_path_buf()));
    }
    let held = match disk.try_lock().map_err(io_error)? {
        Taken::Held(held) => held,
        Taken::ByAnother | Taken::ByOxia => return Err(AdoptError::InUse(path.to_path_buf())),
    };
    let sidecar = place.read_sidecar(&RealVfs).map_err(io_error)?;
    let bytes = place.read_document(&RealVfs).map_err(io_error)?;
    let (record, yaml) = accept(path, bytes, sidecar, change)?;
    let header = Header {
        version: record.version.saturating_add(1),
        epoch: record.epoch,
        write_id: None,
    };
    let written = commit(&RealVfs, place, &seal(&header, &yaml), |_| Ok(None));
    match written {
        Ok(_) => held.remember(&place.lock, header.record()),
        Err(CommitError::NotApplied(error)) => return Err(io_error(error)),
        Err(CommitError::Refused(reason)) => return Err(io_error(io::Error::other(reason))),
        Err(CommitError::Unknown(error)) => {
            let path = path.to_path_buf();
            return Err(AdoptError::Unknown { path, error });
        }
    }
    drop(held);
    report::report(path).map_err(io_error)
}

fn accept(
    path: &Path,
    bytes: Option<Vec<u8>>,
    sidecar: Sidecar,
    change: impl FnOnce(&mut ClusterStatus) -> Result<(), AdoptError>,
) -> Result<(Record, String), AdoptError> {
    let path = path.to_path_buf();
    let Some(bytes) = bytes else {
        return Err(AdoptError::Absent(path));
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(AdoptError::NotText(path));
    };
    let mut status = match ClusterStatus::decode(&text) {
        Ok(status) => status,
        Err(error) => return Err(AdoptError::Undecodable { path, error }),
    };
    if let Some(problem) = status.problems().into_iter().find(StatusProblem::is_fatal) {
        return Err(AdoptError::Harmful { path, problem });
    }
    change(&mut status)?;
    let own = match unseal(&text) {
        Seal::Intact(header) => Some(header.record()),
        Seal::Broken(header) | Seal::Shortened(header) => header.map(|it| it.record()),
        Seal::Absent | Seal::Newer => None,
    };
    Ok((Record::greatest(own, sidecar.record()), status.encode()))
}
