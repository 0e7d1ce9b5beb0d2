//! The ports of a coordinator: health on both gRPC ports, whatever the admin API adds to the public
//! one, and `/metrics` on a port of its own.

mod lane;
mod listen;
mod packed;
mod scrape;
mod scrapes;
mod serve;

pub use lane::Lane;
pub use listen::{ListenError, Listeners};
pub use serve::Ports;

#[cfg(test)]
pub(crate) use serve::{tests, tokens};
