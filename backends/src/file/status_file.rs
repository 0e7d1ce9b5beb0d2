//! What an operator can do with a status file by hand: look at it, and accept what a coordinator refuses.

mod contents;
mod error;
mod keep;
mod report;

use std::io;
use std::path::Path;

use stepdown_core::ShardId;
use stepdown_core::cluster::{ClusterStatus, StatusProblem};

pub use contents::Contents;
pub use error::AdoptError;
pub use report::{StatusFileContent, StatusFileReport};

use super::commit::{CommitError, commit};
use super::content::{Content, judge};
use super::corrupt::Corrupt;
use super::disk::{Disk, Held, Taken};
use super::header::{Header, Seal, seal, unseal};
use super::lock_file::LockFile;
use super::sidecar::Record;
use super::vfs::RealVfs;
use crate::lacks::{Lack, Remembered, but_for, lacks};

/// Looks at a status file. Nothing is changed.
pub fn check(path: &Path) -> io::Result<StatusFileReport> {
    report::report(path)
}

/// Accepts a status file, whoever wrote it: writes it anew with a first line that says that it is whole,
/// and keeps it beside as it was. The epoch is the greatest that the file or its lock file knows. What the
/// file lacks has to be accepted by name.
pub fn adopt(path: &Path, accepted: &[String]) -> Result<StatusFileReport, AdoptError> {
    rewrite(path, "before-adopt", |found| {
        let status = found.decode(path)?;
        take(path, found.lacks(&status), accepted)?;
        Ok(status)
    })
}

/// Whether this may take the place of the status before, if there was one. What it lacks has to be accepted
/// by name. A text that is no status lacks nothing here: whoever reads it says so.
pub fn may_replace(
    path: &Path,
    text: &str,
    before: Option<&str>,
    accepted: &[String],
) -> Result<(), AdoptError> {
    let Ok(status) = ClusterStatus::decode(text) else {
        return Ok(());
    };
    let before = before.and_then(|text| ClusterStatus::decode(text).ok());
    if before.is_none() && matches!(unseal(text), Seal::Intact(_)) {
        return take(path, Vec::new(), accepted);
    }
    let before = before.as_ref().map(Remembered::of);
    take(path, lacks(&status, before.as_ref()), accepted)
}

/// Takes what is lacking only if each of it is accepted, and nothing else.
fn take(path: &Path, lacks: Vec<Lack>, accepted: &[String]) -> Result<(), AdoptError> {
    let is_lacking = |name: &&String| lacks.iter().any(|lack| lack.name() == **name);
    let path = path.to_path_buf();
    if let Some(name) = accepted.iter().find(|name| !is_lacking(name)) {
        let name = name.clone();
        return Err(AdoptError::NotLacking { path, name, lacks });
    }
    let lacks = but_for(lacks, accepted);
    if lacks.is_empty() {
        return Ok(());
    }
    Err(AdoptError::Lacking { path, lacks })
}

/// Accepts that what the lost replicas of a shard had is gone, in a file that a coordinator would go on
/// from, and keeps it beside as it was.
pub fn accept_loss(
    path: &Path,
    namespace: &str,
    shard: ShardId,
) -> Result<StatusFileReport, AdoptError> {
    rewrite(path, "before-accept-loss", |found| {
        let judged = judge(path, Some(found.bytes.clone()), &found.lock, false);
        if let Content::Corrupt(corrupt) = judged {
            return Err(AdoptError::Refused(corrupt.to_string()));
        }
        let mut status = found.decode(path)?;
        let accepted = status.accept_loss(namespace, shard);
        accepted.map_err(|error| AdoptError::Loss {
            path: path.to_path_buf(),
            error,
        })?;
        Ok(status)
    })
}

/// What there is, read under the lock.
struct Found {
    bytes: Vec<u8>,
    lock: LockFile,
}

impl Found {
    /// The document, unless nobody can lead on it.
    fn decode(&self, path: &Path) -> Result<ClusterStatus, AdoptError> {
        let path = path.to_path_buf();
        let Ok(text) = std::str::from_utf8(&self.bytes) else {
            return Err(AdoptError::NotText(path));
        };
        let status = match ClusterStatus::decode(text) {
            Ok(status) => status,
            Err(error) => return Err(AdoptError::Undecodable { path, error }),
        };
        match status.problems().into_iter().find(StatusProblem::is_fatal) {
            Some(problem) => Err(AdoptError::Harmful { path, problem }),
            None => Ok(status),
        }
    }

    /// What it lacks, unless it is the one that a coordinator wrote last.
    fn lacks(&self, status: &ClusterStatus) -> Vec<Lack> {
        let seal = self.seal();
        if let Seal::Intact(header) | Seal::Unended(header) = &seal
            && Some(header.record()) >= self.lock.sidecar.record()
        {
            return Vec::new();
        }
        let mut found = lacks(status, self.lock.notes().document.as_ref());
        if let Seal::Shortened(_) = seal {
            found.push(Lack::End);
        }
        found
    }

    /// The greatest count that is known.
    fn record(&self) -> Record {
        let own = match self.seal() {
            Seal::Intact(header) | Seal::Unended(header) => Some(header.record()),
            Seal::Broken(header) | Seal::Shortened(header) => header.map(|it| it.record()),
            Seal::Absent | Seal::Newer => None,
        };
        Record::greatest(own, self.lock.sidecar.record())
    }

    fn seal(&self) -> Seal {
        unseal(&String::from_utf8_lossy(&self.bytes))
    }
}

/// Writes a status file anew, as this makes it of what there is, while no coordinator is at work on it.
fn rewrite(
    path: &Path,
    kept_as: &str,
    make: impl FnOnce(&Found) -> Result<ClusterStatus, AdoptError>,
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
    let mut held = lock(&disk, path)?;
    let lock = place.read_lock_file(&RealVfs).map_err(io_error)?;
    let bytes = place.read_document(&RealVfs).map_err(io_error)?;
    let Some(bytes) = bytes else {
        return Err(AdoptError::Absent(path.to_path_buf()));
    };
    let found = Found { bytes, lock };
    if found.seal() == Seal::Newer {
        let newer = Corrupt::Newer(path.to_path_buf());
        return Err(AdoptError::Refused(newer.to_string()));
    }
    let status = make(&found)?;
    let record = found.record();
    let header = Header {
        version: record.version.saturating_add(1),
        epoch: record.epoch,
        write_id: None,
    };
    let kept = keep::keep(&RealVfs, place, &found.bytes, kept_as)?;
    let written = commit(&RealVfs, place, &seal(&header, &status.encode()), |_| {
        Ok(None)
    });
    match written {
        Ok(_) => {
            held.remember(&place.lock, header.record());
            held.note_document(&place.lock, &status);
        }
        Err(CommitError::NotApplied(error)) => return Err(io_error(error)),
        Err(CommitError::Refused(reason)) => return Err(io_error(io::Error::other(reason))),
        Err(CommitError::Unknown(error)) => {
            let path = path.to_path_buf();
            return Err(AdoptError::Unknown { path, error });
        }
    }
    drop(held);
    let report = report::report(path).map_err(io_error)?;
    Ok(report.after(&status, &found.lock, kept))
}

fn lock(disk: &Disk, path: &Path) -> Result<Held, AdoptError> {
    let in_use = |holder: String| AdoptError::InUse {
        path: path.to_path_buf(),
        holder,
    };
    match disk.try_lock() {
        Ok(Taken::Held(held)) => Ok(held),
        Ok(Taken::ByAnother) => Err(in_use(match disk.holder() {
            Some(holder) => format!("the coordinator {holder}"),
            None => "a coordinator".to_owned(),
        })),
        Ok(Taken::ByOxia) => Err(in_use("an Oxia coordinator".to_owned())),
        Err(error) => Err(AdoptError::Io {
            path: path.to_path_buf(),
            error,
        }),
    }
}

#[cfg(test)]
mod tests;
