//! Nodes that talk over real sockets; what is behind them is a stand-in for Raft, but in
//! `cluster`.

mod ballots;
mod bodies;
mod cluster;
mod entries;
mod forgetting;
mod greetings;
mod slow;
mod snapshots;
mod strangers;
mod support;
pub mod tls;
