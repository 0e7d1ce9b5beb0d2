//! The tokio driver of the coordinator machine.

#![cfg_attr(
    test,
    allow(
        clippy::wildcard_enum_match_arm,
        reason = "a test picks out what it looks for"
    )
)]

pub mod bench;
mod causes;
pub mod cli;
pub mod coordinator;
pub mod data_servers;
pub mod event_loop;
pub mod observe;
pub mod options;
pub mod ports;
pub mod sandbox;
pub mod tls;
