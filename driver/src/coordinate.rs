//! `stepdown coordinator`: the event loop, with the backend, the ports and the metrics that were
//! asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use stepdown_backends::configmap::{ConfigMapBackend, ConfigMapOptions, StatusSize};
use stepdown_backends::file::{FileBackend, FileOptions};
use stepdown_backends::memory::MemoryCluster;
use stepdown_backends::{Backend, StatusStore};
use stepdown_core::lease::{FlapLimit, LeaseOptions, LeaseTiming};
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Options, ProcessId, Report, Timing, Version};
use tokio::sync::watch;
use tonic::service::Routes;
use tracing::info;

use crate::cli::{LeaseProfile, Session};
use crate::data_servers::CallOptions;
use crate::event_loop::Coordinator;
use crate::observe::{Metrics, log_report};
use crate::options::{CoordinatorOptions, Provider};
use crate::ports::Ports;
use crate::tls::Connector;

/// Runs a coordinator until it is told to stop.
pub async fn run(session: Session) -> Result<(), StartError> {
    let Session {
        options,
        lease_profile,
        listeners,
        metrics,
        stop,
    } = session;
    let machine = machine_options(timing(lease_profile, &options.provider))?;
    let backend = backend(&options, &machine, lease(lease_profile), &metrics).await?;
    let backend = measured(backend, &metrics);
    let tls = options
        .controller_tls
        .as_ref()
        .map(Connector::new)
        .transpose();
    let tls = tls.map_err(|error| StartError(format!("controller.tls: {error}")))?;
    let servers = CallOptions {
        tls,
        counters: Some(metrics.count_made()),
        ..CallOptions::default()
    };
    let ports = Ports::start(listeners, Routes::default(), &metrics);

    info!(name = options.name, process = %machine.process, "Campaigning");
    let observed = metrics.clone();
    let coordinator = Coordinator {
        options: machine,
        backend,
        servers,
        drain: lease(lease_profile).drain,
        reports: Arc::new(move |report: &Report| {
            log_report(report);
            observed.report(report);
        }),
        stop: stop.clone(),
    };
    let (_view, run) = coordinator.run();
    let not_serving = async {
        stop.cancelled().await;
        ports.not_serving().await;
    };
    tokio::join!(run, not_serving);
    ports.close().await;
    Ok(())
}

/// Why a coordinator can't start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

async fn backend(
    options: &CoordinatorOptions,
    machine: &Options,
    timing: LeaseTiming,
    metrics: &Metrics,
) -> Result<Backend, StartError> {
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
            FileBackend::open(file).map_err(|error| StartError(error.to_string()))
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
            let opened = ConfigMapBackend::open(documents, lease).await;
            let (backend, sizes) = opened.map_err(|error| StartError(error.to_string()))?;
            tokio::spawn(follow_size(sizes, metrics.clone()));
            Ok(backend)
        }
        Provider::Memory => Ok(MemoryCluster::new().backend(&options.name)),
    }
}

/// Ends with the backend.
async fn follow_size(mut sizes: watch::Receiver<Option<StatusSize>>, metrics: Metrics) {
    while sizes.changed().await.is_ok() {
        if let Some(size) = *sizes.borrow_and_update() {
            metrics.status_size(size.bytes, size.limit);
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

/// The same backend, whose reads are counted.
fn measured(backend: Backend, metrics: &Metrics) -> Backend {
    let store = Arc::new(Measured {
        store: backend.store.clone(),
        metrics: metrics.clone(),
    });
    Backend { store, ..backend }
}

struct Measured {
    store: Arc<dyn StatusStore>,
    metrics: Metrics,
}

#[async_trait]
impl StatusStore for Measured {
    async fn load(&self) -> LoadOutcome {
        let began = Instant::now();
        let outcome = self.store.load().await;
        self.metrics.metadata_read(began.elapsed());
        if let LoadOutcome::Found(loaded) = &outcome {
            self.metrics.metadata_size(loaded.bytes);
        }
        outcome
    }

    async fn head(&self) -> HeadOutcome {
        let began = Instant::now();
        let outcome = self.store.head().await;
        self.metrics.metadata_read(began.elapsed());
        outcome
    }

    async fn store(&self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome {
        self.store.store(expected, document).await
    }
}

fn timing(profile: LeaseProfile, provider: &Provider) -> Timing {
    let default = Timing::default();
    Timing {
        lease: lease(profile).lease,
        office_within: lease(profile).lease * 2,
        head_check_every: match provider {
            // Its hints come from a watch, or from looks of its own where it may not watch; this is
            // for a watch that has died unnoticed.
            Provider::ConfigMap(_) => Duration::from_secs(15),
            Provider::File { .. } | Provider::Memory => default.head_check_every,
        },
        ..default
    }
}

fn lease(profile: LeaseProfile) -> LeaseTiming {
    match profile {
        LeaseProfile::Default => LeaseTiming::DEFAULT,
        LeaseProfile::Short => LeaseTiming::SHORT,
    }
}

/// Names the process, and seeds its jitter.
fn machine_options(timing: Timing) -> Result<Options, StartError> {
    let chance = |error: getrandom::Error| StartError(format!("no random number: {error}"));
    let mut process = [0; 16];
    getrandom::fill(&mut process).map_err(chance)?;
    let seed = getrandom::u64().map_err(chance)?;
    let process = ProcessId(u128::from_ne_bytes(process));
    Ok(Options {
        process,
        seed,
        timing,
    })
}
