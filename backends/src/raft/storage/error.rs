//! What can be wrong with a node's disk.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use openraft::{AnyError, ErrorSubject, ErrorVerb, StorageError, StorageIOError};

use super::super::machine::Diverged;
use super::super::overruled::Overruled;
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
    /// Neither the disk nor what is on it need be at fault.
    #[error("{file}: {fault}{}", .fault.remedy(.file))]
    Failed {
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
    #[error(
        "{file} does not begin as a node's file does: where another program has written it, give the node \
         another directory; where a node has, it is damaged: {advice}",
        file = .0,
        advice = advice(.0)
    )]
    Foreign(String),
    /// Another process has locked the directory.
    #[error("{}: another process uses this directory; each node needs its own", .0.display())]
    InUse(PathBuf),
    /// A later release has written it.
    #[error("{0} was written by a newer release: use that")]
    Newer(String),
    /// The disk does not let us.
    #[error("{file}: {error}; {}", room(error))]
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
        "make room: a node that starts needs it for this file once more"
    } else {
        DISK
    }
}

const DISK: &str = "look at the disk, and whether this program may write there, and start the node again; \
                    where the disk is gone for good, take the node out of the cluster, and add it again \
                    with an empty directory";

/// A fault of a file that was in use, for people.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {fault}{}", .fault.remedy(.file))]
struct Failed {
    file: String,
    fault: Fault,
}

/// Why a disk did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// What is in memory is not what was put there.
    #[error("the {0} has changed in memory by itself")]
    Altered(&'static str),
    /// A record is not what was written.
    #[error("the {0} is damaged")]
    Damaged(&'static str),
    /// This replica is not like the others.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// An entry does not follow the one before it.
    #[error(
        "entry {found} was to follow in the log, where entry {expected} has to: it looks like an older copy \
         of what this node had"
    )]
    Gap {
        /// The entry that has to follow.
        expected: u64,
        /// The one that was to.
        found: u64,
    },
    /// A record can't be read or written as text.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The leader takes back what is stored here.
    #[error(transparent)]
    Overruled(#[from] Overruled),
    /// What another node has sent is not to be used.
    #[error("a snapshot that another node has sent can't be used: {0}")]
    Received(Box<Fault>),
    /// The database says no.
    #[error(transparent)]
    Redb(#[from] redb::Error),
    /// The thread that worked on it is gone.
    #[error(transparent)]
    Thread(#[from] tokio::task::JoinError),
    /// Entries follow a snapshot that could not be kept.
    #[error("the snapshot before entry {0} could not be kept")]
    Unkept(u64),
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

/// Where a fault comes from, by which it is known what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The disk does not let us.
    Disk,
    /// The fault tells itself.
    Itself,
    /// This process: nothing need be wrong with the file.
    Process,
    /// What was written is not what is read.
    Records,
    /// Another release has written it.
    Release,
    /// Another node has sent it.
    Sender,
}

impl Fault {
    /// Where it comes from.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Altered(_) | Self::Thread(_) | Self::Unkept(_) => Cause::Process,
            Self::Damaged(_) | Self::Gap { .. } => Cause::Records,
            Self::Diverged(_) | Self::Overruled(_) => Cause::Itself,
            // Its checksum is right.
            Self::Json(_) => Cause::Release,
            Self::Received(_) => Cause::Sender,
            Self::Redb(error) => cause(error),
        }
    }

    /// What to do about it where a node runs on this file; nothing where it says so itself.
    fn remedy(&self, file: &str) -> String {
        let remedy = match self.cause() {
            Cause::Disk if let Self::Redb(redb::Error::Io(error)) = self => room(error),
            Cause::Disk => DISK,
            Cause::Itself => return String::new(),
            Cause::Process => "start the node again",
            Cause::Records => return format!("; {}", advice(file)),
            Cause::Release => "the file is whole: use the release that has written it",
            Cause::Sender => {
                "this node's file is as it was: use the release that the leader is of, and start \
                 the node again"
            }
        };
        format!("; {remedy}")
    }

    /// As Raft is told of it, of this file: it ends the node, and people read it.
    pub(super) fn at(
        self,
        file: String,
        subject: ErrorSubject<NodeId>,
        verb: ErrorVerb,
    ) -> StorageError<NodeId> {
        let failed = Failed { file, fault: self };
        StorageIOError::new(subject, verb, AnyError::error(&failed)).into()
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else the database comes to say is not of the file"
)]
fn cause(error: &redb::Error) -> Cause {
    use redb::Error;
    match error {
        Error::Io(error) if error.kind() != ErrorKind::InvalidData => Cause::Disk,
        Error::PreviousIo => Cause::Disk,
        Error::Corrupted(_)
        | Error::Io(_)
        | Error::TableDoesNotExist(_)
        | Error::TableIsMultimap(_)
        | Error::TableIsNotMultimap(_)
        | Error::TableTypeMismatch { .. }
        | Error::TypeDefinitionChanged { .. } => Cause::Records,
        Error::UpgradeRequired(_) => Cause::Release,
        // A poisoned lock, among others.
        _ => Cause::Process,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fault: Fault) -> String {
        let file = "/data/raft.redb".to_owned();
        fault
            .at(file, ErrorSubject::Logs, ErrorVerb::Write)
            .to_string()
    }

    fn io(kind: ErrorKind) -> Fault {
        redb::Error::Io(kind.into()).into()
    }

    #[test]
    fn a_fault_while_running_names_the_file_and_what_to_do() {
        for (fault, what) in [
            (io(ErrorKind::StorageFull), "make room"),
            (io(ErrorKind::Other), "look at the disk"),
            (redb::Error::PreviousIo.into(), "look at the disk"),
            (Fault::Damaged("log"), "move /data/raft.redb away"),
            (
                Fault::Gap {
                    expected: 7,
                    found: 9,
                },
                "add the node again",
            ),
            (Overruled::Entry(7).into(), "export the documents"),
        ] {
            let told = told(fault);
            assert!(told.contains("/data/raft.redb: "), "{told}");
            assert!(told.contains(what), "{told}");
            assert!(!told.contains("; )") && !told.ends_with("; "), "{told}");
        }
    }

    #[test]
    fn only_a_file_that_is_damaged_is_said_to_be_put_away() {
        let json = || Fault::from(serde_json::from_str::<u64>("[").unwrap_err());
        let at = std::panic::Location::caller();
        for (fault, what) in [
            (Fault::Altered("status"), "start the node again"),
            (redb::Error::LockPoisoned(at).into(), "start the node again"),
            (
                redb::Error::TransactionPoisoned.into(),
                "start the node again",
            ),
            (json(), "use the release that has written it"),
            (Fault::Received(json().into()), "the leader is of"),
            (
                Fault::Received(Fault::Damaged("snapshot").into()),
                "this node's file is as it was",
            ),
        ] {
            let told = told(fault);
            assert!(told.contains(what) && !told.contains("away"), "{told}");
        }
    }

    #[test]
    fn a_file_whose_beginning_is_damaged_is_not_to_be_thrown_away_lightly() {
        let told = OpenError::Foreign("/data/raft.redb".to_owned()).to_string();
        assert!(told.contains("the only copy: keep the file"), "{told}");
    }
}
