//! A server's port: opening it, and the connections that come in, with TLS or without.

mod connections;
mod listener;
mod patience;
mod peer;
mod places;
mod room;
mod silent;

pub use connections::{Connection, Connections};
pub use listener::Listener;
pub use peer::Peer;
pub use places::network;
