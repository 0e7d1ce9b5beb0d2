//! Why there is no connection to a data server.

use std::error::Error;
use std::io;
use std::sync::Arc;

use tokio::task::JoinError;

/// Why there is no connection. Clones go to everybody who waited for the dial.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("the dial was given up: {0}")]
    Dropped(Arc<JoinError>),
    #[error("http/2: {0}")]
    Http(Arc<hyper::Error>),
    #[error("http/2 was not agreed upon in the tls handshake: is this a gRPC port?")]
    NotHttp2,
    #[error("{0}")]
    Tcp(Arc<io::Error>),
    #[error("tls: {0}")]
    Tls(Arc<dyn Error + Send + Sync>),
}

impl DialError {
    pub fn tls(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Tls(Arc::new(error))
    }
}
