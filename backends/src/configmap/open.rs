//! Documents and leadership, together.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::lease::LeaseOptions;
use tokio::sync::watch;

use super::clients::Clients;
use super::documents::ConfigMapDocuments;
use super::error::ConfigMapError;
use super::lease::{Introduction, LeaseClient, LeaseLeadership, Parts};
use super::options::ConfigMapOptions;
use super::pace::Pace;
use super::watch::{Follower, Looks};
use crate::backend::{Backend, no_failure};
use crate::candidate::Candidate;

/// Hints come from a watch, or from looks of our own where we may not watch; this is for a watch
/// that has died unnoticed.
const HEAD_CHECK: Duration = Duration::from_secs(15);

/// Opens the backend, at the API server that the surroundings name. Must be called within a
/// runtime, where it leaves tasks that end with the backend.
pub(crate) async fn open(
    options: &ConfigMapOptions,
    candidate: &Candidate,
) -> Result<Backend, ConfigMapError> {
    open_at(options, candidate, &Clients::infer().await?)
}

/// Opens the backend at a given API server.
pub fn open_at(
    options: &ConfigMapOptions,
    candidate: &Candidate,
    clients: &Clients,
) -> Result<Backend, ConfigMapError> {
    let timing = candidate.timing.check();
    timing.map_err(ConfigMapError::Timing)?;
    let documents = Arc::new(ConfigMapDocuments::open(options, clients)?);
    let (store, configuration, hints) = (
        documents.store(),
        documents.configuration(),
        documents.hints(),
    );
    let (configuration_store, sizes) = (documents.configuration_store(), documents.sizes());
    let place = documents.place();
    let address = candidate.public_address.clone();
    let introduction = address.map(|address| Introduction {
        holder: candidate.name.clone(),
        address,
    });
    let client = LeaseClient::new(clients.lease.clone(), place.clone());
    let parts = Parts {
        client: client.introducing(introduction),
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
    let lease = lease_options(options, candidate);
    Ok(Backend {
        store,
        leadership: Arc::new(LeaseLeadership::new(lease, parts)),
        configuration,
        configuration_store,
        hints,
        sizes,
        head_check_every: HEAD_CHECK,
        failure: no_failure(),
    })
}

fn lease_options(options: &ConfigMapOptions, candidate: &Candidate) -> LeaseOptions {
    let candidate = candidate.clone();
    LeaseOptions {
        name: candidate.name,
        process: candidate.process,
        pod: candidate.pod,
        seed: candidate.seed,
        timing: candidate.timing,
        flaps: options.flaps,
    }
}
