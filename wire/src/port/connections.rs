//! Connections as they come in, with TLS or without.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use super::listener::Listener;
use super::patience::Patience;
use super::peer::Peer;
use super::places::{Place, Places};
use super::room::room;
use super::silent::Silent;
use crate::tls::{ServerTls, names};

/// For the handshake of TLS, and once more for the first words.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The length of what every HTTP/2 connection begins with (RFC 9113, 3.4), in bytes.
const PREFACE: usize = 24;
/// So many that have said something wait in a line.
const WAITING: usize = 16;
/// How long to wait when the system has no more file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// The connections of one port.
pub struct Connections(mpsc::Receiver<Connection>);

/// One connection whose client has begun as HTTP/2 does.
pub struct Connection {
    stream: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    /// What it began with, which is yet to be read, from `read` on.
    preface: [u8; PREFACE],
    read: usize,
    writing: Patience,
    // TLS takes in what it can't send yet: it is the flush that waits.
    flushing: Patience,
    // There is room for another once this is dropped.
    place: Place,
}

impl Connections {
    /// Accepts until `stop`, or until this is dropped. A slow handshake keeps nobody waiting.
    pub fn accept(listener: Listener, stop: CancellationToken) -> Self {
        let room = room();
        Self::accept_with(Places::new(room), Silent::new(room), listener, stop)
    }

    fn accept_with(
        places: Places,
        silent: Silent,
        listener: Listener,
        stop: CancellationToken,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let doors = Doors {
                connections: sender,
                places,
            };
            let _ = stop
                .run_until_cancelled(accept_all(listener, doors, silent))
                .await;
        });
        Self(receiver)
    }
}

/// Where connections come in that have said something, and how many more may.
#[derive(Clone)]
struct Doors {
    connections: mpsc::Sender<Connection>,
    places: Places,
}

async fn accept_all(listener: Listener, doors: Doors, mut silent: Silent) {
    while !doors.connections.is_closed() {
        let (stream, peer) = match listener.socket.accept().await {
            Ok(accepted) => accepted,
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
        let heard = match &listener.tls {
            Some(tls) => tokio::spawn(shake_hands(tls.clone(), stream, peer, doors.clone())),
            None => tokio::spawn(hear(Either::Left(stream), peer.ip(), doors.clone())),
        };
        silent.add(peer.ip(), heard.abort_handle());
    }
}

async fn shake_hands(tls: ServerTls, stream: TcpStream, peer: SocketAddr, doors: Doors) {
    match timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => hear(Either::Right(Box::new(stream)), peer.ip(), doors).await,
        Ok(Err(error)) => told(peer, &error),
        Err(elapsed) => told(peer, &elapsed.into()),
    }
}

/// Lets go of whoever says nothing: HTTP/2 looks for signs of life only after its first words.
async fn hear(
    mut stream: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    peer: IpAddr,
    doors: Doors,
) {
    let mut preface = [0; PREFACE];
    if let Ok(Ok(_)) = timeout(HANDSHAKE, stream.read_exact(&mut preface)).await {
        let Some(place) = doors.places.take(peer) else {
            return;
        };
        let connection = Connection {
            stream,
            preface,
            read: 0,
            writing: Patience::default(),
            flushing: Patience::default(),
            place,
        };
        // It waits for its turn as one that was heard, and not among those that are silent. Its receiver
        // goes only at the end of the server.
        tokio::spawn(async move { doors.connections.send(connection).await });
    }
}

fn told(peer: SocketAddr, error: &io::Error) {
    debug!(
        %peer,
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
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        let (stream, tls) = match &self.stream {
            Either::Left(stream) => (stream, None),
            Either::Right(stream) => {
                let (stream, tls) = stream.get_ref();
                (stream, Some(tls))
            }
        };
        // One that was shown was verified in the handshake, which fails otherwise.
        let shown = tls.and_then(|tls| tls.peer_certificates()?.first());
        Peer {
            remote: stream.peer_addr().ok(),
            local: stream.local_addr().ok(),
            is_encrypted: tls.is_some(),
            names: shown.map(names).unwrap_or_default().into(),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.place.poll_kept(context)?;
        let rest = this.preface.get(this.read..).unwrap_or_default();
        let rest = rest.get(..buffer.remaining()).unwrap_or(rest);
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        buffer.put_slice(rest);
        this.read += rest.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.place.poll_kept(context)?;
        let written = Pin::new(&mut this.stream).poll_write(context, data);
        this.writing.with(context, written)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.place.poll_kept(context)?;
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        this.flushing.with(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(&mut this.stream).poll_shutdown(context);
        this.flushing.with(context, closed)
    }
}

#[cfg(test)]
mod tests;
