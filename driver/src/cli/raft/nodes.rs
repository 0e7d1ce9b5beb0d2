//! Whom to ask, and how to say what comes of it.

use std::path::PathBuf;

use clap::Args;
use stepdown_backends::raft::admin::AdminClient;

use super::error::RaftCommandError;
use super::output::Output;
use crate::options::RaftNodes;

/// Flags of everything that asks nodes.
#[derive(Clone, Debug, Args)]
pub(super) struct NodesArgs {
    /// Raft addresses of some nodes, comma-separated or repeated; the first that answers is asked
    #[arg(
        long,
        value_name = "ADDRESSES",
        value_delimiter = ',',
        help_heading = "Nodes"
    )]
    raft_address: Vec<String>,
    /// Options file (YAML) of a coordinator, which has the addresses, and TLS: metadata.raft
    #[arg(long, value_name = "FILE", help_heading = "Nodes")]
    sconfig: Option<PathBuf>,
    /// As text for people, or as JSON
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    pub(super) output: Output,
}

impl NodesArgs {
    pub(super) fn client(&self) -> Result<AdminClient, RaftCommandError> {
        let nodes = RaftNodes::load(&self.raft_address, self.sconfig.as_deref())?;
        Ok(AdminClient::new(nodes.addresses, nodes.tls.as_ref())?)
    }
}
