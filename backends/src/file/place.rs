//! Where the document is: links followed once, and the names beside it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::lock_file::LockFile;
use super::vfs::Vfs;

/// The files that belong to one status document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The document itself, not a link to it.
    pub(crate) document: PathBuf,
    /// The directory it is in.
    pub(crate) directory: PathBuf,
    /// The lock file beside it.
    pub(crate) lock: PathBuf,
    temporary: OsString,
}

impl Place {
    /// Follows the links at `path`, whether or not a document is there.
    pub(crate) fn find(vfs: &dyn Vfs, path: &Path) -> io::Result<Self> {
        let mut document = path.to_path_buf();
        for _ in 0..MOST_LINKS {
            let Some(target) = vfs.read_link(&document)? else {
                return Self::at(document);
            };
            document = directory(&document).join(target);
        }
        Err(io::Error::other(format!(
            "{}: too many links",
            path.display()
        )))
    }

    fn at(document: PathBuf) -> io::Result<Self> {
        let Some(name) = document.file_name() else {
            let shown = document.display();
            return Err(io::Error::other(format!("{shown} does not name a file")));
        };
        let beside = |parts: [&OsStr; 3]| parts.join(OsStr::new(""));
        let lock = document.with_file_name(beside([name, OsStr::new(".lock"), OsStr::new("")]));
        let temporary = beside([OsStr::new("."), name, OsStr::new(".tmp.")]);
        Ok(Self {
            directory: directory(&document).to_path_buf(),
            document,
            lock,
            temporary,
        })
    }

    /// A name for a file that is going to replace the document.
    pub(crate) fn temporary(&self, process: u32, number: u64) -> PathBuf {
        let mut name = self.temporary.clone();
        name.push(format!("{process}.{number}"));
        self.directory.join(name)
    }

    /// The document's name with another ending after it.
    pub(crate) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.document.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(ending);
        self.document.with_file_name(name)
    }

    /// What others left behind when they were killed. Only to be deleted under the lock.
    pub(crate) fn leftovers(&self, vfs: &dyn Vfs) -> io::Result<Vec<PathBuf>> {
        let prefix = self.temporary.as_encoded_bytes();
        let names = vfs.list(&self.directory)?.into_iter();
        Ok(names
            .filter(|name| name.as_encoded_bytes().starts_with(prefix))
            .map(|name| self.directory.join(name))
            .collect())
    }

    pub(crate) fn read_document(&self, vfs: &dyn Vfs) -> io::Result<Option<Vec<u8>>> {
        if_there(vfs.read(&self.document))
    }

    pub(crate) fn read_lock_file(&self, vfs: &dyn Vfs) -> io::Result<LockFile> {
        let bytes = if_there(vfs.read(&self.lock))?;
        Ok(LockFile::parse(bytes.unwrap_or_default()))
    }
}

const MOST_LINKS: u32 = 40;

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

pub(crate) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
