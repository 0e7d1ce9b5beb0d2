//! The file operations, as the backend asks for them.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// What a file system does. Only regular files are read or opened, and none through a link.
pub(crate) trait Vfs: Send + Sync + 'static {
    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Creates a file, which must not exist, with exactly this mode.
    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn VfsFile>>;
    /// Opens a file to read it and to lock it.
    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;
    /// Opens a lock file to read, write and lock it; creates it if it doesn't exist. Its mode is 0600 then.
    fn open_or_create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;
    /// What is known of a file without reading it; follows links.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// Replaces `to` by `from`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Deletes a file.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;
    /// Where a link leads; `None` if it is not a link or does not exist.
    fn read_link(&self, path: &Path) -> io::Result<Option<PathBuf>>;
}

/// An open file.
pub(crate) trait VfsFile: Send {
    /// Writes at an offset, whatever was there before.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the content durable. After it has failed once, the file is good for nothing.
    fn sync(&self) -> io::Result<()>;
    /// What is known of this file, whatever its name leads to now.
    fn stat(&self) -> io::Result<Stat>;
    /// Takes the lock until the file is closed; says whether it could.
    fn try_lock(&self) -> io::Result<bool>;
}

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) mode: u32,
    pub(crate) len: u64,
    /// Seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
}

impl Stat {
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}
