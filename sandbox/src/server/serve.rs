//! A data server that runs until it is asked to end.

use tokio::signal::unix::{SignalKind, signal};

use super::data_server::{DataServer, DataServerOptions, StartError};

/// Why a data server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It would not hear that it is to end.
    #[error("can't handle signals: {0}")]
    Signals(#[from] std::io::Error),
}

/// Is a data server until SIGTERM or SIGINT.
pub async fn serve(options: DataServerOptions) -> Result<(), ServeError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = DataServer::start(options).await?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    server.shutdown().await;
    Ok(())
}
