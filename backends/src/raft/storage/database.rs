//! The file: one table for the log, one for everything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openraft::LogId;
use redb::{
    Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::super::command::ClusterId;
use super::super::types::NodeId;
use super::error::{Cause, Fault, OpenError};
use super::medium::{File, Medium};
use super::record::{seal, unseal};

pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");
const FORMAT: &str = "format";
const THIS_FORMAT: u32 = 1;
const IDENTITY: &str = "identity";
/// What is kept of the file in memory, in bytes.
const CACHE: usize = 32 << 20;
/// What is copied of it at a time, in bytes.
const CHUNK: usize = 1 << 20;
/// What every file of this kind begins with.
const MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// A node's file. Everything here blocks, and runs on threads that may.
pub struct Database {
    redb: redb::Database,
    /// How many bytes were put into the log since the last snapshot, or since it was opened.
    log_bytes: AtomicU64,
    snapshot: watch::Sender<KeptSnapshot>,
    medium: Arc<dyn Medium>,
}

/// The snapshot in the file.
#[derive(Clone, Copy, Debug, Default)]
struct KeptSnapshot {
    /// How many entries it stands for.
    before: u64,
    /// Whether another could not be kept after it.
    is_last: bool,
}

/// Who the file belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The node's number.
    pub node: NodeId,
    /// Its cluster, once that is known.
    pub cluster: Option<ClusterId>,
}

impl Database {
    /// Opens the file, or makes a new one where there is none.
    pub fn open(medium: Arc<dyn Medium>) -> Result<Self, OpenError> {
        let file = medium.name();
        let unreadable = |error| OpenError::Unreadable {
            file: medium.name(),
            error,
        };
        let redb = match medium.open().map_err(unreadable)? {
            Some(content) => existing(&file, rewritten(&*medium, content)?)?,
            None => {
                let content = medium.create().map_err(unreadable)?;
                let redb = fresh(content).map_err(|fault| refuse(&file, fault))?;
                medium.publish().map_err(unreadable)?;
                medium.settle().map_err(unreadable)?;
                redb
            }
        };
        Ok(Self {
            redb,
            log_bytes: AtomicU64::new(0),
            snapshot: watch::Sender::default(),
            medium,
        })
    }

    /// The file, for people.
    pub(super) fn name(&self) -> String {
        self.medium.name()
    }

    /// What is in the file can't be used: it is named, and what to do.
    pub fn refuse(&self, fault: Fault) -> OpenError {
        refuse(&self.medium.name(), fault)
    }

    /// Who the file belongs to, once that is settled.
    pub fn identity(&self) -> Result<Option<Identity>, Fault> {
        self.read(IDENTITY)
    }

    /// Settles who the file belongs to.
    pub fn identify(&self, identity: &Identity) -> Result<(), Fault> {
        self.write(|transaction| put(transaction, IDENTITY, identity))
    }

    /// The file's length, in bytes, where it is on a real disk.
    #[must_use]
    pub fn file_bytes(&self) -> Option<u64> {
        let file = std::fs::metadata(self.medium.name()).ok()?;
        Some(file.len())
    }

    /// How much has been logged since the last snapshot, in bytes.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.log_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn logged(&self, bytes: u64) {
        self.log_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The snapshot in the file stands for everything before this index.
    pub(super) fn snapshot_before(&self) -> u64 {
        self.snapshot.borrow().before
    }

    pub(super) fn has_snapshot(&self, last: Option<LogId<NodeId>>) {
        self.snapshot
            .send_modify(|it| it.before = it.before.max(before(last)));
    }

    /// A snapshot that was to be kept was not.
    pub(super) fn has_no_later_snapshot(&self) {
        self.snapshot.send_modify(|it| it.is_last = true);
    }

    /// Returns once a snapshot is kept that stands for everything before this index.
    pub(super) async fn until_snapshot(&self, index: u64) -> Result<(), Fault> {
        let mut snapshot = self.snapshot.subscribe();
        let kept = snapshot.wait_for(|it| it.before >= index || it.is_last);
        match kept.await {
            Ok(kept) if kept.before >= index => Ok(()),
            Ok(_) | Err(_) => Err(Fault::Unkept(index)),
        }
    }

    pub(super) fn compacted(&self) {
        self.log_bytes.store(0, Ordering::Relaxed);
    }

    /// What is kept under this name.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, Fault> {
        let Some(content) = self.read_bytes(name)? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_slice(&content)?))
    }

    pub(super) fn read_bytes(&self, name: &'static str) -> Result<Option<Vec<u8>>, Fault> {
        let transaction = self.redb.begin_read()?;
        let table = transaction.open_table(RECORDS)?;
        let Some(record) = table.get(name)? else {
            return Ok(None);
        };
        Ok(Some(
            unseal(name, name.as_bytes(), record.value())?.to_vec(),
        ))
    }

    /// What is in the log, by index.
    pub(super) fn read_log<T>(
        &self,
        read: impl FnOnce(&redb::ReadOnlyTable<u64, &'static [u8]>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let transaction = self.redb.begin_read()?;
        read(&transaction.open_table(LOG)?)
    }

    /// Changes all or nothing, and returns once it is durable.
    pub(super) fn write(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut transaction = self.redb.begin_write()?;
        // Else a last commit that rots is taken for one that was never finished.
        transaction.set_two_phase_commit(true);
        change(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// The same, but durable only with the next change that is.
    pub(super) fn write_lazily(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut transaction = self.redb.begin_write()?;
        transaction.set_durability(Durability::None)?;
        change(&transaction)?;
        Ok(transaction.commit()?)
    }
}

/// How many entries there are up to this one.
pub(in crate::raft) fn before(last: Option<LogId<NodeId>>) -> u64 {
    last.map_or(0, |last| last.index.saturating_add(1))
}

/// What is kept under this name, once these changes are made.
pub(super) fn get<T: DeserializeOwned>(
    transaction: &WriteTransaction,
    name: &'static str,
) -> Result<Option<T>, Fault> {
    let table = transaction.open_table(RECORDS)?;
    let Some(record) = table.get(name)? else {
        return Ok(None);
    };
    let content = unseal(name, name.as_bytes(), record.value())?;
    Ok(Some(serde_json::from_slice(content)?))
}

pub(super) fn put<T: Serialize>(
    transaction: &WriteTransaction,
    name: &'static str,
    value: &T,
) -> Result<(), Fault> {
    put_bytes(transaction, name, &serde_json::to_vec(value)?)
}

pub(super) fn put_bytes(
    transaction: &WriteTransaction,
    name: &'static str,
    content: &[u8],
) -> Result<(), Fault> {
    let record = seal(name.as_bytes(), content);
    let mut table = transaction.open_table(RECORDS)?;
    table.insert(name, record.as_slice())?;
    Ok(())
}

/// Works on the file where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    database: &Arc<Database>,
    work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let database = database.clone();
    spawn_blocking(move || work(&database)).await?
}

fn builder() -> redb::Builder {
    let mut builder = redb::Builder::new();
    builder.set_cache_size(CACHE);
    // A file that was changed behind its back is reported, rather than trusted.
    builder.set_check_integrity_on_open(true);
    builder
}

fn fresh(content: File) -> Result<redb::Database, Fault> {
    let redb = builder().create_with_backend(content)?;
    let mut transaction = redb.begin_write()?;
    transaction.set_two_phase_commit(true);
    transaction.open_table(LOG)?;
    put(&transaction, FORMAT, &THIS_FORMAT)?;
    transaction.commit()?;
    Ok(redb)
}

/// The same file, written anew. Where the disk once failed, what can be read need not be on it, and
/// no later sync would put it there.
fn rewritten(medium: &dyn Medium, content: File) -> Result<File, OpenError> {
    let copy = || {
        if !is_redb(&content)? {
            return Ok(None);
        }
        let new = medium.create()?;
        let length = content.len()?;
        new.set_len(length)?;
        let mut offset = 0;
        while offset < length {
            let size = usize::try_from(length - offset).map_or(CHUNK, |left| left.min(CHUNK));
            let mut chunk = vec![0; size];
            content.read(offset, &mut chunk)?;
            new.write(offset, &chunk)?;
            offset = offset.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
        }
        new.sync_data()?;
        medium.publish()?;
        medium.settle()?;
        Ok(Some(new))
    };
    let file = medium.name();
    match copy() {
        Ok(Some(new)) => Ok(new),
        Ok(None) => Err(OpenError::Foreign(file)),
        Err(error) => {
            // What is half of it would keep a full disk full. It was of no use to anybody.
            let _ = medium.discard();
            Err(OpenError::Unreadable { file, error })
        }
    }
}

fn existing(file: &str, content: File) -> Result<redb::Database, OpenError> {
    let foreign = || OpenError::Foreign(file.to_owned());
    let redb = builder()
        .create_with_backend(content)
        .map_err(|error| refuse(file, error.into()))?;
    match format(&redb) {
        Ok(Some(THIS_FORMAT)) => Ok(redb),
        Ok(Some(_)) => Err(OpenError::Newer(file.to_owned())),
        Ok(None) => Err(foreign()),
        Err(fault) => Err(refuse(file, fault)),
    }
}

fn is_redb(content: &File) -> std::io::Result<bool> {
    let mut magic = [0; MAGIC.len()];
    if content.len()? < u64::try_from(magic.len()).unwrap_or(0) {
        return Ok(false);
    }
    content.read(0, &mut magic)?;
    Ok(&magic == MAGIC)
}

fn format(redb: &redb::Database) -> Result<Option<u32>, Fault> {
    let transaction = redb.begin_read()?;
    let table = match transaction.open_table(RECORDS) {
        Ok(table) => table,
        Err(
            redb::TableError::TableDoesNotExist(_) | redb::TableError::TableTypeMismatch { .. },
        ) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let Some(record) = table.get(FORMAT)? else {
        return Ok(None);
    };
    let content = unseal(FORMAT, FORMAT.as_bytes(), record.value())?;
    Ok(Some(serde_json::from_slice(content)?))
}

fn refuse(file: &str, fault: Fault) -> OpenError {
    let file = file.to_owned();
    match (fault.cause(), fault) {
        (Cause::Disk, Fault::Redb(redb::Error::Io(error))) => OpenError::Unreadable { file, error },
        (Cause::Disk, fault) => OpenError::Unreadable {
            file,
            error: std::io::Error::other(fault.to_string()),
        },
        (Cause::Records, fault) => OpenError::Damaged {
            file,
            fault: Box::new(fault),
        },
        (Cause::Itself | Cause::Process | Cause::Release | Cause::Sender, fault) => {
            OpenError::Failed {
                file,
                fault: Box::new(fault),
            }
        }
    }
}
