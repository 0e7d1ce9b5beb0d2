//! The command line, and the short commands that need no more than it. It takes what
//! `oxia coordinator` and `oxia health` take, and works under the name `oxia` as well.

mod about;
mod accept_loss;
mod admin;
mod boolean;
mod coordinator;
mod duration;
mod exit;
mod health;
mod print;
mod raft;
mod sandbox;
mod status_file;
mod transfer;
mod visible;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use about::{CompletionArgs, ManArgs, NoManual, completion, man, version};
pub use accept_loss::{AcceptLossArgs, NotAccepted, accept};
pub use admin::{AdminArgs, AdminCommandError, PlanArgs, ask, plan};
pub use coordinator::CoordinatorArgs;
pub(crate) use coordinator::LeaseProfile;
pub(crate) use duration::parse_duration;
pub use exit::usage_error;
pub use health::{HealthArgs, NoAnswer, Unhealthy, check};
pub use print::{NotPrinted, Printer};
pub use raft::{RaftArgs, RaftCommandError, administer};
pub use sandbox::{SandboxArgs, SandboxChildArgs, SandboxDataServerArgs, TooFewDataServers};
pub use status_file::{StatusFileArgs, StatusFileError, status_file};
pub use transfer::{TransferArgs, hand_over};

use crate::bench::BenchArgs;
use crate::options::{LogLevel, ParseLogLevelError};

/// A coordinator for Oxia clusters that steps down instead of falling over.
#[derive(Debug, Parser)]
#[command(
    name = "stepdown",
    version = crate::version::LINE,
    args_override_self = true,
    arg_required_else_help = true,
    subcommand_required = true
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes, before or after its name.
#[derive(Clone, Debug, clap::Args)]
pub struct GlobalArgs {
    /// Set logging level [debug|info|warn|error] [default: info]
    #[arg(short = 'l', long, global = true, value_name = "LEVEL", help_heading = "Global options", value_parser = parse_level)]
    pub(crate) log_level: Option<LogLevel>,
    /// Print logs in JSON format
    #[arg(short = 'j', long, global = true, help_heading = "Global options", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_default_value = true, value_name = "BOOL", hide_possible_values = true, value_parser = boolean::parse)]
    pub(crate) log_json: bool,
    /// Accepted for compatibility; there is no pprof here
    #[arg(long, global = true, help_heading = "Global options", num_args = 0..=1, require_equals = true, hide = true,
        default_value = "false", default_missing_value = "true", value_parser = boolean::parse)]
    pub(crate) profile: bool,
    /// Accepted for compatibility; there is no pprof here
    #[arg(long, global = true, help_heading = "Global options", hide = true)]
    pub(crate) profile_bind_address: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Accept that what a shard's lost replicas had is gone, so that it can be elected
    AcceptLoss(AcceptLossArgs),
    /// Look at the cluster by way of the coordinator that leads, or change its configuration
    Admin(AdminArgs),
    /// Measure the coordinator against data servers on loopback
    Bench(BenchArgs),
    /// Print what makes a shell complete this command
    Completion(CompletionArgs),
    /// Start a coordinator
    Coordinator(Box<CoordinatorArgs>),
    /// Check the health of a running service; exits with 0 only if it serves
    Health(HealthArgs),
    /// Print the manual page
    Man(ManArgs),
    /// Show which shards will be moved where, or would be with another configuration
    Plan(PlanArgs),
    /// Administer the coordinators' own metadata store, which is the raft provider
    Raft(RaftArgs),
    /// Watch a cluster on this machine, and hurt it
    Sandbox(Box<SandboxArgs>),
    /// Die with the parent, and become another program
    #[command(hide = true)]
    SandboxChild(SandboxChildArgs),
    /// Be a data server of the sandbox
    #[command(hide = true)]
    SandboxDataServer(SandboxDataServerArgs),
    /// Look at a status file, or accept one that was edited by hand
    StatusFile(StatusFileArgs),
    /// Ask the leading coordinator to hand over to another, and wait until that one leads
    Transfer(TransferArgs),
    /// Tell which release this is, and which commit
    Version,
}

impl Cli {
    /// Reads a command line. The help speaks of `oxia` when the program was called so.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let command = Self::called(words.first().map(OsString::as_os_str));
        let matches = command.try_get_matches_from(words)?;
        Self::from_arg_matches(&matches)
    }

    /// The command under the name that the program was called by.
    pub fn called(program: Option<&OsStr>) -> clap::Command {
        let name = program.and_then(|word| Path::new(word).file_stem());
        if name.is_some_and(|name| name == "oxia") {
            Self::command().name("oxia").bin_name("oxia")
        } else {
            Self::command()
        }
    }
}

fn parse_level(text: &str) -> Result<LogLevel, ParseLogLevelError> {
    text.parse()
}

#[cfg(test)]
mod tests;
