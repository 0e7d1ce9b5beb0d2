//! The coordinator's driver: the event loop around the machine of `stepdown-core`, and all that it
//! needs to talk to the world. `main.rs` is the `stepdown` command.
//!
//! What is public is for that command and for tests.

#![cfg_attr(
    test,
    allow(
        clippy::wildcard_enum_match_arm,
        reason = "a test picks out what it looks for"
    )
)]

mod admin;
pub mod audit;
pub mod auth;
pub mod bench;
mod causes;
pub mod cli;
mod configuration;
pub mod coordinator;
pub mod data_servers;
mod event_loop;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gate;
pub mod observe;
pub mod open_files;
pub mod options;
pub mod ports;
mod version;
