//! Changes of the configuration file, one at a time: a lock beside it keeps coordinators apart, in other
//! processes too. People don't know of the lock, so the file is looked at once more right before it is
//! replaced.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use stepdown_core::{ConfigurationText, Version};
use tokio::task::spawn_blocking;

use super::configuration::read_at_rest;
use super::configuration_file::{Present, Replaced, delete_leftovers, replace};
use super::place::Place;
use super::vfs::RealVfs;
use crate::configuration_store::{
    ConfigurationStore, ConfigurationStoreError, StoredConfiguration,
};
use crate::regular;

/// How long another may hold the lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is tried.
const TRY_EVERY: Duration = Duration::from_millis(20);

pub(super) struct FileConfigurationStore {
    path: PathBuf,
}

impl FileConfigurationStore {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

#[async_trait]
impl ConfigurationStore for FileConfigurationStore {
    async fn load(&self) -> Result<StoredConfiguration, ConfigurationStoreError> {
        let path = self.path.clone();
        let read = spawn_blocking(move || {
            let present = Present::read(&path).map_err(|error| failed(&path, &error))?;
            Ok(StoredConfiguration {
                version: Version::new(present.version()),
                text: present.text,
            })
        });
        read.await
            .unwrap_or_else(|error| Err(ConfigurationStoreError::Unavailable(error.to_string())))
    }

    async fn read(&self) -> Result<ConfigurationText, ConfigurationStoreError> {
        read_at_rest(&self.path)
            .await
            .map_err(ConfigurationStoreError::Unavailable)
    }

    async fn store(
        &self,
        expected: &Version,
        text: String,
    ) -> Result<Version, ConfigurationStoreError> {
        let (path, expected) = (self.path.clone(), expected.clone());
        let write = spawn_blocking(move || write(&path, &expected, &text));
        write
            .await
            .unwrap_or_else(|error| Err(ConfigurationStoreError::Unknown(error.to_string())))
    }
}

fn write(path: &Path, expected: &Version, text: &str) -> Result<Version, ConfigurationStoreError> {
    // Links are refused before the places beside them are found.
    Present::read(path).map_err(|error| failed(path, &error))?;
    let place = Place::find(&RealVfs, path).map_err(|error| failed(path, &error))?;
    let lock = locked(&place.lock).map_err(|error| failed(&place.lock, &error))?;
    if lock.is_none() {
        let lock = place.lock.display();
        return Err(ConfigurationStoreError::Unavailable(format!(
            "another coordinator is changing {}, and has held {lock} for {PATIENCE:?}",
            path.display()
        )));
    }
    delete_leftovers(&place).map_err(|error| failed(path, &error))?;
    match replace(&place, &expected.0, text) {
        Ok(Replaced::Done(version)) => Ok(Version::new(version)),
        Ok(Replaced::Other(version)) => Err(ConfigurationStoreError::Conflict(format!(
            "{} is at {version}, not at {expected}",
            path.display()
        ))),
        // A rename that failed midway, or a directory that could not be made durable.
        Err(error) if is_in_doubt(path, expected) => Err(ConfigurationStoreError::Unknown(
            format!("{}: {error}", path.display()),
        )),
        Err(error) => Err(failed(path, &error)),
    }
}

fn is_in_doubt(path: &Path, expected: &Version) -> bool {
    !Present::read(path).is_ok_and(|present| present.version() == *expected.0)
}

/// The lock, unless another holds it all the time.
fn locked(path: &Path) -> io::Result<Option<File>> {
    let began = Instant::now();
    let file = regular::open_lock(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
            Err(std::fs::TryLockError::WouldBlock) if began.elapsed() >= PATIENCE => {
                return Ok(None);
            }
            Err(std::fs::TryLockError::WouldBlock) => sleep(TRY_EVERY),
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> ConfigurationStoreError {
    let reason = format!("{}: {error}", path.display());
    let needs_somebody = matches!(
        error.kind(),
        ErrorKind::InvalidData
            | ErrorKind::InvalidInput
            | ErrorKind::IsADirectory
            | ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
    );
    match needs_somebody {
        true => ConfigurationStoreError::Refused(reason),
        false => ConfigurationStoreError::Unavailable(reason),
    }
}

#[cfg(test)]
mod tests;
