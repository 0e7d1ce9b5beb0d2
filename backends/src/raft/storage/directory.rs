//! The data directory of one node on a real disk, and the lock that keeps other processes out.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;

use super::error::OpenError;
use super::medium::{File, Medium};
use crate::{directories, regular};

pub(super) const FILE: &str = "raft.redb";
pub(super) const LOCK: &str = "raft.lock";
const NEW: &str = "raft.redb.new";

/// A data directory, locked for as long as this lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    // The kernel gives the lock back when its holder dies.
    _lock: fs::File,
}

impl Directory {
    /// Whether a node has run on this directory.
    pub fn has_file(path: &Path) -> io::Result<bool> {
        path.join(FILE).try_exists()
    }

    /// Makes the directory, if it is not there, and locks it.
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Directory {
            path: path.to_path_buf(),
            error,
        };
        directories::make(path).map_err(failed)?;
        let lock = regular::open_lock(&path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_path_buf(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_path_buf())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Medium for Directory {
    fn name(&self) -> String {
        self.path.join(FILE).display().to_string()
    }

    fn open(&self) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        match regular::open(options.read(true).write(true), &self.path.join(FILE)) {
            Ok(file) => backend(file).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true);
        backend(regular::open(options, &self.path.join(NEW))?)
    }

    fn discard(&self) -> io::Result<()> {
        fs::remove_file(self.path.join(NEW))
    }

    fn publish(&self) -> io::Result<()> {
        fs::rename(self.path.join(NEW), self.path.join(FILE))
    }

    fn settle(&self) -> io::Result<()> {
        sync(&self.path)
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

fn backend(file: fs::File) -> io::Result<File> {
    let backend = FileBackend::new(file).map_err(io::Error::other)?;
    Ok(File(Box::new(backend)))
}
