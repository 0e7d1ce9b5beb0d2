//! What a node keeps on its disk, in one file: its vote, its log, and its last snapshot. Nothing is
//! acknowledged before it is durable.

mod copy;
mod database;
mod directory;
mod error;
#[cfg(feature = "fuzzing")]
#[expect(
    clippy::panic,
    reason = "what does not hold ends the test that found it"
)]
pub(super) mod fuzzing;
mod image;
mod log;
mod medium;
mod record;
mod state;

#[cfg(test)]
mod power;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod suite;

pub use copy::Copy;
pub(super) use database::before;
pub use database::{Database, Identity};
pub use directory::Directory;
pub use error::{Cause, Fault, OpenError};
pub use log::LogStore;
pub use medium::Medium;
pub use state::{Held, StateStore, held_with_log};
