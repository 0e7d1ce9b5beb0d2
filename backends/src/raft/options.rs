//! What a node is told at its start.

use std::path::PathBuf;

use stepdown_wire::tls::TlsOptions;

/// What a node is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftOptions {
    /// Where it listens, and where the others reach it, `host:port`.
    pub address: String,
    /// The addresses of those that form the cluster together, its own among them; empty for a node
    /// that is added to a cluster.
    pub bootstrap_nodes: Vec<String>,
    /// Where its disk is.
    pub data_dir: PathBuf,
    /// TLS among the nodes, of both sides; `None` is plaintext.
    pub tls: Option<TlsOptions>,
}
