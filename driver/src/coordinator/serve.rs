//! The event loop, with the backend, the ports and the metrics that were asked for.

use std::sync::Arc;
use std::time::Duration;

use stepdown_backends::ConfigurationSource;
use stepdown_core::Report;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::backend;
use super::error::CoordinatorError;
use super::machine::{self, lease_timing};
use super::measured::measured;
use crate::admin::{self, Access, Protection};
use crate::audit::Audit;
use crate::auth::Policy;
use crate::cli::LeaseProfile;
use crate::configuration::{Judged, follow_wishes};
use crate::data_servers::CallOptions;
use crate::event_loop::Coordinator;
use crate::observe::{Metrics, Readiness, TakeOver, log_report};
use crate::options::CoordinatorOptions;
use crate::ports::{Lane, Listeners, Ports};
use stepdown_wire::tls::Connector;

/// How often it is said that anybody may change the cluster.
const WARN_EVERY: Duration = Duration::from_secs(3_600);

/// What a coordinator is given to serve with.
pub(super) struct Session {
    pub(super) options: CoordinatorOptions,
    pub(super) lease_profile: LeaseProfile,
    /// The open ports; nobody is answered yet.
    pub(super) listeners: Listeners,
    /// Where they are to be answered.
    pub(super) lane: Lane,
    pub(super) metrics: Metrics,
    /// Where changes that people make are written down.
    pub(super) audit: Audit,
    /// Notified when somebody wants files to be read again.
    pub(super) asked: Arc<Notify>,
    /// Cancelled when the process is to end: leave office, close, return.
    pub(super) stop: CancellationToken,
}

/// Serves until it is told to stop.
pub(super) async fn serve(session: Session) -> Result<(), CoordinatorError> {
    let Session {
        options,
        lease_profile,
        listeners,
        lane,
        metrics,
        audit,
        asked,
        stop,
    } = session;
    let lease = lease_timing(lease_profile);
    let mut machine = machine::options(lease)?;
    machine.timing.delete_after = options.hold_deletions;
    let backend = backend::open(&options, &mut machine, lease, &metrics.documents).await?;
    let backend = measured(backend, &metrics.documents);
    let mut failure = backend.failure.clone();
    let over = CancellationToken::new();
    let tls = options
        .controller_tls
        .as_ref()
        .map(Connector::new)
        .transpose();
    let servers = CallOptions {
        tls: tls.map_err(CoordinatorError::ControllerTls)?,
        counters: Some(metrics.count_made()),
        nonsense: Some(metrics.nonsense.clone()),
        ..CallOptions::default()
    };
    info!(name = options.name, process = %machine.process, "Campaigning");
    let readiness = Readiness::new();
    let take_over = TakeOver::default();
    let (observed, met) = (metrics.clone(), readiness.clone());
    let reports: Arc<dyn Fn(&Report) + Send + Sync> = Arc::new(move |report: &Report| {
        log_report(report);
        observed.report(report);
        met.report(report);
        take_over.report(report);
    });
    let obstacle = backend.leadership.obstacle();
    let judged = Judged::new(&*backend.configuration, metrics.documents.clone());
    let public = listeners.addresses().map(|(_, public, _)| public.ip());
    let is_loopback = public.is_ok_and(|address| address.is_loopback());
    let protection = Protection::of(&options, is_loopback);
    metrics
        .admin
        .unprotected(protection == Protection::Disclaimed);
    let (leadership, source, configuration_store) = (
        backend.leadership.clone(),
        backend.configuration.clone(),
        backend.configuration_store.clone(),
    );
    let coordinator = Coordinator {
        options: machine,
        backend,
        configuration: judged.readings(),
        servers,
        drain: lease.drain,
        reports,
        stop: stop.clone(),
    };
    let (asked_of_it, run) = coordinator.run();
    let view = asked_of_it.view;
    let admin = admin::routes(admin::Parts {
        name: options.name.as_str().into(),
        public_address: options.advertised_address,
        view: view.clone(),
        operator: asked_of_it.operator,
        leadership,
        read: source.watch(),
        in_force: judged.in_force(),
        readings: judged.readings(),
        store: configuration_store,
        access: Access::new(Policy::new(options.public.authorization), protection),
        audit,
        runtime: Handle::current(),
        requests: metrics.admin.clone(),
    });
    let ports = {
        let _lane = lane.enter();
        Ports::start(listeners, admin, &metrics)
    };
    let wishes = follow_wishes(judged.in_force(), view, metrics.documents.clone());
    let ready = readiness.follow(obstacle, |is_ready| {
        metrics.able_to_lead(is_ready);
        ports.ready(is_ready)
    });
    let read_again = pass_on(&asked, &*source);
    // They go on until it closes.
    let warned = warn_of(protection);
    let beside = async { tokio::join!(wishes, ready, read_again, warned) };
    let run = async {
        run.await;
        over.cancel();
    };
    let failed = async {
        let failed = failure.wait_for(Option::is_some);
        match over.run_until_cancelled(failed).await {
            Some(Ok(reason)) => {
                stop.cancel();
                reason.clone()
            }
            Some(Err(_)) | None => None,
        }
    };
    let not_serving = async {
        stop.cancelled().await;
        ports.not_serving().await;
    };
    let beside = stop.run_until_cancelled(beside);
    let ((), (), failed, _) = tokio::join!(run, not_serving, failed, beside);
    ports.close().await;
    match failed {
        Some(reason) => Err(CoordinatorError::BackendFailed(reason)),
        None => Ok(()),
    }
}

/// Says again and again that anybody may change the cluster, where that is so.
async fn warn_of(protection: Protection) {
    if protection != Protection::Disclaimed {
        return;
    }
    loop {
        warn!(
            component = "admin",
            "Whoever reaches the port of server.public may change the cluster, since \
             server.public.allowUnauthenticatedAdmin is true"
        );
        sleep(WARN_EVERY).await;
    }
}

/// Has the configuration read again whenever somebody asks for that.
async fn pass_on(asked: &Notify, configuration: &dyn ConfigurationSource) {
    loop {
        asked.notified().await;
        configuration.read_again();
    }
}
