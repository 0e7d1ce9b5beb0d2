//! Why `stepdown coordinator` fails.

use std::io;
use std::sync::Arc;

use stepdown_backends::OpenError;

use crate::audit::AuditError;
use crate::observe::AlreadySet;
use crate::options::OptionsError;
use crate::ports::ListenError;
use stepdown_wire::tls::TlsError;

/// Why `stepdown coordinator` fails.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// Changes can't be written down.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// There is no source of chance for the process' identity.
    #[error("no random number: {0}")]
    Chance(getrandom::Error),
    /// The backend can't be used.
    #[error(transparent)]
    Backend(#[from] OpenError),
    /// The backend can't go on.
    #[error("the metadata store has failed, and needs a new start: {0}")]
    BackendFailed(Arc<str>),
    /// TLS towards data servers can't be set up.
    #[error("controller.tls: {0}")]
    ControllerTls(TlsError),
    /// A second SIGINT came before everything was closed.
    #[error("interrupted again while closing; ended at once")]
    Interrupted,
    /// There is no thread to answer the ports on.
    #[error("can't start the thread of the ports: {0}")]
    Lane(io::Error),
    /// A port can't be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The logs can't be set up.
    #[error(transparent)]
    Logs(#[from] AlreadySet),
    /// The metrics can't be set up.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// The options can't be used.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Signals can't be listened to.
    #[error("can't handle signals: {0}")]
    Signals(io::Error),
}
