//! Serving the ports, and closing them without waiting for those who only watch.

use std::time::Duration;

use stepdown_wire::port::{Connections, Listener};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};
use tracing::{error, info};

use super::listen::{GrpcPort, Listeners};
use super::scrape::serve_metrics;
use crate::observe::Metrics;

/// How long calls that are under way may take when the ports close.
const GRACE: Duration = Duration::from_secs(1);
/// Silent connections are asked for a sign of life so often, and let go after the same time again.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Calls of one connection that are worked on at once. A probe makes one.
const CALLS: u32 = 16;
/// A connection on which more calls than that are begun ends after so many of them. One may begin a few before
/// it has heard how many it may have.
const EXCESS: usize = 256;
/// For one call to come by and be answered. What is streamed takes as long as it takes.
const CALL: Duration = Duration::from_secs(10);
/// The largest question about health, in bytes: it has the name of a service.
const QUESTION: usize = 1 << 10;
/// What one call may have sent that was not looked at yet, in bytes.
const WINDOW: u32 = 16 << 10;
/// The same for all calls of a connection.
const CONNECTION_WINDOW: u32 = 64 << 10;
/// What the head of a call may have, in bytes.
const HEADERS: u32 = 4 << 10;
/// The same where tokens are asked for.
const HEADERS_WITH_TOKEN: u32 = HEADERS + (16 << 10);

/// The service that is SERVING while this coordinator could lead. "" is whether it runs: to restart one
/// that can't lead would not help.
const READINESS: &str = "stepdown-readiness";

/// The ports, answering. The service "" is SERVING from the start, on standbys too.
pub struct Ports {
    health: HealthReporter,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Ports {
    /// Answers on every port; `admin` is what the public one has besides health.
    pub fn start(listeners: Listeners, admin: Routes, metrics: &Metrics) -> Self {
        let health = HealthReporter::new();
        let service = HealthService::from_health_reporter(health.clone());
        let service = HealthServer::new(service).max_decoding_message_size(QUESTION);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let internal = Routes::new(service.clone());
        for (name, port, routes) in [
            ("coordinator", listeners.internal, internal),
            ("public", listeners.public, with_health(admin, service)),
        ] {
            tasks.spawn(serve_grpc(
                name,
                port,
                in_words(routes),
                metrics.clone(),
                stop.clone(),
            ));
        }
        if let Some(listener) = listeners.metrics {
            info!(
                bind_address = bound_to(&listener),
                tls = listener.tls.is_some(),
                "Serving metrics"
            );
            let connections = Connections::accept(listener, stop.clone());
            tasks.spawn(serve_metrics(metrics.clone(), connections, stop.clone()));
        }
        Self {
            health,
            stop,
            tasks,
        }
    }

    /// Says whether this coordinator could lead, under a service name of its own.
    pub async fn ready(&self, is_ready: bool) {
        let status = match is_ready {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        self.health.set_service_status(READINESS, status).await;
    }

    /// Answers NOT_SERVING from now on: this process is about to end.
    pub async fn not_serving(&self) {
        for service in ["", READINESS] {
            self.health
                .set_service_status(service, ServingStatus::NotServing)
                .await;
        }
    }

    /// Closes the ports. Calls under way have a second; those who watch the health are told
    /// NOT_SERVING, and their streams end.
    pub async fn close(mut self) {
        self.not_serving().await;
        self.stop.cancel();
        for service in ["", READINESS] {
            self.health.clear_service_status(service).await;
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(GRACE, all).await.is_err() {
            info!("Calls are still under way; closing without them");
        }
        self.tasks.shutdown().await;
    }
}

fn with_health(admin: Routes, health: HealthServer<impl Health>) -> Routes {
    admin.add_service(health)
}

/// Says of each method that there is not what it is, and what there is: many ask for the admin API at the
/// other port.
fn in_words(routes: Routes) -> Routes {
    let router = routes.into_axum_router();
    let router = router.fallback(|uri: http::Uri| async move {
        // Whoever asks could make it as long as a header may be.
        let asked: String = uri.path().chars().skip(1).take(100).collect();
        let told = format!(
            "a coordinator does not answer {asked} here, but grpc.health.v1.Health, and on its public port (6651 \
             unless the options say otherwise) io.oxia.proto.v1.OxiaAdmin and stepdown.operator.v1.Operator"
        );
        Status::unimplemented(told).into_http::<Body>()
    });
    router.into()
}

async fn serve_grpc(
    name: &'static str,
    port: GrpcPort,
    routes: Routes,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let GrpcPort { listener, door } = port;
    info!(
        grpc_server = name,
        bind_address = bound_to(&listener),
        tls = listener.tls.is_some(),
        tokens = door.asks(),
        "Started Grpc server"
    );
    door.begin();
    let head = match door.asks() {
        true => HEADERS_WITH_TOKEN,
        false => HEADERS,
    };
    let connections = Connections::accept(listener, stop.clone());
    let served = bounded()
        .http2_max_header_list_size(head)
        .layer(metrics.count_served())
        .layer(door)
        .serve_with_incoming_shutdown(
            routes.prepare(),
            connections.map(Ok::<_, std::io::Error>),
            stop.cancelled_owned(),
        )
        .await;
    match served {
        Ok(()) => info!(grpc_server = name, "Stopped Grpc server"),
        Err(error) => error!(
            grpc_server = name,
            error = &error as &dyn std::error::Error,
            "The Grpc server failed"
        ),
    }
}

fn bound_to(listener: &Listener) -> Option<String> {
    let address = listener.socket.local_addr();
    address.ok().map(|address| address.to_string())
}

/// A server of which strangers can't have much.
fn bounded() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(WINDOW)
        .max_concurrent_streams(CALLS)
        .http2_max_local_error_reset_streams(Some(EXCESS))
        .timeout(CALL)
}

#[cfg(test)]
mod strangers;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) mod tokens;
