//! Runs the election's requests beside its task, within their deadlines.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use k8s_openapi::api::coordination::v1::Lease as Object;
use stepdown_core::lease::{LeaseEvent, LeaseReading, LeaseRecord, LeaseWriting};
use stepdown_core::{RequestId, Timestamp};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::client::LeaseClient;
use super::object::wall_clock;
use crate::clock::boottime;

/// Runs one request, whose answer comes even if it panics.
pub(super) fn answer(
    answers: &mpsc::Sender<(LeaseEvent, Option<Object>)>,
    request: impl Future<Output = (LeaseEvent, Option<Object>)> + Send + 'static,
) {
    let answers = answers.clone();
    tokio::spawn(async move {
        let answer = request.await;
        // Nobody listens only when the task has ended.
        let _ = answers.send(answer).await;
    });
}

pub(super) async fn read(
    client: LeaseClient,
    request: RequestId,
    deadline: Timestamp,
) -> (LeaseEvent, Option<Object>) {
    let (outcome, object) = within(deadline, client.read())
        .await
        .unwrap_or_else(|no_answer| {
            let reason = format!("{}: {no_answer}", client.lease());
            let after = Duration::ZERO;
            (LeaseReading::Unavailable { after, reason }, None)
        });
    (LeaseEvent::LeaseRead { request, outcome }, object)
}

pub(super) async fn write(
    client: LeaseClient,
    request: RequestId,
    before: Option<Object>,
    record: LeaseRecord,
    deadline: Timestamp,
) -> (LeaseEvent, Option<Object>) {
    let (sent, wall) = (boottime(), wall_clock(before.as_ref()));
    let write = client.write(before.as_ref(), &record, wall);
    let (outcome, object) = within(deadline, write).await.unwrap_or_else(|no_answer| {
        let reason = format!("{}: {no_answer}", client.lease());
        (LeaseWriting::Ambiguous(reason), None)
    });
    let event = LeaseEvent::LeaseWritten {
        request,
        sent,
        wall,
        outcome,
    };
    (event, object)
}

/// What came instead of an answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("the request has panicked")]
    Panicked,
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

async fn within<T>(deadline: Timestamp, answer: impl Future<Output = T>) -> Result<T, NoAnswer> {
    let limit = deadline.since(boottime());
    match timeout(limit, AssertUnwindSafe(answer).catch_unwind()).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(NoAnswer::Panicked),
        Err(_) => Err(NoAnswer::TimedOut(limit)),
    }
}
