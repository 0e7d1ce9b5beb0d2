//! The ports of a coordinator: health on each gRPC port, the admin API, `/metrics`; and TLS.

mod listen;
mod serve;
mod stream;
mod tls;

pub use listen::{ListenError, Listeners};
pub use serve::Servers;
pub use stream::{Connection, Connections};
pub use tls::{Connector, TlsError};
