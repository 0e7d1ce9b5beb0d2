//! Changes that come to an end, though whoever asked has gone or is told before that nobody knows yet.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;
use tonic::Status;
use tracing::error;

/// How long whoever asked waits for it. Past 10 s the port breaks off the call, and tells nothing.
const ANSWER: Duration = Duration::from_secs(9);

/// Makes a change on the runtime, and answers what it answers; `undecided` is what nobody knows before that.
pub(super) async fn to_its_end<T: Send + 'static>(
    runtime: &Handle,
    undecided: &str,
    change: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    // It does not share the thread of the ports, which gives way to everything.
    match timeout(ANSWER, runtime.spawn(change)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            error!(
                component = "admin",
                error = &error as &dyn std::error::Error,
                "A change has not come to its end"
            );
            Err(Status::unavailable(format!(
                "it is not known whether {undecided}; look before you try again"
            )))
        }
        Err(_) => Err(Status::unavailable(format!(
            "it is not known yet whether {undecided}, after {ANSWER:?}, and it may be yet; look before you try again"
        ))),
    }
}
