//! Why a status file is not written anew.

use std::io;
use std::path::PathBuf;

use stepdown_core::cluster::{AcceptLossError, DecodeError, StatusProblem};

use crate::lacks::Lack;

/// Why a status file is not adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// A coordinator is at work on it.
    #[error("{} is in use by {holder}: stop it first", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Whose the lock is.
        holder: String,
    },
    /// There is nothing to adopt.
    #[error("{} does not exist", .0.display())]
    Absent(PathBuf),
    /// It is no text.
    #[error("{} is not UTF-8: put a copy back", .0.display())]
    NotText(PathBuf),
    /// It is no status document.
    #[error("{}: {error}; put a copy back, or mend it", .path.display())]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// Leading on it would do harm.
    #[error("{}: {problem}; put it right first", .path.display())]
    Harmful {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: StatusProblem,
    },
    /// It would make the truth of what is missing.
    #[error("{}", lacking(.path, .lacks))]
    Lacking {
        /// The file.
        path: PathBuf,
        /// What is not there, and was not accepted.
        lacks: Vec<Lack>,
    },
    /// What was accepted is not what is missing.
    #[error("--accept {name}: {} lacks nothing of this name{}", .path.display(), but(.lacks))]
    NotLacking {
        /// The file.
        path: PathBuf,
        /// What was accepted.
        name: String,
        /// What is not there.
        lacks: Vec<Lack>,
    },
    /// A coordinator would not go on from it.
    #[error("{0}")]
    Refused(String),
    /// No loss can be accepted.
    #[error("{}: {error}", .path.display())]
    Loss {
        /// The file.
        path: PathBuf,
        /// Why.
        error: AcceptLossError,
    },
    /// It can't be read or written; nothing was changed.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
    /// What is there could not be kept beside it; nothing was changed.
    #[error("{}: {error}; the file is not touched unless it can be kept", .path.display())]
    NotKept {
        /// Where it was to be kept.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
    /// It may or may not be written.
    #[error("{}: {error}; check what is there now", .path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
}

fn lacking(path: &std::path::Path, lacks: &[Lack]) -> String {
    use std::fmt::Write;
    let mut text = format!(
        "{} lacks what belongs in it, and would be the truth from then on; nothing was changed:\n",
        path.display()
    );
    for lack in lacks {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<24} {lack}", lack.name());
    }
    text.push_str(
        "Put a copy back that has it: the shards that are not in it are lost to the cluster, and data \
         servers refuse another instance id. Where there is no copy, and there never will be, --accept NAME \
         takes each of these by its name",
    );
    text
}

fn but(lacks: &[Lack]) -> String {
    if lacks.is_empty() {
        return String::new();
    }
    let names: Vec<String> = lacks.iter().map(Lack::name).collect();
    format!(", but {}", names.join(", "))
}
