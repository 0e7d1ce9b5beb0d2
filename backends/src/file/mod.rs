//! Two files on a local disk: the status document, which this coordinator writes, and the
//! configuration document, which people write. Leadership is the lock on a third beside the first.

mod commit;
mod configuration;
mod configuration_file;
mod configuration_store;
mod configuration_text;
mod content;
mod corrupt;
mod disk;
mod error;
mod exposure;
#[cfg(feature = "fuzzing")]
#[expect(
    clippy::panic,
    reason = "what does not hold ends the test that found it"
)]
pub(crate) mod fuzzing;
pub(crate) mod header;
mod hints;
mod leadership;
mod lock_file;
mod notes;
mod open;
mod options;
mod outcome;
mod place;
mod sidecar;
pub mod status_file;
mod store;
mod vfs;
mod watch;
mod writers;

#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;

pub use error::FileError;
pub(crate) use open::open;
pub use options::FileOptions;
