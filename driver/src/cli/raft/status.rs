//! `stepdown raft status`.

use clap::Args;

use super::error::RaftCommandError;
use super::gather::View;
use super::nodes::NodesArgs;
use super::output::Output;
use super::{json, table};

/// Flags of `stepdown raft status`.
#[derive(Clone, Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    nodes: NodesArgs,
}

impl StatusArgs {
    /// Says whether somebody leads.
    pub(super) async fn run(self, tell: &mut impl FnMut(&str)) -> Result<bool, RaftCommandError> {
        let view = View::gather(&self.nodes.client()?).await?;
        match self.nodes.output {
            Output::Table => tell(&table::view(&view)),
            Output::Json => tell(&format!("{:#}\n", json::view(&view))),
        }
        Ok(view.is_led())
    }
}
