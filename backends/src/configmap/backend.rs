//! Documents and leadership, together.

use std::sync::Arc;

use stepdown_core::lease::LeaseOptions;
use tokio::sync::watch;

use super::lease::{LeaseClient, LeaseLeadership, Parts};
use super::watch::{Follower, Looks};
use super::{Clients, ConfigMapDocuments, ConfigMapError, ConfigMapOptions, Pace, StatusSize};
use crate::backend::Backend;

/// The Kubernetes backend.
pub struct ConfigMapBackend;

impl ConfigMapBackend {
    /// Opens it, at the API server that the surroundings name. Must be called within a runtime,
    /// where it leaves tasks that end with the backend. The second is how full the status ConfigMap
    /// is, once that is known.
    pub async fn open(
        options: ConfigMapOptions,
        lease: LeaseOptions,
    ) -> Result<(Backend, watch::Receiver<Option<StatusSize>>), ConfigMapError> {
        Self::with_clients(&options, lease, &Clients::infer().await?)
    }

    /// Opens it at a given API server.
    pub fn with_clients(
        options: &ConfigMapOptions,
        lease: LeaseOptions,
        clients: &Clients,
    ) -> Result<(Backend, watch::Receiver<Option<StatusSize>>), ConfigMapError> {
        let timing = lease.timing.check();
        timing.map_err(ConfigMapError::Timing)?;
        let documents = Arc::new(ConfigMapDocuments::open(options, clients)?);
        let sizes = documents.sizes();
        let (store, configuration, hints) = (
            documents.store(),
            documents.configuration(),
            documents.hints(),
        );
        let place = documents.access.place.clone();
        let parts = Parts {
            client: LeaseClient::new(clients.lease.clone(), place.clone()),
            follower: Follower {
                client: clients.watch.clone(),
                place,
                looks: Looks::Get,
                pace: Pace::default(),
                // Whoever stands in the election looks by itself.
                polls: false,
                alive: watch::Sender::new(false),
            },
            documents,
        };
        let backend = Backend {
            store,
            leadership: Arc::new(LeaseLeadership::new(lease, parts)),
            configuration,
            hints,
        };
        Ok((backend, sizes))
    }
}
