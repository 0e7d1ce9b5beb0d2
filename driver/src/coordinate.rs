//! `stepdown coordinator`: the event loop, with the backend, the ports and the metrics that were
//! asked for.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use stepdown_backends::{Backend, Candidate, StatusSize, StatusStore};
use stepdown_core::lease::LeaseTiming;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Options, ProcessId, Report, Timing, Version};
use tokio::sync::watch;
use tonic::service::Routes;
use tracing::info;

use crate::cli::{LeaseProfile, Session};
use crate::data_servers::CallOptions;
use crate::event_loop::Coordinator;
use crate::observe::{Metrics, log_report};
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
    let mut machine = machine_options(timing(lease_profile))?;
    let candidate = candidate(&options.name, &machine, lease(lease_profile));
    let backend = options.provider.open(&candidate).await;
    let backend = backend.map_err(|error| StartError(error.to_string()))?;
    machine.timing.head_check_every = backend.head_check_every;
    tokio::spawn(follow_size(backend.sizes.clone(), metrics.clone()));
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

/// Ends with the backend.
async fn follow_size(mut sizes: watch::Receiver<Option<StatusSize>>, metrics: Metrics) {
    while sizes.changed().await.is_ok() {
        if let Some(size) = *sizes.borrow_and_update() {
            metrics.status_size(size.bytes, size.limit);
        }
    }
}

fn candidate(name: &str, machine: &Options, timing: LeaseTiming) -> Candidate {
    Candidate {
        name: name.into(),
        process: machine.process,
        // By the downward API, where the manifest has it.
        pod: std::env::var("POD_UID")
            .ok()
            .filter(|uid| !uid.trim().is_empty())
            .map(Into::into),
        seed: machine.seed,
        timing,
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

fn timing(profile: LeaseProfile) -> Timing {
    Timing {
        lease: lease(profile).lease,
        office_within: lease(profile).lease * 2,
        ..Timing::default()
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
