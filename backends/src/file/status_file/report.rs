//! What a status file looks like to the operator.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use stepdown_core::cluster::{ClusterStatus, StatusProblem};
use stepdown_core::{Epoch, WriteId};

use crate::file::content::{Content, judge};
use crate::file::place::{Place, if_there};
use crate::file::vfs::{RealVfs, Vfs};

/// What a status file looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFileReport {
    /// The file, with links followed.
    pub path: PathBuf,
    /// Whether a coordinator holds its lock.
    pub is_held: bool,
    /// What is in it.
    pub content: StatusFileContent,
}

/// What is in a status file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusFileContent {
    /// Nothing; a coordinator would make a new cluster.
    Absent,
    /// Something that a coordinator refuses; why, and what to do about it.
    Corrupt(String),
    /// A document that a coordinator goes on from.
    Document {
        /// How many writes of the file are known.
        version: u64,
        /// The greatest epoch known.
        epoch: Epoch,
        /// The write that made it, where that is recorded.
        write_id: Option<WriteId>,
        /// Whether it is as a coordinator wrote it.
        is_intact: bool,
        /// How many namespaces it has.
        namespaces: usize,
        /// How many shards it has.
        shards: usize,
        /// What it says that can't be so.
        problems: Vec<StatusProblem>,
    },
}

impl StatusFileReport {
    /// Whether a coordinator would lead on it.
    pub fn is_usable(&self) -> bool {
        match &self.content {
            StatusFileContent::Absent => true,
            StatusFileContent::Corrupt(_) => false,
            StatusFileContent::Document { problems, .. } => {
                !problems.iter().any(StatusProblem::is_fatal)
            }
        }
    }
}

pub(super) fn report(path: &Path) -> io::Result<StatusFileReport> {
    let place = Place::find(&RealVfs, path)?;
    let sidecar = place.read_sidecar(&RealVfs)?;
    let bytes = place.read_document(&RealVfs)?;
    let content = match judge(&place.document, bytes, sidecar, false) {
        Content::Absent => StatusFileContent::Absent,
        Content::Corrupt(corrupt) => StatusFileContent::Corrupt(corrupt.to_string()),
        Content::Document(document) => match ClusterStatus::decode(&document.text) {
            Err(error) => StatusFileContent::Corrupt(error.to_string()),
            Ok(status) => StatusFileContent::Document {
                version: document.committed.version,
                epoch: document.committed.epoch,
                write_id: document.write_id,
                is_intact: document.intact,
                namespaces: status.namespaces.len(),
                shards: status.shards().count(),
                problems: status.problems(),
            },
        },
    };
    Ok(StatusFileReport {
        is_held: is_locked(&place.lock)? || is_locked(&place.document)?,
        path: place.document,
        content,
    })
}

fn is_locked(path: &Path) -> io::Result<bool> {
    match if_there(RealVfs.open(path))? {
        None => Ok(false),
        Some(file) => file.try_lock().map(|taken| !taken),
    }
}

impl fmt::Display for StatusFileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "file: {}", self.path.display())?;
        writeln!(f, "in use: {}", yes_or_no(self.is_held))?;
        match &self.content {
            StatusFileContent::Absent => writeln!(f, "content: none, a new cluster"),
            StatusFileContent::Corrupt(reason) => writeln!(f, "content: refused: {reason}"),
            StatusFileContent::Document {
                version,
                epoch,
                write_id,
                is_intact,
                namespaces,
                shards,
                problems,
            } => {
                writeln!(f, "content: {namespaces} namespaces, {shards} shards")?;
                writeln!(f, "version: {version}")?;
                writeln!(f, "epoch: {epoch}")?;
                match write_id {
                    Some(id) => writeln!(f, "write id: {id}")?,
                    None => writeln!(f, "write id: none")?,
                }
                writeln!(f, "as a coordinator wrote it: {}", yes_or_no(*is_intact))?;
                for problem in problems {
                    writeln!(f, "problem: {problem}")?;
                }
                Ok(())
            }
        }
    }
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
