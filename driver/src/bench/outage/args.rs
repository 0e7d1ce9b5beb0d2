//! `stepdown bench outage`, as it is called.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use stepdown_sandbox::cluster::DataServerKind;

use crate::bench::error::BenchError;
use crate::cli::parse_duration;

/// Flags of `stepdown bench outage`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::bench) struct OutageArgs {
    /// Shards of the one namespace
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) shards: u32,
    /// How long two of three data servers are away
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub(super) outage: Duration,
    /// A program that takes the flags of `oxia server`, to be the data servers [default: the
    /// sandbox's own]
    #[arg(long, value_name = "PATH")]
    data_server_binary: Option<PathBuf>,
    /// More flags for it, separated by spaces
    #[arg(
        long,
        value_name = "FLAGS",
        requires = "data_server_binary",
        allow_hyphen_values = true,
        default_value = "",
        hide_default_value = true
    )]
    data_server_args: String,
    /// Where to put documents, data and logs: an empty directory, which is kept [default: a
    /// temporary one, kept if something goes wrong]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

const HELP: &str = "\
Starts three data servers and a coordinator as processes on 127.0.0.1, with the file backend. Once
every shard is led and its three replicas have the same log, it

  1. kills the data server that leads most, and waits until every shard is led again;
  2. kills a second one, and counts what the coordinator writes while no shard has a majority;
  3. starts both again, and waits from when both serve until every shard is led again.

A shard is led when the status says so and its leader says the same of itself. Ctrl-C ends every
process, too.

Examples:
  stepdown bench outage
  stepdown bench outage --shards 1000 --outage 10m
  stepdown bench outage --data-server-binary /usr/bin/oxia --data-server-args '-l warn'";

impl OutageArgs {
    /// What the data servers are to be.
    pub(super) fn servers(&self) -> DataServerKind {
        match &self.data_server_binary {
            None => DataServerKind::Sandbox,
            Some(path) => DataServerKind::Program {
                path: path.clone(),
                words: self
                    .data_server_args
                    .split_whitespace()
                    .map(OsString::from)
                    .collect(),
            },
        }
    }

    /// The same, for people.
    pub(super) fn kind(&self) -> String {
        match &self.data_server_binary {
            None => "sandbox".to_owned(),
            Some(path) => path.display().to_string(),
        }
    }

    /// Refuses a program that can't be run, before anything is started.
    pub(super) fn check(&self) -> Result<(), BenchError> {
        let Some(path) = &self.data_server_binary else {
            return Ok(());
        };
        let problem = match fs::metadata(path) {
            Err(error) => format!("can't be read ({error})"),
            Ok(found) if !found.is_file() => "is no file".to_owned(),
            Ok(found) if found.permissions().mode() & 0o111 == 0 => "is not executable".to_owned(),
            Ok(_) => return Ok(()),
        };
        Err(BenchError::Program {
            path: path.clone(),
            problem,
        })
    }
}
