//! The kinds of backend that there are, and how each is opened.

use crate::backend::Backend;
use crate::candidate::Candidate;
use crate::configmap::{self, ConfigMapError, ConfigMapOptions};
use crate::file::{self, FileError, FileOptions};
use crate::memory::MemoryCluster;
use crate::raft::{self, RaftOptions, StartError};

/// Where documents and leadership live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Two ConfigMaps, and a Lease.
    ConfigMap(ConfigMapOptions),
    /// Two files, and a lock.
    File(FileOptions),
    /// A log that the coordinators replicate among themselves.
    Raft(RaftOptions),
    /// This process alone; nothing survives it.
    Memory,
}

impl Provider {
    /// Opens the backend for one coordinator. Must be called within a runtime, where it leaves
    /// tasks that end with the backend.
    pub async fn open(&self, candidate: &Candidate) -> Result<Backend, OpenError> {
        Ok(match self {
            Self::ConfigMap(options) => configmap::open(options, candidate).await?,
            Self::File(options) => file::open(options, candidate)?,
            Self::Raft(options) => raft::open(options, candidate).await?,
            Self::Memory => MemoryCluster::new().backend(&candidate.name),
        })
    }
}

/// Why a backend can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The Kubernetes backend.
    #[error(transparent)]
    ConfigMap(#[from] ConfigMapError),
    /// The file backend.
    #[error(transparent)]
    File(#[from] FileError),
    /// The Raft backend.
    #[error(transparent)]
    Raft(#[from] StartError),
}
