//! The cluster's id: a leader gives it once, and every node keeps it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{debug, error, info};

use super::command::ClusterId;
use super::network::Identity;
use super::node::Node;
use super::storage::{self, Database};

/// How soon a leader tries again, and a node looks whether it leads.
const PAUSE: Duration = Duration::from_millis(500);

/// Gives the cluster this id, should the node lead while there is none; returns once it has one and
/// it is kept in the file.
pub(super) async fn name(
    node: Arc<Node>,
    identity: Identity,
    database: Arc<Database>,
    fresh: ClusterId,
) {
    let mut held = node.held.clone();
    let cluster = loop {
        if let Some(cluster) = held.borrow_and_update().machine.cluster {
            break cluster;
        }
        if node.leads().is_some()
            && let Err(error) = node.name_cluster(fresh).await
        {
            debug!(
                error = &error as &dyn std::error::Error,
                "The cluster could not be given an id yet"
            );
        }
        tokio::select! {
            changed = held.changed() => if changed.is_err() {
                return;
            },
            () = sleep(PAUSE) => {}
        }
    };
    if identity.cluster() == Some(cluster) {
        return;
    }
    let cluster = identity.belongs_to(cluster);
    info!(%cluster, node = node.id(), "The cluster has an id");
    let kept = storage::Identity {
        node: node.id(),
        cluster: Some(cluster),
    };
    let kept = spawn_blocking(move || database.identify(&kept)).await;
    if let Ok(Err(fault)) = kept {
        error!(
            error = &fault as &dyn std::error::Error,
            "The cluster's id can't be kept"
        );
    }
}
