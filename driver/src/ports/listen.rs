//! Opening the ports before anything else is done, so that a busy one is a clear error.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, lookup_host};

use crate::options::{CoordinatorOptions, Key, PortOptions};
use crate::tls::{self, TlsError};

const BACKLOG: i32 = 1024;

/// The open ports of a coordinator. Nobody is answered yet.
#[derive(Debug)]
pub struct Listeners {
    pub(super) internal: Listener,
    pub(super) public: Listener,
    pub(super) metrics: Option<Listener>,
}

#[derive(Debug)]
pub(super) struct Listener {
    pub socket: TcpListener,
    pub tls: Option<Arc<ServerConfig>>,
}

/// Why a port can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address can't be had.
    #[error("can't listen on {address}, set by {setting}: {source}")]
    Address {
        /// The address.
        address: String,
        /// The key and the flag that set it.
        setting: Key,
        /// The system's words.
        source: io::Error,
    },
    /// Its TLS can't be set up.
    #[error("can't set up TLS for {address}, set by {setting}: {source}")]
    Tls {
        /// The address.
        address: String,
        /// The key and the flag that set it.
        setting: Key,
        /// What is wrong.
        source: TlsError,
    },
}

impl Listeners {
    /// Opens every port of the options.
    pub async fn bind(options: &CoordinatorOptions) -> Result<Self, ListenError> {
        Ok(Self {
            internal: Listener::open(&options.internal, tls::HTTP2).await?,
            public: Listener::open(&options.public, tls::HTTP2).await?,
            metrics: match &options.metrics {
                Some(server) => Some(Listener::open(server, tls::HTTP1).await?),
                None => None,
            },
        })
    }

    /// Where the internal, the public and the metrics port are.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr, Option<SocketAddr>)> {
        Ok((
            self.internal.socket.local_addr()?,
            self.public.socket.local_addr()?,
            match &self.metrics {
                Some(listener) => Some(listener.socket.local_addr()?),
                None => None,
            },
        ))
    }
}

impl Listener {
    async fn open(server: &PortOptions, protocol: &[u8]) -> Result<Self, ListenError> {
        let tls =
            match &server.tls {
                Some(options) => Some(tls::server_config(options, protocol).map_err(|source| {
                    ListenError::Tls {
                        address: server.bind_address.clone(),
                        setting: server.setting,
                        source,
                    }
                })?),
                None => None,
            };
        let socket = open(&server.bind_address)
            .await
            .map_err(|source| ListenError::Address {
                address: server.bind_address.clone(),
                setting: server.setting,
                source,
            })?;
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
