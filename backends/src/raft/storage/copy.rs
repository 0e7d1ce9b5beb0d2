//! A node's file where nothing may be written, or can be: it is read into memory as a whole.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::directory::{FILE, LOCK};
use super::error::OpenError;
use super::medium::{File, Medium};
use crate::regular;

/// What is read of it at a time, in bytes.
const CHUNK: usize = 1 << 20;

/// A data directory of a node that does not run, which is left as it is. No node starts on it for as
/// long as this lives.
#[derive(Debug)]
pub struct Copy {
    path: PathBuf,
    // One that runs keeps it locked for itself alone. Where there is none, none runs.
    _lock: Option<fs::File>,
}

impl Copy {
    /// Keeps nodes from this directory, if none runs on it.
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Unreadable {
            file: path.join(LOCK).display().to_string(),
            error,
        };
        let lock = match regular::follow(OpenOptions::new().read(true), &path.join(LOCK)) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        match lock.as_ref().map(fs::File::try_lock_shared) {
            None | Some(Ok(())) => Ok(Self {
                path: path.to_path_buf(),
                _lock: lock,
            }),
            Some(Err(TryLockError::WouldBlock)) => Err(OpenError::InUse(path.to_path_buf())),
            Some(Err(TryLockError::Error(error))) => Err(failed(error)),
        }
    }
}

impl Medium for Copy {
    fn name(&self) -> String {
        self.path.join(FILE).display().to_string()
    }

    fn open(&self) -> io::Result<Option<File>> {
        match regular::follow(OpenOptions::new().read(true), &self.path.join(FILE)) {
            Ok(file) => in_memory(file).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self) -> io::Result<File> {
        Ok(File(Box::new(InMemoryBackend::new())))
    }

    fn discard(&self) -> io::Result<()> {
        Ok(())
    }

    fn publish(&self) -> io::Result<()> {
        Ok(())
    }

    fn settle(&self) -> io::Result<()> {
        Ok(())
    }
}

fn in_memory(mut file: fs::File) -> io::Result<File> {
    let memory = InMemoryBackend::new();
    let mut chunk = vec![0; CHUNK];
    let mut offset = 0;
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Ok(File(Box::new(memory)));
        }
        let end = offset + u64::try_from(count).map_err(io::Error::other)?;
        memory.set_len(end)?;
        memory.write(offset, chunk.get(..count).unwrap_or_default())?;
        offset = end;
    }
}
