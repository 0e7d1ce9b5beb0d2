//! The `raft` provider's settings.

use clap::Args;
use serde::Deserialize;

use crate::options::key::Key;
use crate::options::said::{Overlay, field_by_field};

/// The `raft` provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[command(next_help_heading = "Raft provider")]
pub struct RaftSettings {
    /// Raft address of this coordinator
    #[arg(id = "raft-address", long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// Raft bootstrap nodes, comma-separated or repeated
    #[arg(id = "raft-bootstrap-nodes", long, value_name = "ADDRESSES", value_delimiter = ',', action = clap::ArgAction::Append)]
    pub bootstrap_nodes: Option<Vec<String>>,
    /// Raft data directory
    #[arg(
        id = "raft-data-dir",
        long,
        value_name = "DIR",
        default_value = "data/raft"
    )]
    pub data_dir: Option<String>,
}

impl RaftSettings {
    pub(crate) const ADDRESS: Key = Key::new("metadata.raft.address", "--raft-address");
}

field_by_field! {
    RaftSettings { address, bootstrap_nodes, data_dir }
}
