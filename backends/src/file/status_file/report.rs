//! What a status file looks like to the operator.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, WriteId};

use super::contents::{Contents, counted};
use crate::file::content::{Content, judge};
use crate::file::header::{Seal, unseal};
use crate::file::lock_file::LockFile;
use crate::file::place::{Place, if_there};
use crate::file::vfs::{RealVfs, Vfs};
use crate::lacks::{Lack, changes};

/// What a status file looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFileReport {
    /// The file, with links followed.
    pub path: PathBuf,
    /// Whether a coordinator holds its lock.
    pub is_held: bool,
    /// Who that is, where it says so.
    pub holder: Option<String>,
    /// What is in it.
    pub content: StatusFileContent,
    /// How it differs from what the lock file remembered before it was written anew.
    pub changes: Vec<String>,
    /// Where it is kept as it was before that.
    pub kept: Option<PathBuf>,
}

/// What is in a status file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusFileContent {
    /// There is no file; a coordinator would make a new cluster.
    Absent,
    /// Something that a coordinator refuses.
    Corrupt {
        /// Why, and what to do about it.
        reason: String,
        /// What can be read of it.
        contents: Option<Contents>,
    },
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
        /// What is in it.
        contents: Contents,
    },
}

impl StatusFileReport {
    /// Whether there is a document that a coordinator would lead on.
    pub fn is_usable(&self) -> bool {
        match &self.content {
            StatusFileContent::Absent | StatusFileContent::Corrupt { .. } => false,
            StatusFileContent::Document { contents, .. } => !contents.is_fatal(),
        }
    }

    /// Of a file that was just written anew, where this was remembered before, and that is kept there.
    pub(super) fn after(self, status: &ClusterStatus, before: &LockFile, kept: PathBuf) -> Self {
        let remembered = before.notes().document;
        Self {
            changes: remembered.map_or_else(Vec::new, |it| changes(status, &it)),
            kept: Some(kept),
            ..self
        }
    }
}

pub(super) fn report(path: &Path) -> io::Result<StatusFileReport> {
    let place = Place::find(&RealVfs, path)?;
    let lock = place.read_lock_file(&RealVfs)?;
    let bytes = place.read_document(&RealVfs)?;
    let readable = bytes.as_deref().and_then(|bytes| readable(bytes, &lock));
    let content = match judge(&place.document, bytes, &lock, false) {
        Content::Absent => StatusFileContent::Absent,
        Content::Corrupt(corrupt) => StatusFileContent::Corrupt {
            reason: corrupt.to_string(),
            contents: readable,
        },
        Content::Document(document) => match ClusterStatus::decode(&document.text) {
            Err(error) => StatusFileContent::Corrupt {
                reason: error.to_string(),
                contents: None,
            },
            Ok(status) => StatusFileContent::Document {
                version: document.committed.version,
                epoch: document.committed.epoch,
                write_id: document.write_id,
                is_intact: document.intact,
                contents: Contents::of(&status, Vec::new()),
            },
        },
    };
    let is_held = is_locked(&place.lock)? || is_locked(&place.document)?;
    let holder = lock.notes().holder.filter(|_| is_held);
    Ok(StatusFileReport {
        is_held,
        holder: holder.map(|it| it.to_string()),
        path: place.document,
        content,
        changes: Vec::new(),
        kept: None,
    })
}

/// What can be read of a file that is refused, and what it lacks.
fn readable(bytes: &[u8], lock: &LockFile) -> Option<Contents> {
    let text = std::str::from_utf8(bytes).ok()?;
    let status = ClusterStatus::decode(text).ok()?;
    let mut lacks = crate::lacks::lacks(&status, lock.notes().document.as_ref());
    if let Seal::Shortened(_) = unseal(text) {
        lacks.push(Lack::End);
    }
    Some(Contents::of(&status, lacks))
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
        match &self.holder {
            Some(holder) => writeln!(f, "in use: yes, by {holder}")?,
            None => writeln!(f, "in use: {}", yes_or_no(self.is_held))?,
        }
        match &self.content {
            StatusFileContent::Absent => writeln!(
                f,
                "content: none: there is no such file; a coordinator would make a new cluster"
            )?,
            StatusFileContent::Corrupt { reason, contents } => {
                writeln!(f, "content: refused: {reason}")?;
                if let Some(contents) = contents {
                    writeln!(f, "what can be read: {}", counted(contents))?;
                    write!(f, "{contents}")?;
                }
            }
            StatusFileContent::Document {
                version,
                epoch,
                write_id,
                is_intact,
                contents,
            } => {
                writeln!(f, "content: {}", counted(contents))?;
                writeln!(f, "version: {version}")?;
                writeln!(f, "epoch: {epoch}")?;
                match write_id {
                    Some(id) => writeln!(f, "write id: {id}")?,
                    None => writeln!(f, "write id: none")?,
                }
                writeln!(f, "as a coordinator wrote it: {}", yes_or_no(*is_intact))?;
                write!(f, "{contents}")?;
            }
        }
        for change in &self.changes {
            writeln!(f, "not as before: {change}")?;
        }
        match &self.kept {
            Some(kept) => writeln!(f, "kept as it was: {}", kept.display()),
            None => Ok(()),
        }
    }
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
