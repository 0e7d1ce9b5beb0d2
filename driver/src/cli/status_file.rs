//! `stepdown status-file`: looking at, and repairing, the file provider's status document.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `stepdown status-file`.
#[derive(Clone, Debug, Args)]
pub struct StatusFileArgs {
    /// What to do with the file.
    #[command(subcommand)]
    pub command: StatusFileCommand,
}

/// What to do with the file.
#[derive(Clone, Debug, Subcommand)]
pub enum StatusFileCommand {
    /// Say whether a coordinator would accept the file
    Check {
        /// The status file
        path: PathBuf,
    },
    /// Accept the file as it is, after it was edited or restored by hand
    Adopt {
        /// The status file
        path: PathBuf,
    },
}
