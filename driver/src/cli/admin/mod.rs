//! `stepdown admin`: what the leading coordinator shows of the cluster, and changes of its configuration.

mod client;
mod credentials;
mod data_server;
mod error;
mod namespace;
mod output;
mod way;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use self::client::Client;
use self::credentials::{CredentialArgs, Credentials};
pub use self::error::AdminCommandError;
use self::output::{Output, Table};
use super::duration::parse_duration;

/// Flags of `stepdown admin`.
#[derive(Clone, Debug, Args)]
pub struct AdminArgs {
    /// Public address of a coordinator; one that does not lead names the one that does
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT",
        default_value = "localhost:6651"
    )]
    admin_address: String,
    /// How to print what comes back
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// How long to wait for all of it
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    credentials: CredentialArgs,
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum AdminCommand {
    /// Look at data servers, or change which there are
    #[command(alias = "dataserver", subcommand)]
    DataServer(data_server::Command),
    /// Look at namespaces, or change which there are
    #[command(subcommand)]
    Namespace(namespace::Command),
}

/// What came back, for programs and for people.
struct Answer {
    value: Value,
    table: Table,
}

/// Asks, and answers what is to be printed.
pub async fn ask(args: AdminArgs) -> Result<String, AdminCommandError> {
    let AdminArgs {
        admin_address,
        output,
        timeout,
        credentials,
        command,
    } = args;
    let client = Client::new(admin_address, Credentials::read(credentials)?);
    let asked = async {
        match command {
            AdminCommand::DataServer(command) => command.run(client).await,
            AdminCommand::Namespace(command) => command.run(client).await,
        }
    };
    let answer = tokio::time::timeout(timeout, asked).await;
    let answer = answer.map_err(|_| AdminCommandError::TimedOut(timeout))??;
    output.print(&answer)
}

#[cfg(test)]
mod tests;
