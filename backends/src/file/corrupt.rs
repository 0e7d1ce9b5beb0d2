//! Why what is on disk can't be gone on from, and what to do about it.

use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use stepdown_core::cluster::DecodeError;

/// Why what is on disk can't be gone on from. Each names the document's path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Corrupt {
    #[error("{} was cut short: {}", .0.display(), adopt(.0))]
    CutShort(PathBuf),
    #[error("{} is empty: restore it, or give --initialize-empty-status for a new cluster", .0.display())]
    Empty(PathBuf),
    /// The lock file says nothing of what was committed.
    #[error(
        "{path} was written by somebody else, and {path}.lock is damaged: {}",
        adopt(.0), path = .0.display()
    )]
    ForeignBesideDamage(PathBuf),
    #[error(
        "{path} is gone, though {path}.lock says that it was written: restore it, or remove \
         {path}.lock for a new cluster",
        path = .0.display()
    )]
    Gone(PathBuf),
    #[error("{} was written by a newer release: use that", .0.display())]
    Newer(PathBuf),
    #[error("{}: {error}; restore it from a copy", .path.display())]
    NotText { path: PathBuf, error: FromUtf8Error },
    #[error(
        "{} is an old copy, write {found} where {committed} was committed: {}",
        .path.display(), adopt(.path)
    )]
    OldCopy {
        path: PathBuf,
        found: u64,
        committed: u64,
    },
    #[error("{}: {error}; put it right: {}", .path.display(), adopt(.path))]
    Undecodable { path: PathBuf, error: DecodeError },
}

fn adopt(path: &Path) -> String {
    let path = path.display();
    format!("to accept the file as it is then, run `stepdown status-file adopt {path}`")
}
