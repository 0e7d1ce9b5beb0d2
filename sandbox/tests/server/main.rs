//! Data servers on real sockets, spoken to as a coordinator and a client would.
#![cfg(test)]

mod coordinator;
mod faults;
mod gate;
mod replication;
