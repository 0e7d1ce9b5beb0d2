//! The seam between the database and its disk. Tests put a disk there that fails and loses power.

use std::fmt;
use std::io;

use redb::StorageBackend;

/// Where the file is.
pub trait Medium: Send + Sync {
    /// The file's name, for people.
    fn name(&self) -> String;

    /// The file, if there is one.
    fn open(&self) -> io::Result<Option<File>>;

    /// A new file that is not there yet: [`publish`](Self::publish) makes it so.
    fn create(&self) -> io::Result<File>;

    /// Gives the new file up.
    fn discard(&self) -> io::Result<()>;

    /// Puts the new file where the file belongs, durably once [`settle`](Self::settle) was called.
    fn publish(&self) -> io::Result<()>;

    /// Makes durable which file was published.
    fn settle(&self) -> io::Result<()>;
}

/// The bytes of a file.
pub struct File(pub Box<dyn StorageBackend>);

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// Locks are left out: the directory has its own.
impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
