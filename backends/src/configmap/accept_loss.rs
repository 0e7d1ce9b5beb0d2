//! Accepting the loss of a shard's lost replicas, in the status ConfigMap. A coordinator that leads
//! notices the write as anybody's, and campaigns again.

use std::sync::Arc;

use kube::Client;
use stepdown_core::cluster::{AcceptLossError, ClusterStatus, ShardMetadata};
use stepdown_core::store::{LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome};
use stepdown_core::{ProcessId, RequestId, ShardId, WriteId};
use tokio::time::sleep;

use super::access::Access;
use super::clients::Clients;
use super::error::ConfigMapError;
use super::layout::Layout;
use super::object_name::ObjectName;
use super::own_stores::OwnStores;

/// A coordinator may write the document a few times first.
const TRIES: u64 = 20;

/// Whose loss is accepted.
#[derive(Clone, Debug)]
pub struct AcceptLoss {
    /// The Kubernetes namespace of the status ConfigMap.
    pub kubernetes_namespace: String,
    /// Its name.
    pub name: String,
    /// The namespace of the shard.
    pub namespace: String,
    /// The shard.
    pub shard: ShardId,
    /// Names the write, like a process's.
    pub process: ProcessId,
}

/// Why the loss is not accepted; nothing was changed, unless that is said.
#[derive(Debug, thiserror::Error)]
pub enum AcceptLossFailure {
    /// The API server can't be asked.
    #[error(transparent)]
    Open(#[from] ConfigMapError),
    /// There is no status, or none that can be read.
    #[error("configmap {place}: {reason}")]
    Unreadable {
        /// The ConfigMap.
        place: String,
        /// Why.
        reason: String,
    },
    /// No loss can be accepted of what is there.
    #[error("configmap {place}: {error}")]
    Refused {
        /// The ConfigMap.
        place: String,
        /// Why.
        error: AcceptLossError,
    },
    /// It can't be written.
    #[error("configmap {place}: {reason}")]
    NotWritten {
        /// The ConfigMap.
        place: String,
        /// Why.
        reason: String,
    },
    /// Nobody knows whether it is written.
    #[error("configmap {place}: {reason}; it may be written: look before you try again")]
    Unknown {
        /// The ConfigMap.
        place: String,
        /// Why.
        reason: String,
    },
}

/// Writes it.
pub async fn accept_loss(loss: &AcceptLoss) -> Result<(), AcceptLossFailure> {
    let place = ObjectName {
        namespace: loss.kubernetes_namespace.clone(),
        name: loss.name.clone(),
    };
    accept_with(&Clients::infer().await?.store, &place, loss).await
}

async fn accept_with(
    client: &Client,
    place: &ObjectName,
    loss: &AcceptLoss,
) -> Result<(), AcceptLossFailure> {
    let mut reason = String::new();
    let mut before = None;
    for number in 0..TRIES {
        let (found, layout) = load(client, place).await?;
        let shard = shard_of(&found.status, loss).cloned();
        if before.as_ref().is_some_and(|before| *before != shard) {
            // It has changed since, by this or by somebody else.
            break;
        }
        let mut status = ClusterStatus::clone(&found.status);
        status
            .accept_loss(&loss.namespace, loss.shard)
            .map_err(|error| AcceptLossFailure::Refused {
                place: place.to_string(),
                error,
            })?;
        let document = StatusDocument {
            epoch: found.epoch,
            write_id: WriteId {
                epoch: found.epoch,
                request: RequestId(number),
                process: loss.process,
            },
            status: Arc::new(status),
            admits: false,
        };
        let access = access(client, place, layout);
        reason = match access.write(Some(&found.version), document).await {
            StoreOutcome::Stored(_) => return Ok(()),
            StoreOutcome::Ambiguous(reason) | StoreOutcome::Conflict(reason) => {
                before = Some(shard);
                reason
            }
            StoreOutcome::Unavailable { after, reason } => {
                sleep(after).await;
                reason
            }
            StoreOutcome::Corrupt(reason)
            | StoreOutcome::Forbidden(reason)
            | StoreOutcome::Invalid(reason)
            | StoreOutcome::TooLarge(reason) => {
                let place = place.to_string();
                return Err(AcceptLossFailure::NotWritten { place, reason });
            }
        };
    }
    let place = place.to_string();
    Err(AcceptLossFailure::Unknown { place, reason })
}

fn access(client: &Client, place: &ObjectName, layout: Layout) -> Access {
    let own = OwnStores::default();
    Access::new(client.clone(), place.clone(), layout, false, own)
}

/// The document, and how it is written.
async fn load(
    client: &Client,
    place: &ObjectName,
) -> Result<(LoadedStatus, Layout), AcceptLossFailure> {
    let access = access(client, place, Layout::default());
    let reason = match access.load().await {
        LoadOutcome::Found(found) => {
            let layout = access.seen().and_then(|it| it.layouts.first().copied());
            return Ok((found, layout.unwrap_or_default()));
        }
        LoadOutcome::Absent { .. } => "there is no status".to_owned(),
        LoadOutcome::Corrupt(reason)
        | LoadOutcome::Forbidden(reason)
        | LoadOutcome::Unavailable { reason, .. } => reason,
    };
    let place = place.to_string();
    Err(AcceptLossFailure::Unreadable { place, reason })
}

fn shard_of<'a>(status: &'a ClusterStatus, loss: &AcceptLoss) -> Option<&'a Arc<ShardMetadata>> {
    let namespace = status.namespaces.get(loss.namespace.as_str())?;
    namespace.shards.get(&loss.shard)
}
