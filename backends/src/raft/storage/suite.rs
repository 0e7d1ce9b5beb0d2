//! Raft's own suite for what keeps its log and its machine.

use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::super::types::{NodeId, TypeConfig};
use super::{Database, Directory, LogStore, OpenError, StateStore};

struct OnDisk;

impl StoreBuilder<TypeConfig, LogStore, StateStore, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, LogStore, StateStore), StorageError<NodeId>> {
        let directory = TempDir::new().unwrap();
        let medium = Directory::lock(directory.path()).unwrap();
        let database = Arc::new(Database::open(Arc::new(medium)).unwrap());
        let state = StateStore::new(database.clone()).unwrap();
        Ok((directory, LogStore::new(database), state))
    }
}

#[test]
fn the_storage_does_all_that_raft_asks_of_one() {
    Suite::test_all(OnDisk).unwrap();
}

fn open(directory: &TempDir) -> Result<Database, OpenError> {
    Database::open(Arc::new(Directory::lock(directory.path())?))
}

#[test]
fn a_directory_in_use_is_refused() {
    let directory = TempDir::new().unwrap();
    let database = open(&directory).unwrap();
    assert!(matches!(open(&directory), Err(OpenError::InUse(_))));
    drop(database);
    open(&directory).unwrap();
}

#[test]
fn a_file_that_is_not_ours_is_never_an_empty_cluster() {
    for content in [&b""[..], b"r", b"somebody's notes, and more of them"] {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("raft.redb"), content).unwrap();
        let error = open(&directory).err().unwrap();
        assert!(matches!(error, OpenError::Foreign(_)), "{error}");
        assert!(error.to_string().contains("raft.redb"), "{error}");
    }
    let directory = TempDir::new().unwrap();
    drop(redb::Database::create(directory.path().join("raft.redb")).unwrap());
    let error = open(&directory).err().unwrap();
    assert!(matches!(error, OpenError::Foreign(_)), "{error}");
}
