//! The documents of a node that does not run, from its directory: where no majority is left to ask,
//! or where nothing may be stored any more after what is taken.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openraft::storage::RaftStateMachine;
use openraft::{LogIdOptionExt, RaftLogReader, StorageError};
use stepdown_wire::raft::ExportResponse;
use tokio::task::spawn_blocking;

use super::documents::exported;
use crate::raft::storage::{Copy, Database, Directory, Fault, LogStore, OpenError, StateStore};
use crate::raft::types::NodeId;

/// Why the documents of a node that does not run can't be read.
#[derive(Debug, thiserror::Error)]
pub enum StoppedError {
    /// There is none.
    #[error("{}: no node has ever run on this directory", .0.display())]
    Absent(PathBuf),
    /// What it holds can't be read.
    #[error(transparent)]
    Disk(#[from] Fault),
    /// Its file can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its log can't be read.
    #[error(transparent)]
    Log(#[from] Box<StorageError<NodeId>>),
}

/// Both documents as of the last entry in the node's log, which need not be known to be committed:
/// whatever was acknowledged, and has reached this node, is in it. The directory is left as it is: its
/// disk may be full, or take nothing in any more.
pub async fn export_stopped(directory: &Path) -> Result<ExportResponse, StoppedError> {
    if !Directory::has_file(directory) {
        return Err(StoppedError::Absent(directory.to_path_buf()));
    }
    let path = directory.to_path_buf();
    let open = move || Database::open(Arc::new(Copy::lock(&path)?));
    let database = Arc::new(spawn_blocking(open).await.map_err(Fault::from)??);
    let mut state = StateStore::new(database.clone())?;
    let next = state
        .applied_state()
        .await
        .map_err(Box::new)?
        .0
        .next_index();
    let entries = LogStore::new(database).try_get_log_entries(next..).await;
    state
        .apply(entries.map_err(Box::new)?)
        .await
        .map_err(Box::new)?;
    let held = state.watch().borrow().clone();
    Ok(exported(&held))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::MetadataExt;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::raft::admin::tests::support::{LIMIT, Served, leader};
    use crate::raft::command::Command;
    use crate::raft::fixtures::{alone, status};

    /// The files but the lock, and which ones they are, as another in the same place is another.
    fn contents(directory: &Path) -> BTreeMap<PathBuf, (u64, Vec<u8>)> {
        let files = directory.read_dir().unwrap().map(|it| it.unwrap().path());
        let files = files.filter(|it| !it.ends_with("raft.lock"));
        let content = |it: PathBuf| {
            let number = it.metadata().unwrap().ino();
            (it.clone(), (number, std::fs::read(&it).unwrap()))
        };
        files.map(content).collect()
    }

    const SHORT: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn a_directory_that_no_node_has_run_on_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let error = export_stopped(directory.path()).await.unwrap_err();
        assert!(matches!(error, StoppedError::Absent(_)), "{error}");
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stopped_node_has_all_that_was_stored_and_one_that_runs_is_not_touched() {
        let _alone = alone().await;
        let mut node = Served::start("a", 1).await;
        let members = BTreeMap::from([(1, node.member.clone())]);
        node.node.form(members).await.unwrap();
        leader(std::slice::from_ref(&node)).await;
        for (expected, shards) in [(None, 1), (Some(1), 3)] {
            let status = Arc::new(status(shards));
            let adopted = node.node.write(Command::Adopt { expected, status }).await;
            adopted.unwrap();
            // The second one is in the log alone.
            node.node.raft().trigger().snapshot().await.unwrap();
        }
        let error = export_stopped(node.directory()).await.unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        node.stop().await;
        // Its tasks let go of the directory a little later.
        let free = timeout(LIMIT, async {
            loop {
                match export_stopped(node.directory()).await {
                    Err(StoppedError::Open(OpenError::InUse(_))) => sleep(SHORT).await,
                    exported => return exported.unwrap(),
                }
            }
        });
        free.await.unwrap();
        let before = contents(node.directory());
        std::fs::remove_file(node.directory().join("raft.lock")).unwrap();
        let exported = export_stopped(node.directory()).await.unwrap();
        assert!(contents(node.directory()) == before, "it was written to");
        let version = exported.status.unwrap().version.unwrap();
        assert_eq!((version.version, version.shards), (2, 3));
        let last = exported.last.unwrap();
        assert!(
            (last.term, last.node) == (1, 1) && last.index > 2,
            "{last:?}"
        );
    }
}
