//! TLS of ports, and towards peers. Certificates are read anew for every handshake.

mod alpn;
mod certificate;
mod client;
mod error;
mod options;
mod pem;
mod server;
mod suites;

pub use alpn::{HTTP1, HTTP2};
pub use client::Connector;
pub use error::TlsError;
pub use options::{TlsOptions, TlsVersions};
pub use server::server_config;
