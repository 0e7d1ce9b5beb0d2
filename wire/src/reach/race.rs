//! Several addresses, one connection (RFC 8305, 5): the next one is tried while the last one is silent.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long an address is waited for before the next one is tried beside it.
const BESIDE: Duration = Duration::from_millis(250);

/// The first connection that comes about. Those that come later are closed.
pub(super) async fn first(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut rest = addresses.iter().copied();
    let mut failure = io::Error::other("the host has no address");
    loop {
        match rest.next() {
            Some(address) => drop(attempts.spawn(TcpStream::connect(address))),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        tokio::select! {
            Some(ended) = attempts.join_next() => match ended {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = error,
                Err(error) => failure = io::Error::other(error),
            },
            () = sleep(BESIDE), if rest.len() > 0 => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address that never answers: its queue of connections is full.
    async fn silent() -> Option<(TcpListener, SocketAddr, Vec<TcpStream>)> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for _ in 0..64 {
            let connect = TcpStream::connect(address);
            match tokio::time::timeout(Duration::from_millis(200), connect).await {
                Ok(connected) => waiting.push(connected.unwrap()),
                Err(_) => return Some((listener, address, waiting)),
            }
        }
        None
    }

    #[tokio::test]
    async fn an_address_that_is_silent_keeps_nobody_from_the_next() {
        let Some((_listener, silent, _waiting)) = silent().await else {
            eprintln!("Not tried: no address can be made silent here");
            return;
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = first(&[silent, address]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_followed_by_the_next_and_the_last_error_is_told() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refused = gone.local_addr().unwrap();
        drop(gone);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = first(&[refused, address]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        let error = first(&[refused]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(first(&[]).await.is_err());
    }
}
