//! What can be wrong with a node's disk.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use openraft::{AnyError, ErrorSubject, ErrorVerb, StorageError, StorageIOError};

use super::super::machine::Diverged;
use super::super::types::NodeId;

/// Why a node's file can't be opened. Each names it, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was opened, and what is in it is not what was written.
    #[error("{file} is damaged: {fault}; {}", advice(.file))]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong.
        fault: Box<Fault>,
    },
    /// The directory can't be made or locked.
    #[error("{}: {error}; a node needs a directory of its own that it may write to", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// It is some other program's.
    #[error("{0} was not written by this program: give another directory, or move it away")]
    Foreign(String),
    /// Another process has locked the directory.
    #[error("{}: another process uses this directory; each node needs its own", .0.display())]
    InUse(PathBuf),
    /// A later release has written it.
    #[error("{0} was written by a newer release: use that")]
    Newer(String),
    /// The disk does not let us.
    #[error("{file}: {error}{}", room(error))]
    Unreadable {
        /// The file.
        file: String,
        /// What is wrong.
        error: io::Error,
    },
}

fn advice(file: &str) -> String {
    format!(
        "where others vote beside it, take the node out of the cluster, move {file} away, and add the \
         node again: they have all that it had; one that is alone has the only copy: keep the file, \
         and import what was exported last into a new cluster"
    )
}

fn room(error: &io::Error) -> &'static str {
    let is_full = matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    );
    if is_full {
        "; a node that starts needs room for this file once more"
    } else {
        ""
    }
}

/// Why a disk did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A record is not what was written.
    #[error("the {0} is damaged")]
    Damaged(&'static str),
    /// This replica is not like the others.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// A record can't be read or written as text.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The leader has something else where the machine has taken in an entry already.
    #[error(
        "entry {index} was committed here, and the leader has another in its place: a node was \
         started on an old copy of its directory; export the documents of every node before you \
         go on"
    )]
    Overruled {
        /// The first such entry.
        index: u64,
    },
    /// The database says no.
    #[error(transparent)]
    Redb(#[from] redb::Error),
    /// The thread that worked on it is gone.
    #[error(transparent)]
    Thread(#[from] tokio::task::JoinError),
}

macro_rules! through_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::Redb(error.into())
            }
        })*
    };
}

through_redb!(
    CommitError,
    DatabaseError,
    SetDurabilityError,
    StorageError,
    TableError,
    TransactionError
);

impl Fault {
    /// As Raft is told of it: it ends the node.
    pub(super) fn at(self, subject: ErrorSubject<NodeId>, verb: ErrorVerb) -> StorageError<NodeId> {
        StorageIOError::new(subject, verb, AnyError::error(&self)).into()
    }
}
