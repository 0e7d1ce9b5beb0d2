//! `stepdown admin`: what the leading coordinator shows of the cluster, and changes of its configuration.

mod balancer;
mod client;
mod credentials;
mod data_server;
mod document;
mod drain;
mod effect;
mod error;
mod missing;
mod namespace;
mod output;
mod plan;
mod progress;
mod way;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;
use stepdown_wire::operator::GetPlanRequest;
use stepdown_wire::operator::get_plan_request::Supposed;

use self::client::Client;
use self::credentials::{CredentialArgs, Credentials};
pub use self::error::AdminCommandError;
use self::output::Output;
use super::duration::parse_duration;

/// Whom to ask, who asks, and how to print what comes back.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReachArgs {
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
    /// How long to wait for an answer
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    credentials: CredentialArgs,
}

impl ReachArgs {
    fn open(self) -> Result<(Client, Output), AdminCommandError> {
        let credentials = Credentials::read(self.credentials)?;
        let client = Client::new(self.admin_address, credentials, self.timeout);
        Ok((client, self.output))
    }
}

/// Flags of `stepdown admin`.
#[derive(Clone, Debug, Args)]
pub struct AdminArgs {
    #[command(flatten)]
    reach: ReachArgs,
    #[command(subcommand)]
    command: AdminCommand,
}

/// Flags of `stepdown plan`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "It changes nothing. SHARDS is of how many shards a data server is a member, and THEN of \
    how many it will be."
)]
pub struct PlanArgs {
    /// A configuration document, or - for standard input: what would be done with it; without it, what
    /// will be done with the one in force
    file: Option<PathBuf>,
    #[command(flatten)]
    reach: ReachArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum AdminCommand {
    /// Look at what the load balancer does, or have it pause
    #[command(subcommand)]
    Balancer(balancer::Command),
    /// Look at data servers, or change which there are
    #[command(visible_alias = "dataserver", subcommand)]
    DataServer(data_server::Command),
    /// Look at namespaces, or change which there are
    #[command(subcommand)]
    Namespace(namespace::Command),
}

/// What came back, for programs and for people.
struct Answer {
    value: Value,
    told: String,
}

/// Asks, and answers what is to be printed.
pub async fn ask(args: AdminArgs) -> Result<String, AdminCommandError> {
    let (client, output) = args.reach.open()?;
    let answer = match args.command {
        AdminCommand::Balancer(command) => command.run(&client).await,
        AdminCommand::DataServer(command) => command.run(&client).await,
        AdminCommand::Namespace(command) => command.run(&client).await,
    };
    output.print(&answer?)
}

/// Asks what is to be moved, and answers what is to be printed.
pub async fn plan(args: PlanArgs) -> Result<String, AdminCommandError> {
    let supposed = args.file.as_deref().map(document::read).transpose()?;
    let (client, output) = args.reach.open()?;
    let asked = GetPlanRequest {
        supposed: supposed.map(Supposed::Configuration),
        ..GetPlanRequest::default()
    };
    let plan = client.plan(asked).await?;
    output.print(&plan::answer(&plan))
}

#[cfg(test)]
mod tests;
