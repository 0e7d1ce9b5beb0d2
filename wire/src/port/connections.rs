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
/// The length of what every HTTP/2 connection begins with (RFC 9113, 3.4), in bytes.
const PREFACE: usize = 24;
/// When to look for the rest of it.
const AGAIN: Duration = Duration::from_millis(20);
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
                tokio::spawn(hear(stream, connections.clone()));
            }
        }
    }
}

/// Lets go of whoever says nothing: HTTP/2 looks for signs of life only after its first words.
async fn hear(stream: TcpStream, connections: mpsc::Sender<Connection>) {
    let greeted = async {
        let mut first = [0; PREFACE];
        loop {
            match stream.peek(&mut first).await {
                Ok(PREFACE) => return true,
                Ok(0) | Err(_) => return false,
                Ok(_) => sleep(AGAIN).await,
            }
        }
    };
    if timeout(HANDSHAKE, greeted).await == Ok(true) {
        // Its receiver goes only at the end of the server.
        let _ = connections.send(Connection::Plain(stream)).await;
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_stream::StreamExt;

    use super::*;

    async fn port() -> (Connections, SocketAddr) {
        let listener = Listener::open("127.0.0.1:0", None).await.unwrap();
        let address = listener.socket.local_addr().unwrap();
        let accepted = Connections::accept(listener, CancellationToken::new());
        (accepted, address)
    }

    // Time is not waited for: it passes when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_or_too_little_is_let_go() {
        let (mut accepted, address) = port().await;
        for said in [&b""[..], b"PRI * HTTP/2.0"] {
            let mut silent = TcpStream::connect(address).await.unwrap();
            silent.write_all(said).await.unwrap();
            let ended = silent.read(&mut [0; 1]).await;
            assert!(ended.is_err() || ended.is_ok_and(|bytes| bytes == 0));
        }
        let none = timeout(HANDSHAKE, accepted.next()).await;
        assert!(none.is_err());
    }

    #[tokio::test]
    async fn whoever_begins_as_http2_does_comes_in_with_all_that_it_said() {
        let (mut accepted, address) = port().await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(&preface[..9]).await.unwrap();
        client.write_all(&preface[9..]).await.unwrap();
        let mut server = accepted.next().await.unwrap();
        let mut heard = [0; PREFACE];
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, preface);
    }
}
