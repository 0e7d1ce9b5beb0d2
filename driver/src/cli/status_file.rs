//! `stepdown status-file`: what an operator does with a status file by hand.

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use stepdown_backends::status_file::{self, AdoptError};

/// Flags of `stepdown status-file`.
#[derive(Clone, Debug, Args)]
pub struct StatusFileArgs {
    /// What to do with it.
    #[command(subcommand)]
    action: StatusFileAction,
}

/// What to do with a status file.
#[derive(Clone, Debug, Subcommand)]
enum StatusFileAction {
    /// Accept the file, after an edit or a restored copy; no coordinator may be running
    ///
    /// The file is written anew, as a coordinator writes it, and kept as it was in PATH.before-adopt. It is
    /// refused if it lacks its end, an instance id, or shards that it ought to have.
    Adopt {
        /// The status file
        path: PathBuf,
        /// Take the file without what it lacks and what has this name, as adopt tells it: it is lost then
        #[arg(long, value_name = "NAME")]
        accept: Vec<String>,
    },
    /// Tell what is in the file; exits with 0 only if there is one that a coordinator would go on from
    ///
    /// Nothing is changed.
    Check {
        /// The status file
        path: PathBuf,
    },
}

/// Why nothing can be said about a status file.
#[derive(Debug, thiserror::Error)]
pub enum StatusFileError {
    /// It was not adopted.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// It can't be read.
    #[error("{}: {error}", .path.display())]
    Check {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
}

/// Does it, and says what the file looks like then and whether a coordinator would go on from it.
pub fn status_file(args: &StatusFileArgs) -> Result<(String, bool), StatusFileError> {
    let report = match &args.action {
        StatusFileAction::Adopt { path, accept } => status_file::adopt(path, accept)?,
        StatusFileAction::Check { path } => {
            status_file::check(path).map_err(|error| StatusFileError::Check {
                path: path.clone(),
                error,
            })?
        }
    };
    Ok((report.to_string(), report.is_usable()))
}
