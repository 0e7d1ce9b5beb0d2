//! Nodes over sockets, administered.

mod documents;
mod leading;
mod members;
pub mod support;
mod tls;
