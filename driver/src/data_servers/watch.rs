//! Health watches.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::unfold;
use stepdown_core::call::CallError;
use tokio_stream::Stream;
use tonic::Streaming;
use tonic_health::pb::HealthCheckResponse;
use tonic_health::pb::health_check_response::ServingStatus;

use super::failure::{call_error, stream_ended};
use super::server::{Server, whole_server};

enum Watch {
    Ended,
    Failed(CallError),
    Open(Box<Streaming<HealthCheckResponse>>),
    Unopened(Arc<Server>),
}

/// Opens the watch when first polled.
pub(super) fn health(
    server: Result<Arc<Server>, CallError>,
) -> Pin<Box<dyn Stream<Item = Result<bool, CallError>> + Send>> {
    let watch = match server {
        Ok(server) => Watch::Unopened(server),
        Err(error) => Watch::Failed(error),
    };
    Box::pin(unfold(watch, next))
}

async fn next(mut watch: Watch) -> Option<(Result<bool, CallError>, Watch)> {
    loop {
        watch = match watch {
            Watch::Ended => return None,
            Watch::Failed(error) => return Some((Err(error), Watch::Ended)),
            Watch::Open(mut stream) => match stream.message().await {
                Ok(Some(response)) => {
                    let serving = response.status == ServingStatus::Serving as i32;
                    return Some((Ok(serving), Watch::Open(stream)));
                }
                Ok(None) => Watch::Failed(stream_ended("Health/Watch")),
                Err(status) => Watch::Failed(call_error(&status)),
            },
            Watch::Unopened(server) => match server.health().watch(whole_server()).await {
                Ok(response) => Watch::Open(Box::new(response.into_inner())),
                Err(status) => Watch::Failed(call_error(&status)),
            },
        };
    }
}
