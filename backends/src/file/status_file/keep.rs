//! Keeps a status file as it is, before something else takes its place.

use std::io;
use std::path::PathBuf;

use super::AdoptError;
use crate::file::place::Place;
use crate::file::vfs::Vfs;

/// How often it may be kept under one name.
const MOST: u32 = 1000;

/// Copies it to a file beside it, which was not there before, and which nothing here ever deletes.
pub(super) fn keep(
    vfs: &dyn Vfs,
    place: &Place,
    bytes: &[u8],
    suffix: &str,
) -> Result<PathBuf, AdoptError> {
    let mut path = place.beside(suffix);
    for number in 1..=MOST {
        match write(vfs, place, &path, bytes) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = place.beside(&format!("{suffix}.{number}"));
            }
            Err(error) => return Err(AdoptError::NotKept { path, error }),
        }
    }
    let error = io::ErrorKind::AlreadyExists.into();
    Err(AdoptError::NotKept { path, error })
}

fn write(vfs: &dyn Vfs, place: &Place, path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    let mode = vfs.stat(&place.document)?.mode;
    let file = vfs.create_new(path, mode)?;
    let written = file.write_at(bytes, 0).and_then(|()| file.sync());
    if let Err(error) = written {
        // A half of it would only mislead.
        let _ = vfs.unlink(path);
        return Err(error);
    }
    vfs.sync_directory(&place.directory)
}
