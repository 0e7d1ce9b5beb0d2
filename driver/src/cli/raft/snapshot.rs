//! `stepdown raft snapshot`.

use clap::Args;
use serde_json::json;

use super::error::RaftCommandError;
use super::nodes::NodesArgs;

/// Flags of `stepdown raft snapshot`.
#[derive(Clone, Debug, Args)]
pub(super) struct SnapshotArgs {
    #[command(flatten)]
    nodes: NodesArgs,
}

impl SnapshotArgs {
    pub(super) async fn run(self, tell: &mut impl FnMut(&str)) -> Result<(), RaftCommandError> {
        let (node, made) = self.nodes.client()?.take_snapshot().await?;
        let what = match made.index {
            Some(index) => format!("a snapshot of all up to entry {index}"),
            None => "nothing yet to make a snapshot of".to_owned(),
        };
        let text = format!("{} at {} has {what}", node.name, node.address);
        let json = json!({
            "node": node.node.to_string(),
            "name": node.name,
            "address": node.address,
            "snapshot": made.index,
        });
        self.nodes.output.end(tell, &text, &json);
        Ok(())
    }
}
