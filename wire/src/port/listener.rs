//! A port, opened before anything else is done, so that a busy one is a clear error.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, lookup_host};

use crate::tls::ServerTls;

const BACKLOG: i32 = 1024;

/// An open port. Nobody is answered yet.
#[derive(Debug)]
pub struct Listener {
    /// Where connections come in.
    pub socket: TcpListener,
    /// `None` is plaintext.
    pub tls: Option<ServerTls>,
}

impl Listener {
    /// Listens on `host:port`; an empty host is every interface.
    pub async fn open(address: &str, tls: Option<ServerTls>) -> io::Result<Self> {
        let socket = open(address).await?;
        Ok(Self { socket, tls })
    }
}

async fn open(address: &str) -> io::Result<TcpListener> {
    let address = match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.to_owned(),
    };
    let mut last = None;
    for address in lookup_host(&address).await? {
        match open_one(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("the host has no address")))
}

/// Every interface means both families, as it does in Go: the default must work where there is
/// only IPv6.
fn open_one(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_unspecified() {
        return listen(address);
    }
    let both = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), address.port());
    match listen(both) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => listen(address),
        result => result,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // A restarted coordinator need not wait for its old connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
