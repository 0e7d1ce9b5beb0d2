//! TLS of ports, and towards peers. Every file is read anew for every handshake.

mod alpn;
mod authorities;
mod certificate;
mod client;
mod error;
mod file;
mod followed;
mod key;
mod names;
mod options;
mod pem;
mod refused;
mod server;
mod suites;
mod trust;

pub use alpn::{HTTP1, HTTP2};
pub use client::{ClientTls, Connector};
pub use error::TlsError;
pub(crate) use names::names;
pub use options::{TlsOptions, TlsVersions};
pub use server::ServerTls;
