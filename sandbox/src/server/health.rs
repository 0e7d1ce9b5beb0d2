//! `grpc.health.v1.Health` for the services "" and "oxia-readiness".

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::node::Node;

const READINESS: &str = "oxia-readiness";

type Answer = Result<HealthCheckResponse, Status>;

/// The service, on both ports.
pub(super) struct HealthService(pub(super) Arc<Node>);

#[tonic::async_trait]
impl Health for HealthService {
    type WatchStream = Pin<Box<dyn Stream<Item = Answer> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.faults.pass("Check").await;
        let status = self.0.serving(&request.into_inner().service);
        if status == ServingStatus::ServiceUnknown {
            return Err(Status::not_found("unknown service"));
        }
        Ok(Response::new(answer(status)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.0.faults.pass("Watch").await;
        let (answers, stream) = mpsc::channel(1);
        let watch = self.0.clone().watch(request.into_inner().service, answers);
        tokio::spawn(watch);
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

impl Node {
    fn serving(&self, service: &str) -> ServingStatus {
        let known = match service {
            "" => true,
            READINESS => self.assignments.pushes() > 0,
            _ => false,
        };
        if !known {
            ServingStatus::ServiceUnknown
        } else if self.stopping.is_cancelled() || self.faults.watch().borrow().not_serving {
            ServingStatus::NotServing
        } else {
            ServingStatus::Serving
        }
    }

    /// Tells each change, until the caller goes, the server stops, or a fault ends it.
    async fn watch(self: Arc<Self>, service: String, answers: mpsc::Sender<Answer>) {
        let mut faults = self.faults.watch();
        let mut breaks = self.faults.watch_breaks();
        let mut assigned = self.assignments.watch();
        let mut told = None;
        loop {
            let status = self.serving(&service);
            if told.replace(status) != Some(status)
                && answers.send(Ok(answer(status))).await.is_err()
            {
                return;
            }
            if self.stopping.is_cancelled() {
                return;
            }
            tokio::select! {
                _ = faults.changed() => {}
                _ = assigned.changed() => {}
                () = self.stopping.cancelled() => {}
                () = answers.closed() => return,
                _ = breaks.changed() => {
                    let _ = answers.send(Err(Status::unavailable("the watch is broken"))).await;
                    return;
                }
            }
        }
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
