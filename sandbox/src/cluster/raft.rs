//! Documents that the coordinators keep among themselves, read and written by an onlooker.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use stepdown_backends::raft::admin::AdminClient;
use stepdown_core::cluster::ClusterStatus;
use stepdown_wire::raft::{ExportedStatus, ImportConfigurationRequest, ImportStatusRequest};
use tokio::time::{Instant, sleep, timeout};

use super::error::SandboxError;
use super::ports::free_addresses;

/// How long an onlooker waits for an answer: it looks again soon.
const LOOK: Duration = Duration::from_millis(500);
/// How soon a write is tried again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a stranger tries to write over what is there.
const STRANGER: Duration = Duration::from_secs(20);

/// The nodes of the coordinators.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    addresses: Vec<SocketAddr>,
}

impl Nodes {
    /// So many, on free ports of loopback.
    pub(super) fn new(count: usize) -> Result<Self, SandboxError> {
        let addresses = free_addresses(count).map_err(SandboxError::os("find free ports"))?;
        Ok(Self { addresses })
    }

    /// The `metadata` of the coordinator with this index, whose directory is within `dir`.
    pub(super) fn metadata(&self, index: usize, dir: &Path) -> serde_json::Value {
        let address = self.addresses.get(index).map(SocketAddr::to_string);
        let number = index.saturating_add(1);
        serde_json::json!({
            "providerName": "raft",
            "raft": {
                "address": address,
                "bootstrapNodes": self.listed(),
                "dataDir": dir.join(format!("raft-{number}")),
            },
        })
    }

    /// Puts this configuration in force, as soon as somebody can.
    pub(super) async fn configure(&self, text: &str, within: Duration) -> Result<(), SandboxError> {
        let client = self.client()?;
        let deadline = Instant::now() + within;
        loop {
            let text = text.to_owned();
            let imported = client.import_configuration(ImportConfigurationRequest { text });
            match imported.await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error.into()),
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    /// The status and its version, if it is newer than this one, and somebody says so in time.
    pub(super) async fn status_after(
        &self,
        known: Option<u64>,
    ) -> Result<Option<(u64, ClusterStatus)>, SandboxError> {
        let client = self.client()?;
        let Ok(Ok(seen)) = timeout(LOOK, client.status()).await else {
            return Ok(None);
        };
        if seen.status.map(|it| it.version) <= known {
            return Ok(None);
        }
        let Ok(Ok(exported)) = timeout(LOOK, client.export()).await else {
            return Ok(None);
        };
        exported.status.map(|it| decode(&it)).transpose()
    }

    /// Writes the status as another would that knows nothing of the leader: the same status, in
    /// another version.
    pub(super) async fn write_as_stranger(&self) -> Result<(), SandboxError> {
        let client = self.client()?;
        let deadline = Instant::now() + STRANGER;
        loop {
            // An honest stranger writes over the document it knows, not over a newer one.
            let written = async {
                let present = client.export().await?.status;
                let request = ImportStatusRequest {
                    replaced: present.as_ref().and_then(version),
                    text: present.map(|it| it.text).unwrap_or_default(),
                };
                client.import_status(request).await
            };
            match written.await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error.into()),
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    fn client(&self) -> Result<AdminClient, SandboxError> {
        Ok(AdminClient::new(self.listed(), None)?)
    }

    pub(super) fn listed(&self) -> Vec<String> {
        self.addresses.iter().map(SocketAddr::to_string).collect()
    }
}

fn version(status: &ExportedStatus) -> Option<u64> {
    status.version.as_ref().map(|it| it.version)
}

fn decode(exported: &ExportedStatus) -> Result<(u64, ClusterStatus), SandboxError> {
    let status = ClusterStatus::decode(&exported.text).map_err(|reason| SandboxError::Status {
        path: "the coordinators' status".to_owned(),
        reason,
    })?;
    Ok((version(exported).unwrap_or_default(), status))
}
