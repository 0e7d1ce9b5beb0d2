//! How the nodes reach each other: gRPC, with deadlines, with or without TLS.

mod acknowledged;
mod answers;
mod backlog;
mod ballots;
mod bodies;
mod budget;
mod call;
mod call_error;
mod carried;
mod client;
mod connections;
mod convert;
mod dial;
mod entries;
#[cfg(feature = "fuzzing")]
#[expect(
    clippy::panic,
    reason = "what does not hold ends the test that found it"
)]
pub(super) mod fuzzing;
mod greeter;
mod greeting;
mod identity;
mod incoming;
mod large;
mod messages;
mod outgoing;
mod pace;
mod parts;
mod reach;
mod replica;
mod server;
mod service;
mod snapshot;
mod strangers;

#[cfg(test)]
pub(super) mod tests;

pub(super) use acknowledged::{Acknowledged, Asked};
pub use call_error::CallError;
pub use client::Peer;
pub use connections::{Connections, Deadlines};
pub(super) use dial::dial;
pub use greeter::Greeter;
pub use greeting::{Greeting, Introduction};
pub use identity::{Identity, Stranger};
pub use replica::{Replica, ReplicaError};
pub use server::Server;
pub(super) use service::LARGEST_MESSAGE;
pub use strangers::{StrangerKind, Strangers};
