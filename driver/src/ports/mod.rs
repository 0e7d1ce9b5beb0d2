//! The ports of a coordinator: health on each gRPC port, the admin API, `/metrics`.

mod listen;
mod scrape;
mod serve;
mod stream;

pub use listen::{ListenError, Listeners};
pub use serve::Ports;
pub use stream::{Connection, Connections};
