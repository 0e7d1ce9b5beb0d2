//! Where documents and leadership live: a file for each provider, with its flags, its keys and
//! its checks.

mod deprecated;
mod file;
mod kubernetes;
mod raft;
mod resolve;
mod settings;

pub(crate) use deprecated::ClusterSettings;
pub use file::FileSettings;
pub use kubernetes::{DEFAULT_STATUS_NAME, KubernetesSettings};
pub use raft::RaftSettings;
pub(super) use raft::{check_address as check_raft_address, resolve_tls as resolve_raft_tls};
pub(super) use resolve::resolve;
pub(crate) use settings::MetadataSettings;
