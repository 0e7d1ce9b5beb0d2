//! The log, and the vote that belongs to it.

use std::fmt::Debug;
use std::ops::RangeBounds;
use std::sync::Arc;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{
    Entry, ErrorSubject, ErrorVerb, LogId, LogState, OptionalSend, RaftLogReader, StorageError,
    Vote,
};
use redb::{ReadableTable, WriteTransaction};

use super::super::types::{NodeId, TypeConfig};
use super::database::{Database, LOG, before, blocking, get, put};
use super::error::Fault;
use super::record::{seal, unseal};

const COMMITTED: &str = "committed";
const PURGED: &str = "purged";
const VOTE: &str = "vote";
/// The most that is read at a time for a follower, in bytes.
const BATCH: usize = 256 << 10;

/// The log of one node.
#[derive(Clone)]
pub struct LogStore {
    database: Arc<Database>,
    /// Whether nothing is dropped that no snapshot stands for, and entries follow one another.
    guards: bool,
    /// Before which index a snapshot that is being installed stands for everything.
    installing: Option<u64>,
}

impl LogStore {
    /// The log in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self {
            database,
            guards: true,
            installing: None,
        }
    }

    /// The same, for a suite that drops what no snapshot stands for, and leaves entries out.
    #[cfg(test)]
    pub(super) fn unguarded(database: Arc<Database>) -> Self {
        Self {
            database,
            guards: false,
            installing: None,
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        subject: ErrorSubject<NodeId>,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StorageError<NodeId>> {
        let read = blocking(&self.database, work).await;
        read.map_err(|fault| fault.at(self.database.name(), subject, ErrorVerb::Read))
    }

    async fn write(
        &self,
        subject: ErrorSubject<NodeId>,
        work: impl FnOnce(&Database) -> Result<(), Fault> + Send + 'static,
    ) -> Result<(), StorageError<NodeId>> {
        let written = blocking(&self.database, work).await;
        written.map_err(|fault| fault.at(self.database.name(), subject, ErrorVerb::Write))
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<TypeConfig>>, StorageError<NodeId>> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        let work = move |it: &Database| entries(it, range, usize::MAX);
        self.read(ErrorSubject::Logs, work).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry<TypeConfig>>, StorageError<NodeId>> {
        let work = move |it: &Database| entries(it, start..end, BATCH);
        self.read(ErrorSubject::Logs, work).await
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError<NodeId>> {
        self.read(ErrorSubject::Logs, log_state).await
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<NodeId>) -> Result<(), StorageError<NodeId>> {
        let vote = *vote;
        let work = move |it: &Database| it.write(|transaction| put(transaction, VOTE, &vote));
        self.write(ErrorSubject::Vote, work).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<NodeId>>, StorageError<NodeId>> {
        self.read(ErrorSubject::Vote, |it| it.read(VOTE)).await
    }

    // An older one does no harm: what is committed is learned again.
    async fn save_committed(
        &mut self,
        committed: Option<LogId<NodeId>>,
    ) -> Result<(), StorageError<NodeId>> {
        let work = move |it: &Database| {
            it.write_lazily(|transaction| put(transaction, COMMITTED, &committed))
        };
        self.write(ErrorSubject::Store, work).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId<NodeId>>, StorageError<NodeId>> {
        let work = |it: &Database| Ok(it.read::<Option<LogId<NodeId>>>(COMMITTED)?.flatten());
        self.read(ErrorSubject::Store, work).await
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), StorageError<NodeId>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        // Raft goes on from a snapshot that is on its way to the disk. Without it they would be entries
        // after a gap.
        if let Some(index) = self.installing.take() {
            let kept = self.database.until_snapshot(index).await;
            kept.map_err(|fault| {
                fault.at(self.database.name(), ErrorSubject::Logs, ErrorVerb::Write)
            })?;
        }
        let guards = self.guards;
        let work = move |it: &Database| append(it, &entries, guards);
        self.write(ErrorSubject::Logs, work).await?;
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId<NodeId>) -> Result<(), StorageError<NodeId>> {
        let work = move |it: &Database| {
            it.write(|transaction| {
                let mut log = transaction.open_table(LOG)?;
                log.retain_in(log_id.index.., |_, _| false)?;
                Ok(())
            })
        };
        self.write(ErrorSubject::Log(log_id), work).await
    }

    async fn purge(&mut self, log_id: LogId<NodeId>) -> Result<(), StorageError<NodeId>> {
        // A snapshot that is being installed takes the log that it stands for with it.
        if self.guards && log_id.index >= self.database.snapshot_before() {
            self.installing = Some(before(Some(log_id)));
            return Ok(());
        }
        let work = move |it: &Database| it.write(|transaction| drop_log(transaction, &log_id));
        self.write(ErrorSubject::Log(log_id), work).await
    }
}

/// Drops the log up to an entry, and says so in the file.
pub(super) fn drop_log(transaction: &WriteTransaction, up_to: &LogId<NodeId>) -> Result<(), Fault> {
    let mut log = transaction.open_table(LOG)?;
    log.retain_in(..=up_to.index, |_, _| false)?;
    put(transaction, PURGED, up_to)
}

fn append(database: &Database, entries: &[Entry<TypeConfig>], guards: bool) -> Result<(), Fault> {
    let mut bytes = 0;
    database.write(|transaction| {
        let mut log = transaction.open_table(LOG)?;
        let mut expected = next(transaction, &log)?;
        for entry in entries {
            let index = entry.log_id.index;
            if guards && index != expected {
                let found = index;
                return Err(Fault::Gap { expected, found });
            }
            expected = index.saturating_add(1);
            let record = seal(&index.to_le_bytes(), &serde_json::to_vec(entry)?);
            log.insert(index, record.as_slice())?;
            bytes += record.len();
        }
        Ok(())
    })?;
    database.logged(u64::try_from(bytes).unwrap_or(u64::MAX));
    Ok(())
}

/// The index of the entry that has to follow.
fn next(
    transaction: &WriteTransaction,
    log: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<u64, Fault> {
    if let Some((last, _)) = log.last()? {
        return Ok(last.value().saturating_add(1));
    }
    Ok(before(get(transaction, PURGED)?))
}

fn log_state(database: &Database) -> Result<LogState<TypeConfig>, Fault> {
    let last_purged_log_id = database.read(PURGED)?;
    let last = database.read_log(|log| {
        let Some((index, record)) = log.last()? else {
            return Ok(None);
        };
        Ok(Some(entry(index.value(), record.value())?.log_id))
    })?;
    Ok(LogState {
        last_purged_log_id,
        last_log_id: last.or(last_purged_log_id),
    })
}

/// The entries of a range, as many as come to `most` bytes, but at least one.
pub(super) fn entries(
    database: &Database,
    range: impl RangeBounds<u64>,
    most: usize,
) -> Result<Vec<Entry<TypeConfig>>, Fault> {
    database.read_log(|log| {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for found in log.range(range)? {
            let (index, record) = found?;
            entries.push(entry(index.value(), record.value())?);
            bytes += record.value().len();
            if bytes >= most {
                break;
            }
        }
        Ok(entries)
    })
}

fn entry(index: u64, record: &[u8]) -> Result<Entry<TypeConfig>, Fault> {
    let content = unseal("log", &index.to_le_bytes(), record)?;
    Ok(serde_json::from_slice(content)?)
}
