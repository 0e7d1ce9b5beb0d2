//! Connections as they come in, with TLS or without.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tracing::{debug, warn};

use super::listener::Listener;

const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait when the system has no more file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// The connections of one port.
pub struct Connections(mpsc::Receiver<Connection>);

/// One connection.
pub enum Connection {
    /// Plaintext.
    Plain(TcpStream),
    /// After its handshake.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connections {
    /// Accepts until `stop`, or until this is dropped. A slow handshake keeps nobody waiting.
    pub fn accept(listener: Listener, stop: CancellationToken) -> Self {
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(async move {
            let _ = stop.run_until_cancelled(accept_all(listener, sender)).await;
        });
        Self(receiver)
    }
}

async fn accept_all(listener: Listener, connections: mpsc::Sender<Connection>) {
    let acceptor = listener.tls.map(TlsAcceptor::from);
    while !connections.is_closed() {
        let stream = match listener.socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "Can't accept a connection"
                );
                sleep(EXHAUSTED).await;
                continue;
            }
        };
        // It only costs latency when it fails.
        let _ = stream.set_nodelay(true);
        match &acceptor {
            Some(acceptor) => {
                tokio::spawn(shake_hands(acceptor.clone(), stream, connections.clone()));
            }
            None => {
                let _ = connections.send(Connection::Plain(stream)).await;
            }
        }
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    connections: mpsc::Sender<Connection>,
) {
    let peer = stream.peer_addr().ok();
    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            // Its receiver goes only at the end of the server.
            let _ = connections.send(Connection::Tls(Box::new(stream))).await;
        }
        Ok(Err(error)) => told(peer, &error),
        Err(elapsed) => told(peer, &elapsed.into()),
    }
}

fn told(peer: Option<SocketAddr>, error: &io::Error) {
    let peer = peer.map(|peer| peer.to_string());
    debug!(
        peer,
        error = error as &dyn std::error::Error,
        "A TLS handshake failed"
    );
}

impl Stream for Connections {
    type Item = Connection;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Connection>> {
        self.0.poll_recv(context)
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        match self {
            Self::Plain(stream) => stream.connect_info(),
            Self::Tls(stream) => stream.get_ref().0.connect_info(),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, data),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
