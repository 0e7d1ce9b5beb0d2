//! Nodes that talk over real sockets; what is behind them is a stand-in for Raft.

mod slow;
mod snapshots;
mod strangers;
mod support;
mod tls;
