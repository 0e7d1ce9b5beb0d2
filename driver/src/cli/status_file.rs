//! `stepdown status-file`: what an operator does with a status file by hand.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use stepdown_backends::status_file;

/// Flags of `stepdown status-file`.
#[derive(Clone, Debug, Args)]
pub struct StatusFileArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub action: StatusFileAction,
}

/// What to do with a status file.
#[derive(Clone, Debug, Subcommand)]
pub enum StatusFileAction {
    /// Accept the file as it is, after an edit or a restored copy; no coordinator may be running
    Adopt {
        /// The status file
        path: PathBuf,
    },
    /// Tell what is in the file; exits with 0 only if a coordinator would go on from it
    Check {
        /// The status file
        path: PathBuf,
    },
}

/// Does it, and says what the file looks like then and whether a coordinator would go on from it.
pub fn status_file(args: &StatusFileArgs) -> Result<(String, bool), String> {
    let report = match &args.action {
        StatusFileAction::Adopt { path } => {
            status_file::adopt(path).map_err(|error| error.to_string())?
        }
        StatusFileAction::Check { path } => {
            status_file::check(path).map_err(|error| format!("{}: {error}", path.display()))?
        }
    };
    Ok((report.to_string(), report.is_usable()))
}
