//! `stepdown raft`: what people do with the nodes of the raft provider.

mod add;
mod documents;
mod error;
mod gather;
mod json;
mod members;
mod nodes;
mod output;
mod snapshot;
mod status;
mod table;
#[cfg(test)]
mod tests;

use clap::{Args, Subcommand};

pub use error::RaftCommandError;

/// Flags of `stepdown raft`.
#[derive(Clone, Debug, Args)]
#[command(after_help = RAFT_HELP)]
pub struct RaftArgs {
    /// What to do with them.
    #[command(subcommand)]
    action: RaftAction,
}

const RAFT_HELP: &str = "\
Any node may be asked: who leads is found out, and is asked for what only a leader can do. A member
is named by its name, its address or its number. See docs/raft.md.

Examples:
  stepdown raft status --raft-address coordinator-0:6652,coordinator-1:6652
  stepdown raft add coordinator-3:6652 --sconfig /etc/stepdown/coordinator.yaml
  stepdown raft import --config cluster.yaml --raft-address 127.0.0.1:6652";

/// What to do with the nodes.
#[derive(Clone, Debug, Subcommand)]
enum RaftAction {
    /// Take a node in; it is caught up before it votes. One with an empty disk takes the place of
    /// the member at its address
    Add(add::AddArgs),
    /// Write out the status document and the configuration document
    Export(documents::ExportArgs),
    /// Put a status document or a configuration document in the place of the cluster's
    Import(documents::ImportArgs),
    /// Take a member out; a leader hands over first
    Remove(members::RemoveArgs),
    /// Have a node make a snapshot of what it holds, so that its log gets short
    Snapshot(snapshot::SnapshotArgs),
    /// Tell of the members, of who leads, and of how far each is; exits with 0 only if one leads a
    /// majority
    Status(status::StatusArgs),
    /// Hand leadership over to a member, and wait until it leads
    Transfer(members::TransferArgs),
}

/// Does it; `tell` gets a text for every step. Says whether all is well.
pub async fn administer(
    args: RaftArgs,
    mut tell: impl FnMut(&str),
) -> Result<bool, RaftCommandError> {
    match args.action {
        RaftAction::Add(args) => args.run(&mut tell).await?,
        RaftAction::Export(args) => args.run(&mut tell).await?,
        RaftAction::Import(args) => args.run(&mut tell).await?,
        RaftAction::Remove(args) => args.run(&mut tell).await?,
        RaftAction::Snapshot(args) => args.run(&mut tell).await?,
        RaftAction::Status(args) => return args.run(&mut tell).await,
        RaftAction::Transfer(args) => args.run(&mut tell).await?,
    }
    Ok(true)
}
