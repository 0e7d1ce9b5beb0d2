//! The signals that end a coordinator.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// SIGINT and SIGTERM, from now on.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Cancels `stop` at the first signal, and returns at a SIGINT after that.
    ///
    /// A repeated SIGTERM changes nothing, since init processes tend to send more than one; a
    /// second SIGINT comes from a terminal.
    pub(super) async fn stop_then_interrupt(&mut self, stop: &CancellationToken) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        info!("Received signal, exiting");
        stop.cancel();
        self.interrupt.recv().await;
    }
}
