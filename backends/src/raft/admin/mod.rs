//! What people ask of the nodes, by `stepdown raft`: both sides of it.

mod administration;
mod client;
mod client_error;
mod documents;
mod error;
mod members;
mod report;
mod service;
mod snapshot;
mod stopped;
mod transfer;

#[cfg(test)]
mod tests;

pub use administration::Administration;
pub use client::AdminClient;
pub use client_error::AdminCallError;
pub(super) use documents::LARGEST_CONFIGURATION;
pub(super) use service::service;
pub use stopped::{StoppedError, export_stopped};
