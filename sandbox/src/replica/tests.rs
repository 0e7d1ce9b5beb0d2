//! Each rule of a data server, one by one.

mod cluster;
mod counted;
mod database;
mod elections;
mod replication;
mod restart;
mod rules;
mod unsynced;
