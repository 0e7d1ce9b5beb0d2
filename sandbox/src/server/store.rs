//! A data server's disk: a journal of changes, one line each, synced before anything is told.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::replica::{Changes, DurableServer};

/// Where the journal is written anew as what is left of it, at the earliest. Bytes.
const REWRITE_AT: u64 = 8 << 20;

/// A data directory that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A line before the last one can't be read.
    #[error("{path}: line {line} is damaged ({source}); remove the data directory to start empty", path = path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file system says no.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The disk of one data server; without a directory it keeps nothing.
#[derive(Debug)]
pub(super) struct Store {
    journal: Option<Journal>,
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
    len: u64,
    rewrite_at: u64,
}

impl Store {
    /// Opens the journal in `directory`, and reads what an earlier process left.
    pub(super) fn open(directory: Option<&Path>) -> Result<(Self, DurableServer), StoreError> {
        let Some(directory) = directory else {
            return Ok((Self { journal: None }, DurableServer::default()));
        };
        fs::create_dir_all(directory).map_err(at(directory))?;
        let path = directory.join("journal");
        let disk = read(&path)?;
        let journal = Journal::rewrite(path, &disk)?;
        Ok((
            Self {
                journal: Some(journal),
            },
            disk,
        ))
    }

    /// Makes `changes` durable.
    pub(super) fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        journal.append(changes)
    }

    /// Writes the journal anew, if it has grown much.
    pub(super) fn tidy(&mut self, disk: impl FnOnce() -> DurableServer) -> Result<(), StoreError> {
        if let Some(journal) = &mut self.journal
            && journal.len > journal.rewrite_at
        {
            *journal = Journal::rewrite(journal.path.clone(), &disk())?;
        }
        Ok(())
    }
}

impl Journal {
    fn rewrite(path: PathBuf, disk: &DurableServer) -> Result<Self, StoreError> {
        let all = Changes {
            instance_id: disk.instance_id.clone(),
            shards: disk
                .shards
                .iter()
                .map(|(id, shard)| (*id, Some(shard.clone())))
                .collect(),
        };
        let new = path.with_extension("new");
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&new)
            .map_err(at(&new))?;
        let mut journal = Self {
            path: path.clone(),
            file,
            len: 0,
            rewrite_at: REWRITE_AT,
        };
        journal.append(&all)?;
        journal.rewrite_at = REWRITE_AT.max(journal.len.saturating_mul(4));
        fs::rename(&new, &path).map_err(at(&path))?;
        if let Some(directory) = path.parent() {
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(at(directory))?;
        }
        Ok(journal)
    }

    fn append(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(changes).map_err(|error| StoreError::Io {
            path: self.path.clone(),
            source: error.into(),
        })?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .and_then(|()| self.file.sync_data())
            .map_err(at(&self.path))?;
        let written = u64::try_from(line.len()).unwrap_or(u64::MAX);
        self.len = self.len.saturating_add(written);
        Ok(())
    }
}

fn read(path: &Path) -> Result<DurableServer, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(at(path)(error)),
    };
    let mut disk = DurableServer::default();
    for (line, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // What comes after the last line feed was cut off by a crash, and told to nobody.
        if text.last() != Some(&b'\n') {
            break;
        }
        let changes: Changes =
            serde_json::from_slice(text).map_err(|source| StoreError::Damaged {
                path: path.to_owned(),
                line: line.saturating_add(1),
                source,
            })?;
        disk.apply(changes);
    }
    Ok(disk)
}

fn at(path: &Path) -> impl Fn(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stepdown_core::{ShardId, Term};

    use super::*;
    use crate::replica::{DurableShard, Log};

    fn changes(shard: i64, term: i64) -> Changes {
        let mut log = Log::default();
        log.append(Term(term), 3);
        let shard = (
            ShardId(shard),
            Some(DurableShard {
                namespace: "default".into(),
                term: Term(term),
                log,
                first: 0,
                commit_offset: 1,
                flushed: 1,
            }),
        );
        Changes {
            instance_id: None,
            shards: BTreeMap::from([shard]),
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, empty) = Store::open(Some(directory.path())).unwrap();
        assert_eq!(empty, DurableServer::default());
        let mut expected = DurableServer::default();
        for (shard, term) in [(1, 1), (2, 1), (1, 2)] {
            store.write(&changes(shard, term)).unwrap();
            expected.apply(changes(shard, term));
        }
        let deletion = Changes {
            instance_id: Some("id".into()),
            shards: BTreeMap::from([(ShardId(2), None)]),
        };
        store.write(&deletion).unwrap();
        expected.apply(deletion);
        for _ in 0..2 {
            let (_, disk) = Store::open(Some(directory.path())).unwrap();
            assert_eq!(disk, expected);
        }
    }

    #[test]
    fn a_line_cut_off_by_a_crash_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(Some(directory.path())).unwrap();
        store.write(&changes(1, 1)).unwrap();
        let path = directory.path().join("journal");
        let whole = fs::read(&path).unwrap();
        store.write(&changes(1, 2)).unwrap();
        let after = fs::read(&path).unwrap();
        for len in whole.len()..after.len() {
            fs::write(&path, &after[..len]).unwrap();
            let disk = read(&path).unwrap();
            assert_eq!(disk.shards[&ShardId(1)].term, Term(1));
        }
    }

    #[test]
    fn a_damaged_line_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        fs::write(&path, "{\"shards\":{}}\n{nonsense\n").unwrap();
        let error = Store::open(Some(directory.path())).unwrap_err().to_string();
        assert!(error.contains("journal: line"), "{error}");
    }

    #[test]
    fn a_grown_journal_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, mut disk) = Store::open(Some(directory.path())).unwrap();
        store.journal.as_mut().unwrap().rewrite_at = 2000;
        for term in 0..100 {
            store.write(&changes(1, term)).unwrap();
            disk.apply(changes(1, term));
            store.tidy(|| disk.clone()).unwrap();
        }
        let len = fs::metadata(directory.path().join("journal"))
            .unwrap()
            .len();
        assert!(len < 16_000, "{len}");
        assert_eq!(Store::open(Some(directory.path())).unwrap().1, disk);
    }
}
