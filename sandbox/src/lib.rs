//! Data servers for trying things out and for tests: they implement the coordination service
//! honestly, elections, fencing, replication and truncation included, but keep no keys.
//!
//! [`replica`] is the pure model of one data server; [`server`] runs it on real sockets and a
//! real disk; [`proto`] is what such servers speak beside Oxia's protocol.

pub mod proto;
pub mod replica;
pub mod server;
