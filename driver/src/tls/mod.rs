//! TLS of the ports, and towards data servers.

mod alpn;
mod certificate;
mod client;
mod error;
mod pem;
mod server;
mod suites;

pub use alpn::{HTTP1, HTTP2};
pub use client::Connector;
pub use error::TlsError;
pub use server::server_config;
