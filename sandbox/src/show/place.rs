//! The directory of a run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cluster::SandboxError;

/// Where a run's files are.
#[derive(Debug)]
pub enum Place {
    /// In a new directory, which is removed if all went well.
    Temporary(TempDir),
    /// In a directory that stays.
    Kept(PathBuf),
}

impl Place {
    /// Finds or makes the directory. A given one must be empty or absent.
    pub fn find(dir: Option<PathBuf>, keep: bool) -> Result<Self, SandboxError> {
        let Some(dir) = dir else {
            let dir = tempfile::Builder::new()
                .prefix("stepdown-sandbox-")
                .tempdir()
                .map_err(SandboxError::os("make a temporary directory"))?;
            return Ok(if keep {
                Self::Kept(dir.keep())
            } else {
                Self::Temporary(dir)
            });
        };
        fs::create_dir_all(&dir).map_err(SandboxError::file("make", &dir))?;
        let mut entries = fs::read_dir(&dir).map_err(SandboxError::file("read", &dir))?;
        if entries.next().is_some() {
            let error = io::Error::other("it is not empty; give another or an empty one");
            return Err(SandboxError::file("use", &dir)(error));
        }
        Ok(Self::Kept(dir))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(dir) => dir,
        }
    }

    /// Keeps it if asked to; returns it then.
    pub fn settle(self, keep: bool) -> Option<PathBuf> {
        match self {
            Self::Temporary(dir) if keep => Some(dir.keep()),
            Self::Temporary(_) => None,
            Self::Kept(dir) => Some(dir),
        }
    }
}
