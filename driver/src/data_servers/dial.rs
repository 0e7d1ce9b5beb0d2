//! Opening one HTTP/2 connection: name, TCP, TLS, preface.

use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::body::Body;
use tower::Service;
use tracing::debug;

use super::address::Address;
use super::dial_error::DialError;
use super::system_tls::SystemTls;
use super::tcp;
use stepdown_wire::reach::Limits;
use stepdown_wire::tls::{Connector, HTTP2};

/// Data servers shut out whoever pings more often than every 5 s.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_DEADLINE: Duration = Duration::from_secs(3);
/// What one call's answer may have that was not read yet, and what those of a connection may have
/// together, in bytes.
const WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Opens connections.
pub(super) struct Dialer {
    tls: Option<Connector>,
    system_tls: SystemTls,
    limits: Limits,
}

impl Dialer {
    /// One that waits so long for each part of the way: the name, TCP, TLS.
    pub fn new(tls: Option<Connector>, deadline: Duration) -> Self {
        let limits = Limits::each(deadline);
        Self {
            tls: tls.map(|connector| connector.within(limits)),
            system_tls: SystemTls::default(),
            limits,
        }
    }

    /// Whether every address is encrypted, with or without `tls://`.
    pub fn always_encrypts(&self) -> bool {
        self.tls.is_some()
    }

    /// Opens a connection. It closes when every clone of the sender is gone and the last request
    /// has been answered.
    pub async fn dial(&self, address: &Address) -> Result<SendRequest<Body>, DialError> {
        let stream = match &self.tls {
            Some(connector) => {
                let dial = connector.clone().call(address.origin.clone());
                dial.await.map_err(DialError::tls)?.into_inner()
            }
            None if address.tls => self.system_tls.connect(address, self.limits).await?,
            None => {
                let reached = tcp::connect(address, self.limits).await?;
                reached.attempt.succeeded();
                return speak_http2(reached.stream, address).await;
            }
        };
        speak_http2(agreed(stream)?, address).await
    }
}

fn agreed(stream: TlsStream<TcpStream>) -> Result<TlsStream<TcpStream>, DialError> {
    match stream.get_ref().1.alpn_protocol() {
        Some(HTTP2) => Ok(stream),
        Some(_) | None => Err(DialError::NotHttp2),
    }
}

async fn speak_http2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: &Address,
) -> Result<SendRequest<Body>, DialError> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_DEADLINE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // An election cancels its late calls by the hundred, and their answers are already on the
        // way. By default those end the connection: as errors of forgotten streams, after 1,024 of
        // them; as data of remembered ones, which h2 counts as unread for ever.
        .max_local_error_reset_streams(None)
        .max_concurrent_reset_streams(0);
    let (sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| DialError::Http(Arc::new(error)))?;
    let authority = Arc::clone(&address.authority);
    tokio::spawn(async move {
        match connection.await {
            Ok(()) => debug!(address = %authority, "Connection to data server closed"),
            Err(error) => debug!(
                address = %authority,
                error = &error as &dyn std::error::Error,
                "Connection to data server closed"
            ),
        }
    });
    Ok(sender)
}
