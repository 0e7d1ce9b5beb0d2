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
    let refused = write(&*file, bytes).and_then(before_rename);
    let not_replaced = match refused {
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
        let _ = vfs.unlink(&path);
        return Err(CommitError::Unknown(error));
    }
    vfs.sync_directory(&place.directory)
        .map_err(CommitError::Unknown)?;
    Ok(file)
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
