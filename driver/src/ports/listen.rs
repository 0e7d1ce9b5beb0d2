//! Opening the ports before anything else is done, so that a busy one is a clear error.

use std::io;
use std::net::SocketAddr;

use stepdown_wire::port::Listener;
use stepdown_wire::tls::{self, ServerTls, TlsError};

use crate::auth::{Door, NoKeys, Verifier};
use crate::options::{CoordinatorOptions, Key, PortOptions};

/// The open ports of a coordinator. Nobody is answered yet.
#[derive(Debug)]
pub struct Listeners {
    pub(super) internal: GrpcPort,
    pub(super) public: GrpcPort,
    pub(super) metrics: Option<Listener>,
}

/// An open port, and what stands before calls on it.
#[derive(Debug)]
pub(super) struct GrpcPort {
    pub(super) listener: Listener,
    pub(super) door: Door,
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
    /// The keys that tokens are checked by can't be read.
    #[error("can't check tokens at {address}, set by {setting}: {source}")]
    Keys {
        /// The address.
        address: String,
        /// The key and the flag that set it.
        setting: Key,
        /// What is wrong.
        source: Box<NoKeys>,
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
            internal: open_grpc(&options.internal).await?,
            public: open_grpc(&options.public).await?,
            metrics: match &options.metrics {
                Some(server) => Some(open(server, tls::HTTP1).await?),
                None => None,
            },
        })
    }

    /// Where the internal, the public and the metrics port are.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr, Option<SocketAddr>)> {
        Ok((
            self.internal.listener.socket.local_addr()?,
            self.public.listener.socket.local_addr()?,
            match &self.metrics {
                Some(listener) => Some(listener.socket.local_addr()?),
                None => None,
            },
        ))
    }
}

async fn open_grpc(server: &PortOptions) -> Result<GrpcPort, ListenError> {
    let verifier = server.auth.as_ref().map(Verifier::open).transpose();
    let verifier = verifier.map_err(|source| ListenError::Keys {
        address: server.bind_address.clone(),
        setting: server.setting,
        source: Box::new(source),
    })?;
    Ok(GrpcPort {
        listener: open(server, tls::HTTP2).await?,
        door: Door::new(verifier),
    })
}

async fn open(server: &PortOptions, protocol: &[u8]) -> Result<Listener, ListenError> {
    let options = server.tls.as_ref();
    let tls = options.map(|options| ServerTls::new(options, protocol));
    let tls = tls.transpose().map_err(|source| ListenError::Tls {
        address: server.bind_address.clone(),
        setting: server.setting,
        source,
    })?;
    Listener::open(&server.bind_address, tls)
        .await
        .map_err(|source| ListenError::Address {
            address: server.bind_address.clone(),
            setting: server.setting,
            source,
        })
}
