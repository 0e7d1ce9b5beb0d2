//! The backend that was asked for, opened.

use stepdown_backends::Backend;
use stepdown_backends::configmap::{ConfigMapBackend, ConfigMapOptions, StatusSize};
use stepdown_backends::file::{FileBackend, FileOptions};
use stepdown_backends::memory::MemoryCluster;
use stepdown_core::Options;
use stepdown_core::lease::{FlapLimit, LeaseOptions, LeaseTiming};
use tokio::sync::watch;

use super::error::CoordinatorError;
use crate::observe::metrics::Documents;
use crate::options::{CoordinatorOptions, Provider};

/// Opens it for the coordinator that `machine` is to be.
pub(super) async fn open(
    options: &CoordinatorOptions,
    machine: &Options,
    timing: LeaseTiming,
    metrics: &Documents,
) -> Result<Backend, CoordinatorError> {
    match &options.provider {
        Provider::File {
            status,
            config,
            initialize_empty_status,
            allow_network_filesystem,
        } => {
            let file = FileOptions {
                status: status.clone(),
                configuration: config.clone(),
                initialize_empty_status: *initialize_empty_status,
                name: options.name.clone(),
                allow_network_filesystem: *allow_network_filesystem,
            };
            Ok(FileBackend::open(file)?)
        }
        Provider::ConfigMap(kubernetes) => {
            let lease = lease_options(&options.name, machine, timing, kubernetes.flap_limit);
            let documents = ConfigMapOptions {
                namespace: kubernetes.namespace.clone(),
                status_name: kubernetes.status_name.clone(),
                config_name: kubernetes.config_name.clone(),
                layout: kubernetes.layout,
                initialize_empty_status: kubernetes.initialize_empty_status,
            };
            let (backend, sizes) = ConfigMapBackend::open(documents, lease).await?;
            tokio::spawn(follow_size(sizes, metrics.clone()));
            Ok(backend)
        }
        Provider::Memory => Ok(MemoryCluster::new().backend(&options.name)),
    }
}

/// Ends with the backend.
async fn follow_size(mut sizes: watch::Receiver<Option<StatusSize>>, metrics: Documents) {
    while sizes.changed().await.is_ok() {
        if let Some(size) = *sizes.borrow_and_update() {
            metrics.room_taken(size.bytes, size.limit);
        }
    }
}

fn lease_options(
    name: &str,
    machine: &Options,
    timing: LeaseTiming,
    flap_limit: u32,
) -> LeaseOptions {
    LeaseOptions {
        name: name.into(),
        process: machine.process,
        // By the downward API, where the manifest has it.
        pod: std::env::var("POD_UID")
            .ok()
            .filter(|uid| !uid.trim().is_empty())
            .map(Into::into),
        seed: machine.seed,
        timing,
        flaps: FlapLimit {
            losses: flap_limit,
            ..FlapLimit::default()
        },
    }
}
