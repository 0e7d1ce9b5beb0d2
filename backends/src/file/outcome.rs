//! What a failed operation means for whoever asked.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{Head, HeadOutcome, LoadOutcome, LoadedStatus, StoreOutcome};

use super::content::Content;
use super::corrupt::Corrupt;
use super::sidecar::Record;

/// A local disk that fails needs a person, or room; asking more often helps neither.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// The answer where nothing was written.
pub(super) fn not_stored(path: &Path, error: &io::Error) -> StoreOutcome {
    let reason = format!("{}: {error}", path.display());
    if error.kind() == ErrorKind::PermissionDenied {
        StoreOutcome::Forbidden(format!(
            "{reason}; let the coordinator's user write to the directory that it is in"
        ))
    } else if needs_a_person(error.kind()) {
        StoreOutcome::Forbidden(reason)
    } else if error.kind() == ErrorKind::FileTooLarge {
        StoreOutcome::TooLarge(reason)
    } else {
        StoreOutcome::Unavailable {
            after: RETRY,
            reason,
        }
    }
}

/// Whether it stays so until somebody mounts the directory in another way.
fn needs_a_person(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::CrossesDevices
            | ErrorKind::IsADirectory
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
    )
}

pub(super) fn load(path: &Path, content: io::Result<Content>) -> LoadOutcome {
    match content {
        Ok(Content::Absent) => LoadOutcome::Absent {
            epoch: Record::default().epoch,
        },
        Ok(Content::Corrupt(corrupt)) => LoadOutcome::Corrupt(corrupt.to_string()),
        Ok(Content::Document(document)) => match ClusterStatus::decode(&document.text) {
            Err(error) => {
                let path = path.to_path_buf();
                LoadOutcome::Corrupt(Corrupt::Undecodable { path, error }.to_string())
            }
            Ok(status) => LoadOutcome::Found(LoadedStatus {
                version: document.version,
                epoch: document.committed.epoch,
                write_id: document.write_id,
                intact: document.intact,
                status: status.into(),
                bytes: u64::try_from(document.text.len()).unwrap_or(u64::MAX),
            }),
        },
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            LoadOutcome::Forbidden(format!("{}: {error}", path.display()))
        }
        Err(error) => LoadOutcome::Unavailable {
            after: RETRY,
            reason: format!("{}: {error}", path.display()),
        },
    }
}

pub(super) fn head(path: &Path, content: io::Result<Content>) -> HeadOutcome {
    match content {
        Ok(Content::Absent) => HeadOutcome::Absent,
        Ok(Content::Corrupt(corrupt)) => HeadOutcome::Corrupt(corrupt.to_string()),
        Ok(Content::Document(document)) => HeadOutcome::Found(Head {
            version: document.version,
            write_id: document.write_id,
            intact: document.intact,
        }),
        Err(error) => HeadOutcome::Unavailable {
            after: RETRY,
            reason: format!("{}: {error}", path.display()),
        },
    }
}
