//! Why what is on disk can't be gone on from, and what to do about it: first of all, to put a copy back.

use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use stepdown_core::cluster::DecodeError;

use crate::lacks::{Lack, listed};

/// Why what is on disk can't be gone on from. Each names the document's path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Corrupt {
    #[error("{} was cut short: put a copy back that is whole; {}", .0.display(), look(.0))]
    CutShort(PathBuf),
    #[error(
        "{} is empty: put a copy back, or give --initialize-empty-status for a new cluster",
        .0.display()
    )]
    Empty(PathBuf),
    /// The lock file says nothing of what was committed.
    #[error(
        "{path} was written by somebody else, and {path}.lock, which would tell what belongs in it, is \
         damaged: put a copy back, or compare it with one; {}",
        adopt(.0), path = .0.display()
    )]
    ForeignBesideDamage(PathBuf),
    #[error(
        "{path} is gone, though {path}.lock says that it was written: put a copy back, or remove \
         {path}.lock for a new cluster",
        path = .0.display()
    )]
    Gone(PathBuf),
    #[error(
        "{} was written by somebody else, and lacks {}: put a copy back that is whole, or mend it; {}",
        .path.display(), listed(.lacks), look(.path)
    )]
    Lacking { path: PathBuf, lacks: Vec<Lack> },
    #[error("{} was written by a newer release: use that", .0.display())]
    Newer(PathBuf),
    #[error("{}: {error}; put a copy back", .path.display())]
    NotText { path: PathBuf, error: FromUtf8Error },
    #[error(
        "{} is an old copy, write {found} where {committed} was committed: put the newer one back; {}",
        .path.display(), adopt(.path)
    )]
    OldCopy {
        path: PathBuf,
        found: u64,
        committed: u64,
    },
    #[error("{}: {error}; put a copy back, or mend it; {}", .path.display(), look(.path))]
    Undecodable { path: PathBuf, error: DecodeError },
    #[error("{} lacks its last line, and nothing else; {}", .0.display(), adopt(.0))]
    Unended(PathBuf),
}

fn look(path: &Path) -> String {
    let path = path.display();
    format!("`stepdown status-file check {path}` tells what is in it")
}

/// Said only where nothing is known to be missing.
fn adopt(path: &Path) -> String {
    let path = path.display();
    format!("to go on from this one, run `stepdown status-file adopt {path}`")
}
