//! The documents of a node that does not run, from its directory: where no majority is left to ask,
//! or where nothing may be stored any more after what is taken.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stepdown_wire::raft::ExportResponse;
use tokio::task::spawn_blocking;

use super::documents::exported;
use crate::raft::storage::{Cause, Copy, Database, Directory, Fault, OpenError, held_with_log};

/// Why the documents of a node that does not run can't be read.
#[derive(Debug, thiserror::Error)]
pub enum StoppedError {
    /// There is none.
    #[error("{}: no node has ever run on this directory", .0.display())]
    Absent(PathBuf),
    /// It is some other program's, or its beginning is gone.
    #[error("{0} does not begin as a node's file does; {OTHERS}")]
    Foreign(String),
    /// What it holds can't be used.
    #[error("{file}: {fault}{}", remedy(.fault))]
    Fault {
        /// The file.
        file: String,
        /// What is wrong.
        fault: Box<Fault>,
    },
    /// A node runs there.
    #[error("{}: a node runs on this directory: end it first, or ask it with --raft-address", .0.display())]
    InUse(PathBuf),
    /// A later release has written it.
    #[error("{0} was written by a newer release: use that")]
    Newer(String),
    /// The system does not let us.
    #[error("{}: can't be read: {error}; look at the disk, and whether this program may read there", .path.display())]
    Unreadable {
        /// The file, or the directory.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
}

const OTHERS: &str = "take the documents of another node, or those that were exported last";

fn remedy(fault: &Fault) -> String {
    let remedy = match fault.cause() {
        Cause::Disk | Cause::Process => "run this again",
        Cause::Itself => return String::new(),
        Cause::Records | Cause::Sender => OTHERS,
        Cause::Release => "the file is whole: use the release that has written it",
    };
    format!("; {remedy}")
}

impl From<OpenError> for StoppedError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Damaged { file, fault } | OpenError::Failed { file, fault } => {
                Self::Fault { file, fault }
            }
            OpenError::Directory { path, error } => Self::Unreadable { path, error },
            OpenError::Foreign(file) => Self::Foreign(file),
            OpenError::InUse(path) => Self::InUse(path),
            OpenError::Newer(file) => Self::Newer(file),
            OpenError::Unreadable { file, error } => Self::Unreadable {
                path: file.into(),
                error,
            },
        }
    }
}

/// Both documents as of the last entry in the node's log, which need not be known to be committed:
/// whatever was acknowledged, and has reached this node, is in it. The directory is left as it is: its
/// disk may be full, or take nothing in any more.
pub async fn export_stopped(directory: &Path) -> Result<ExportResponse, StoppedError> {
    let path = directory.to_path_buf();
    let read = spawn_blocking(move || read(path)).await;
    read.unwrap_or_else(|error| {
        Err(StoppedError::Fault {
            file: directory.display().to_string(),
            fault: Box::new(error.into()),
        })
    })
}

fn read(path: PathBuf) -> Result<ExportResponse, StoppedError> {
    match Directory::has_file(&path) {
        Ok(true) => {}
        Ok(false) => return Err(StoppedError::Absent(path)),
        Err(error) => return Err(StoppedError::Unreadable { path, error }),
    }
    let database = Database::open(Arc::new(Copy::lock(&path)?))?;
    let held = held_with_log(&database).map_err(|fault| database.refuse(fault))?;
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

    /// The files, and which ones they are, as another in the same place is another.
    fn contents(directory: &Path) -> BTreeMap<PathBuf, (u64, Vec<u8>)> {
        let files = directory.read_dir().unwrap().map(|it| it.unwrap().path());
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

    #[tokio::test]
    async fn a_directory_that_can_t_be_looked_into_is_not_said_to_be_empty() {
        let directory = tempfile::tempdir().unwrap();
        let round = directory.path().join("round");
        std::os::unix::fs::symlink(&round, &round).unwrap();
        let error = export_stopped(&round).await.unwrap_err();
        assert!(matches!(error, StoppedError::Unreadable { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_of_no_use_is_not_said_to_be_of_a_node_that_is_to_go_on() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("raft.redb"), b"notes").unwrap();
        let error = export_stopped(directory.path()).await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains("the documents of another node"), "{error}");
        assert!(!error.contains("start the node"), "{error}");
        assert!(!error.contains("another directory"), "{error}");
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
        // As one finds it that was killed just now.
        let killed = tempfile::tempdir().unwrap();
        std::fs::copy(
            node.directory().join("raft.redb"),
            killed.path().join("raft.redb"),
        )
        .unwrap();
        let told = error.to_string();
        assert!(told.contains("end it first"), "{told}");
        node.stop().await;
        // Its tasks let go of the directory a little later.
        let free = timeout(LIMIT, async {
            loop {
                match export_stopped(node.directory()).await {
                    Err(StoppedError::InUse(_)) => sleep(SHORT).await,
                    exported => return exported.unwrap(),
                }
            }
        });
        free.await.unwrap();
        let with_lock = contents(node.directory());
        exported_unchanged(node.directory()).await;
        std::fs::remove_file(node.directory().join("raft.lock")).unwrap();
        exported_unchanged(node.directory()).await;
        assert_eq!(contents(node.directory()).len() + 1, with_lock.len());

        let file = std::fs::read(killed.path().join("raft.redb")).unwrap();
        assert_ne!(file[GOD_BYTE] & RECOVERY_REQUIRED, 0, "it was closed");
        exported_unchanged(killed.path()).await;
    }

    /// Where redb says whether a file was closed, after what each of them begins with.
    const GOD_BYTE: usize = 9;
    const RECOVERY_REQUIRED: u8 = 2;

    async fn exported_unchanged(directory: &Path) {
        let before = contents(directory);
        let exported = export_stopped(directory).await.unwrap();
        assert!(contents(directory) == before, "it was written to");
        let version = exported.status.unwrap().version.unwrap();
        assert_eq!((version.version, version.shards), (2, 3));
        let last = exported.last.unwrap();
        assert!(
            (last.term, last.node) == (1, 1) && last.index > 2,
            "{last:?}"
        );
    }
}
