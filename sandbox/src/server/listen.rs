//! The sockets of a data server.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::faults::Faults;

/// Listens, on a thread of the server's own runtime.
pub(super) async fn bind(runtime: &Handle, address: SocketAddr) -> io::Result<TcpListener> {
    let bound = runtime.spawn(TcpListener::bind(address)).await;
    bound.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Takes connections; while a fault forbids it, they are not served.
pub(super) fn accept(
    listener: TcpListener,
    faults: &Faults,
) -> ReceiverStream<io::Result<TcpStream>> {
    let mut faults = faults.watch();
    let (accepted, connections) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let connection = tokio::select! {
                connection = listener.accept() => connection,
                () = accepted.closed() => return,
            };
            let connection = connection.and_then(|(connection, _)| {
                connection.set_nodelay(true)?;
                Ok(connection)
            });
            let served = faults.wait_for(|set| !set.stop_accepting).await.is_ok();
            if !served || accepted.send(connection).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(connections)
}
