//! The status file, read by an onlooker, and written by a stranger.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use stepdown_core::cluster::ClusterStatus;

use super::error::SandboxError;

/// Reads the status file; `None` where there is none yet.
pub fn read(path: &Path) -> Result<Option<ClusterStatus>, SandboxError> {
    match text(path)? {
        Some(text) => decode(path, &text).map(Some),
        None => Ok(None),
    }
}

/// Writes the status file as another coordinator would that knows nothing of the lock: the same
/// document in other bytes, and so in another version, put in place whole.
pub fn write_as_stranger(path: &Path) -> Result<(), SandboxError> {
    let foreign = path.with_extension("stranger");
    loop {
        let Some(before) = text(path)? else {
            let absent = io::Error::from(io::ErrorKind::NotFound);
            return Err(SandboxError::file("read", path)(absent));
        };
        let id = getrandom::u64().unwrap_or_default();
        let document = format!(
            "# another coordinator wrote this ({id:016x})\n{}",
            decode(path, &before)?.encode()
        );
        fs::File::create(&foreign)
            .and_then(|mut file| {
                file.write_all(document.as_bytes())?;
                file.sync_all()
            })
            .map_err(SandboxError::file("write", &foreign))?;
        // An honest stranger writes over the document it knows, not over a newer one.
        if text(path)?.as_ref() == Some(&before) {
            return fs::rename(&foreign, path).map_err(SandboxError::file("replace", path));
        }
    }
}

fn text(path: &Path) -> Result<Option<String>, SandboxError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SandboxError::file("read", path)(error)),
    }
}

fn decode(path: &Path, text: &str) -> Result<ClusterStatus, SandboxError> {
    ClusterStatus::decode(text).map_err(|reason| SandboxError::Status {
        path: path.display().to_string(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_changes_the_bytes_and_not_the_document() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status");
        assert_eq!(read(&path).unwrap(), None);
        assert!(write_as_stranger(&path).is_err());
        let status = ClusterStatus {
            instance_id: "abc".into(),
            ..ClusterStatus::default()
        };
        fs::write(&path, status.encode()).unwrap();
        let mut seen = vec![fs::read_to_string(&path).unwrap()];
        for _ in 0..2 {
            write_as_stranger(&path).unwrap();
            let now = fs::read_to_string(&path).unwrap();
            assert!(!seen.contains(&now));
            seen.push(now);
            assert_eq!(read(&path).unwrap(), Some(status.clone()));
        }
    }
}
