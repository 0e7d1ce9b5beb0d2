//! Raft's own suite for what keeps its log and its machine.

use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::Arc;

use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{
    CommittedLeaderId, Entry, EntryPayload, LogId, RaftSnapshotBuilder, Snapshot, StorageError,
};
use tempfile::TempDir;

use super::super::command::Command;
use super::super::types::{NodeId, TypeConfig};
use super::{Database, Directory, Fault, LogStore, OpenError, StateStore, held_with_log};

struct OnDisk;

impl StoreBuilder<TypeConfig, LogStore, StateStore, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, LogStore, StateStore), StorageError<NodeId>> {
        let directory = TempDir::new().unwrap();
        let medium = Directory::lock(directory.path()).unwrap();
        let database = Arc::new(Database::open(Arc::new(medium)).unwrap());
        let state = StateStore::unguarded(database.clone()).unwrap();
        Ok((directory, LogStore::unguarded(database), state))
    }
}

#[test]
fn the_storage_does_all_that_raft_asks_of_one() {
    Suite::test_all(OnDisk).unwrap();
}

fn open(directory: &TempDir) -> Result<Database, OpenError> {
    Database::open(Arc::new(Directory::lock(directory.path())?))
}

#[tokio::test]
async fn an_entry_that_does_not_follow_the_last_one_is_not_taken_in() {
    let (_directory, mut log, mut state) = holding(3).await;
    let empty = TempDir::new().unwrap();
    let mut new = LogStore::new(Arc::new(open(&empty).unwrap()));
    let too_far = [blank(4)];
    let not_consecutive = [blank(3), blank(5)];
    for entries in [&too_far[..], &not_consecutive] {
        let error = log.blocking_append(entries.to_vec()).await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains("an older copy"), "{error}");
        assert!(error.contains("add the node again"), "{error}");
    }
    let last = async |log: &mut LogStore| log.get_log_state().await.unwrap().last_log_id;
    assert_eq!(last(&mut log).await, Some(blank(2).log_id));
    assert!(new.blocking_append([blank(1)]).await.is_err());
    let error = state.apply([blank(4)]).await.unwrap_err().to_string();
    assert!(error.contains("an older copy"), "{error}");

    // What was cut off is replaced, what was dropped is gone on from.
    log.blocking_append([blank(3), blank(4)]).await.unwrap();
    log.truncate(blank(3).log_id).await.unwrap();
    log.blocking_append([blank(3)]).await.unwrap();
    log.truncate(blank(3).log_id).await.unwrap();
    built(&mut state).await;
    log.purge(blank(2).log_id).await.unwrap();
    assert!(log.blocking_append([blank(4)]).await.is_err());
    log.blocking_append([blank(3)]).await.unwrap();
    assert_eq!(last(&mut log).await, Some(blank(3).log_id));
}

#[tokio::test]
async fn the_documents_of_a_log_with_a_gap_are_not_told_as_of_its_end() {
    let directory = TempDir::new().unwrap();
    let database = Arc::new(open(&directory).unwrap());
    let mut log = LogStore::unguarded(database.clone());
    log.blocking_append([blank(0), blank(2)]).await.unwrap();
    let fault = held_with_log(&database).unwrap_err();
    assert!(
        matches!(
            fault,
            Fault::Gap {
                expected: 1,
                found: 2
            }
        ),
        "{fault}"
    );
}

#[tokio::test]
async fn a_snapshot_that_takes_back_what_is_stored_is_refused() {
    let configured = |index, expected| Entry::<TypeConfig> {
        log_id: blank(index).log_id,
        payload: EntryPayload::Normal(Command::Configure {
            expected,
            text: Some("text".into()),
        }),
    };
    let (_other, _, mut leader) = holding(20).await;
    leader.apply([configured(20, 0)]).await.unwrap();
    let snapshot = built(&mut leader).await;
    let (_directory, mut log, mut state) = holding(4).await;
    let more = [configured(4, 0), configured(5, 1)];
    log.blocking_append(more.clone()).await.unwrap();
    state.apply(more).await.unwrap();
    let installed = state.install_snapshot(&snapshot.meta, snapshot.snapshot);
    let error = installed.await.unwrap_err().to_string();
    assert!(error.contains("an old copy of its directory"), "{error}");
    let present = log.get_log_state().await.unwrap();
    assert_eq!(
        (present.last_purged_log_id, present.last_log_id),
        (None, Some(blank(5).log_id))
    );
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
fn the_files_of_a_directory_are_private_and_none_of_them_is_a_link() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    drop(open(&directory).unwrap());
    for name in ["raft.redb", "raft.lock"] {
        let mode = std::fs::metadata(at(name)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    std::fs::write(at("theirs"), "notes").unwrap();
    std::fs::remove_file(at("raft.redb")).unwrap();
    for name in ["raft.redb", "raft.redb.new", "raft.lock"] {
        let _ = std::fs::remove_file(at(name));
        symlink("theirs", at(name)).unwrap();
        let error = open(&directory).err().unwrap();
        assert!(
            error.to_string().contains("symbolic link"),
            "{name}: {error}"
        );
        std::fs::remove_file(at(name)).unwrap();
    }
    assert_eq!(std::fs::read(at("theirs")).unwrap(), b"notes");
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

fn blank(index: u64) -> Entry<TypeConfig> {
    Entry {
        log_id: LogId::new(CommittedLeaderId::new(1, 1), index),
        payload: EntryPayload::Blank,
    }
}

/// A log and a machine, in a file of their own, that have so many entries.
async fn holding(entries: u64) -> (TempDir, LogStore, StateStore) {
    let directory = TempDir::new().unwrap();
    let database = Arc::new(open(&directory).unwrap());
    let mut state = StateStore::new(database.clone()).unwrap();
    let mut log = LogStore::new(database);
    log.blocking_append((0..entries).map(blank)).await.unwrap();
    state.apply((0..entries).map(blank)).await.unwrap();
    (directory, log, state)
}

async fn built(state: &mut StateStore) -> Snapshot<TypeConfig> {
    let mut builder = state.get_snapshot_builder().await;
    builder.build_snapshot().await.unwrap()
}

#[tokio::test]
async fn the_log_is_dropped_with_the_snapshot_that_stands_for_it_and_not_before() {
    let (_other, _, mut leader) = holding(20).await;
    let snapshot = built(&mut leader).await;
    let (_directory, mut log, mut state) = holding(4).await;
    let last = snapshot.meta.last_log_id.unwrap();
    // Raft drops the log while the snapshot is on its way to the disk.
    log.purge(last).await.unwrap();
    let before = log.get_log_state().await.unwrap();
    assert_eq!(
        (before.last_purged_log_id, before.last_log_id),
        (None, Some(blank(3).log_id))
    );
    state
        .install_snapshot(&snapshot.meta, snapshot.snapshot)
        .await
        .unwrap();
    let after = log.get_log_state().await.unwrap();
    assert_eq!(
        (after.last_purged_log_id, after.last_log_id),
        (Some(last), Some(last))
    );
    log.purge(last).await.unwrap();
}

/// Another leader may go on from a snapshot that the last one has sent.
#[tokio::test]
async fn entries_after_a_snapshot_that_is_being_installed_wait_for_it() {
    let (_other, _, mut leader) = holding(20).await;
    let snapshot = built(&mut leader).await;
    let last = snapshot.meta.last_log_id.unwrap();

    let (_directory, mut log, mut state) = holding(4).await;
    log.purge(last).await.unwrap();
    let (appended, installed) = tokio::join!(
        log.blocking_append([blank(20)]),
        state.install_snapshot(&snapshot.meta, Box::default())
    );
    assert!(installed.is_err());
    let error = appended.unwrap_err().to_string();
    assert!(error.contains("could not be kept"), "{error}");
    let present = log.get_log_state().await.unwrap();
    assert_eq!(present.last_log_id, Some(blank(3).log_id));

    let (_directory, mut log, mut state) = holding(4).await;
    log.purge(last).await.unwrap();
    let (appended, installed) = tokio::join!(
        log.blocking_append([blank(20)]),
        state.install_snapshot(&snapshot.meta, snapshot.snapshot)
    );
    installed.unwrap();
    appended.unwrap();
    let present = log.get_log_state().await.unwrap();
    assert_eq!(
        (present.last_purged_log_id, present.last_log_id),
        (Some(last), Some(blank(20).log_id))
    );
}

#[tokio::test]
async fn a_snapshot_that_took_long_to_build_does_not_take_the_place_of_a_later_one() {
    let (_other, _, mut leader) = holding(20).await;
    let snapshot = built(&mut leader).await;
    let (_directory, _, mut state) = holding(4).await;
    let mut late = state.get_snapshot_builder().await;
    state
        .install_snapshot(&snapshot.meta, snapshot.snapshot)
        .await
        .unwrap();
    late.build_snapshot().await.unwrap();
    let present = state.get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(present.meta.last_log_id, Some(blank(19).log_id));
}

#[tokio::test]
async fn a_snapshot_that_can_t_be_read_is_its_sender_s_and_this_node_s_file_is_as_it_was() {
    let (_directory, mut log, mut state) = holding(4).await;
    let meta = built(&mut state).await.meta;
    let of_another_release = br#"{"what": "nobody knows"}"#;
    let sum = xxhash_rust::xxh3::xxh3_128(of_another_release).to_le_bytes();
    let whole = [&sum[..], of_another_release].concat();
    let cut = whole[..20].to_vec();
    for bytes in [whole, cut] {
        let received = Box::new(std::io::Cursor::new(bytes));
        let installed = state.install_snapshot(&meta, received).await;
        let error = installed.unwrap_err().to_string();
        assert!(error.contains("another node has sent"), "{error}");
        assert!(!error.contains("away"), "{error}");
    }
    let last = log.get_log_state().await.unwrap().last_log_id;
    assert_eq!(last, Some(blank(3).log_id));
}
