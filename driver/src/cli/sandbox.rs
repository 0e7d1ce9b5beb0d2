//! The sandbox's own commands.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use stepdown_sandbox::server::DataServerOptions;

/// Flags of the hidden `stepdown sandbox-data-server`.
#[derive(Clone, Debug, Args)]
pub struct SandboxDataServerArgs {
    /// Its name
    #[arg(long)]
    pub name: String,
    /// Where coordinators and other data servers reach it
    #[arg(long, value_name = "ADDRESS")]
    pub internal_addr: SocketAddr,
    /// Where clients reach it
    #[arg(long, value_name = "ADDRESS")]
    pub public_addr: SocketAddr,
    /// Where it keeps its state; in memory if absent
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

impl SandboxDataServerArgs {
    /// As the data server takes them.
    pub fn into_options(self) -> DataServerOptions {
        DataServerOptions {
            name: self.name,
            internal: self.internal_addr,
            public: self.public_addr,
            data_dir: self.data_dir,
        }
    }
}

/// Words of the hidden `stepdown sandbox-child`.
#[derive(Clone, Debug, Args)]
pub struct SandboxChildArgs {
    /// The process to die with
    pub parent: u32,
    /// The command to become
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub words: Vec<OsString>,
}
