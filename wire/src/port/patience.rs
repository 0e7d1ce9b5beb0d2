//! Connections to somebody who takes nothing of what is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// So long somebody may take nothing of what is sent. What waits for them is kept in memory.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long one operation on a connection has waited for the other side.
#[derive(Default)]
pub(super) struct Patience(Option<Pin<Box<Sleep>>>);

impl Patience {
    /// What has become of the operation; it fails once it has waited for too long.
    pub(super) fn with<T>(
        &mut self,
        context: &mut Context<'_>,
        sent: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.0 = None;
            return sent;
        }
        let over = self.0.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        over.as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
