//! Why nothing was measured.

use std::time::Duration;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A data server did not start.
    #[error("a sandbox data server did not start: {0}")]
    Server(#[from] stepdown_sandbox::server::StartError),
    /// The cluster did not become what it should.
    #[error("gave up after {0:?} waiting until {1}")]
    Stuck(Duration, &'static str),
}
