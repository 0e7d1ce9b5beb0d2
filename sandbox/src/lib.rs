//! Data servers for trying things out and for tests: they implement the coordination service
//! honestly, elections, fencing, replication and truncation included, but keep no keys.
//!
//! [`replica`] is the pure model of one data server.

pub mod replica;
