//! Replaces the document so that at every instant, power cut or not, either the old or the new
//! one is there, whole.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::place::{Place, if_there};
use super::vfs::{Stat, Vfs, VfsFile};

/// How replacing the document ended, where it did not end well.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// The old document is there, and will be.
    NotApplied(io::Error),
    /// The last look before the rename said no, and why. The document is as it was found.
    Refused(String),
    /// The old or the new one is there, or will be after a power cut.
    Unknown(io::Error),
}

const NEW_FILE: u32 = 0o600;

/// Replaces the document. `before_rename` is told of the file that becomes it, and may still refuse:
/// making the new file durable took its time. The file is locked for whoever locks the document
/// itself, as Oxia does; the lock lasts as long as the answer.
pub(crate) fn commit(
    vfs: &dyn Vfs,
    place: &Place,
    bytes: &[u8],
    before_rename: impl FnOnce(Stat) -> io::Result<Option<String>>,
) -> Result<Box<dyn VfsFile>, CommitError> {
    let present = if_there(vfs.stat(&place.document)).map_err(CommitError::NotApplied)?;
    let mode = present.map_or(NEW_FILE, |stat| stat.mode);
    let (path, file) = create(vfs, place, mode).map_err(CommitError::NotApplied)?;
    let written = write(&*file, bytes);
    let new = written.as_ref().ok().copied();
    let not_replaced = match written.and_then(before_rename) {
        Ok(None) => None,
        Ok(Some(reason)) => Some(CommitError::Refused(reason)),
        Err(error) => Some(CommitError::NotApplied(error)),
    };
    if let Some(error) = not_replaced {
        // What can't be deleted now is deleted by the next leader.
        let _ = vfs.unlink(&path);
        return Err(error);
    }
    if let Err(error) = vfs.rename(&path, &place.document) {
        let is_there = vfs.stat(&path).ok().zip(new);
        let is_there = is_there.is_some_and(|(there, new)| there.is_same_file(&new));
        let _ = vfs.unlink(&path);
        return Err(match refusal(error) {
            Ok(refused) if is_there => CommitError::NotApplied(refused),
            Ok(error) | Err(error) => CommitError::Unknown(error),
        });
    }
    vfs.sync_directory(&place.directory)
        .map_err(CommitError::Unknown)?;
    Ok(file)
}

/// An error by which a file system refuses a rename, and says so before it does anything; others stay
/// errors. A network in between may say the same of a rename that was made, so whether the new file
/// still has its own name has to be looked at, too.
pub(super) fn refusal(error: io::Error) -> Result<io::Error, io::Error> {
    if error.kind() == io::ErrorKind::ResourceBusy {
        let told = format!(
            "{error}: it is mounted by itself, so that nothing can take its place; mount the directory \
             that it is in"
        );
        return Ok(io::Error::new(error.kind(), told));
    }
    let is_refusal = matches!(
        error.kind(),
        io::ErrorKind::CrossesDevices
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::StorageFull
    );
    if is_refusal { Ok(error) } else { Err(error) }
}

fn create(vfs: &dyn Vfs, place: &Place, mode: u32) -> io::Result<(PathBuf, Box<dyn VfsFile>)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = place.temporary(std::process::id(), number);
        match vfs.create_new(&path, mode) {
            Ok(file) => return Ok((path, file)),
            // In containers every process has the same id: an earlier one left this behind.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

fn write(file: &dyn VfsFile, bytes: &[u8]) -> io::Result<Stat> {
    file.write_at(bytes, 0)?;
    file.sync()?;
    file.try_lock()?;
    file.stat()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::super::vfs::RealVfs;
    use super::*;

    /// A file system whose renames fail, before or after they are made.
    struct Renames {
        error: io::ErrorKind,
        are_made: bool,
    }

    impl Vfs for Renames {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            RealVfs.read(path)
        }
        fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn VfsFile>> {
            RealVfs.create_new(path, mode)
        }
        fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
            RealVfs.open(path)
        }
        fn open_or_create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
            RealVfs.open_or_create(path)
        }
        fn stat(&self, path: &Path) -> io::Result<Stat> {
            RealVfs.stat(path)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            if self.are_made {
                RealVfs.rename(from, to)?;
            }
            Err(self.error.into())
        }
        fn unlink(&self, path: &Path) -> io::Result<()> {
            RealVfs.unlink(path)
        }
        fn sync_directory(&self, path: &Path) -> io::Result<()> {
            RealVfs.sync_directory(path)
        }
        fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
            RealVfs.list(path)
        }
        fn read_link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
            RealVfs.read_link(path)
        }
    }

    fn committed(vfs: &Renames) -> CommitError {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::find(vfs, &directory.path().join("status")).unwrap();
        let result = commit(vfs, &place, b"new", |_| Ok(None));
        result.err().unwrap()
    }

    #[test]
    fn a_rename_that_is_refused_has_not_happened_and_a_mounted_file_has_its_way_out() {
        for error in [
            io::ErrorKind::ResourceBusy,
            io::ErrorKind::CrossesDevices,
            io::ErrorKind::ReadOnlyFilesystem,
        ] {
            let failed = committed(&Renames {
                error,
                are_made: false,
            });
            let CommitError::NotApplied(refused) = failed else {
                panic!("{failed:?}");
            };
            assert_eq!(refused.kind(), error);
            let is_told = refused.to_string().contains("mount the directory");
            assert_eq!(is_told, error == io::ErrorKind::ResourceBusy);
        }
    }

    #[test]
    fn a_rename_that_was_made_or_failed_midway_is_unknown_whatever_is_said_of_it() {
        for (error, are_made) in [
            (io::ErrorKind::ResourceBusy, true),
            (io::ErrorKind::Other, false),
        ] {
            let failed = committed(&Renames { error, are_made });
            assert!(matches!(failed, CommitError::Unknown(_)), "{failed:?}");
        }
    }
}
