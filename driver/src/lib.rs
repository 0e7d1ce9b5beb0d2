//! The tokio driver of the coordinator machine.

#![cfg_attr(
    test,
    allow(
        clippy::wildcard_enum_match_arm,
        reason = "a test picks out what it looks for"
    )
)]

pub mod bench;
pub mod cli;
pub mod coordinate;
pub mod event_loop;
pub mod health;
pub mod observe;
pub mod options;
pub mod sandbox;
pub mod servers;
