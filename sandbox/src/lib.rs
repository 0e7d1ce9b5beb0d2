//! Data servers for trying things out and for tests: they implement the coordination service
//! honestly, elections, fencing, replication and truncation included, but keep no keys. And whole
//! clusters of processes around them, to watch and to hurt.
//!
//! [`replica`] is the pure model of one data server; [`server`] runs it on real sockets and a
//! real disk; [`proto`] is what such servers speak beside Oxia's protocol. [`cluster`] starts,
//! hurts and asks coordinators and data servers as processes, [`workload`] writes to their shards,
//! and [`show`] is `stepdown sandbox`.

pub mod cluster;
pub mod proto;
pub mod replica;
pub mod server;
pub mod show;
pub mod workload;
