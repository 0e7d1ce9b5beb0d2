//! Where the documents are: in two files, or with the coordinators themselves.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stepdown_core::cluster::ClusterStatus;

use super::coordinator::in_files;
use super::error::SandboxError;
use super::raft::Nodes;
use super::status;

/// Where the documents of a sandbox are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metadata {
    /// In two files.
    #[default]
    File,
    /// With the coordinators, which replicate them among themselves.
    Raft,
}

/// The documents.
#[derive(Debug)]
pub(super) struct Documents {
    /// The status file, where there is one.
    pub(super) status: PathBuf,
    configuration: PathBuf,
    nodes: Option<Nodes>,
}

/// Names one version of the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// A file that was put in place whole.
    File(u64, i64, i64),
    /// An entry of Raft's.
    Raft(u64),
}

impl Documents {
    pub(super) fn new(
        metadata: Metadata,
        dir: &Path,
        coordinators: usize,
    ) -> Result<Self, SandboxError> {
        let nodes = match metadata {
            Metadata::File => None,
            Metadata::Raft => Some(Nodes::new(coordinators)?),
        };
        Ok(Self {
            status: dir.join("cluster-status.yaml"),
            configuration: dir.join("cluster.yaml"),
            nodes,
        })
    }

    pub(super) fn are_with_coordinators(&self) -> bool {
        self.nodes.is_some()
    }

    pub(super) fn nodes(&self) -> Vec<String> {
        self.nodes.as_ref().map(Nodes::listed).unwrap_or_default()
    }

    /// The `metadata` of the coordinator with this index.
    pub(super) fn metadata(&self, index: usize, dir: &Path) -> serde_json::Value {
        match &self.nodes {
            Some(nodes) => nodes.metadata(index, dir),
            None => in_files(&self.status, &self.configuration),
        }
    }

    /// Writes the configuration's file, put in place whole.
    pub(super) fn write_configuration(&self, text: &str) -> Result<(), SandboxError> {
        let new = self.configuration.with_extension("new");
        fs::write(&new, text).map_err(SandboxError::file("write", &new))?;
        fs::rename(&new, &self.configuration)
            .map_err(SandboxError::file("replace", &self.configuration))
    }

    /// Hands that file to the coordinators, where these keep the documents.
    pub(super) fn import_configuration(
        &self,
        within: Duration,
    ) -> impl Future<Output = Result<(), SandboxError>> + Send + use<> {
        let (nodes, path) = (self.nodes.clone(), self.configuration.clone());
        async move {
            let Some(nodes) = nodes else {
                return Ok(());
            };
            let text = fs::read_to_string(&path).map_err(SandboxError::file("read", &path))?;
            nodes.configure(&text, within).await
        }
    }

    /// The status, if it is another than at this stamp; and its own.
    pub(super) async fn changed(
        &self,
        known: Option<&Stamp>,
    ) -> Result<Option<(Stamp, ClusterStatus)>, SandboxError> {
        if let Some(nodes) = &self.nodes {
            let known = match known {
                Some(Stamp::Raft(version)) => Some(*version),
                Some(Stamp::File(..)) | None => None,
            };
            let found = nodes.status_after(known).await?;
            return Ok(found.map(|(version, status)| (Stamp::Raft(version), status)));
        }
        let Ok(file) = fs::metadata(&self.status) else {
            return Ok(None);
        };
        let stamp = Stamp::File(file.ino(), file.mtime(), file.mtime_nsec());
        if known == Some(&stamp) {
            return Ok(None);
        }
        let status = status::read(&self.status)?;
        Ok(status.map(|status| (stamp, status)))
    }

    /// Writes the status as another coordinator would that knows nothing of the leader.
    pub(super) async fn write_as_stranger(&self) -> Result<(), SandboxError> {
        match &self.nodes {
            Some(nodes) => nodes.write_as_stranger().await,
            None => status::write_as_stranger(&self.status),
        }
    }
}
