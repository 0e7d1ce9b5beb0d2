//! Two ConfigMaps of a Kubernetes cluster: the status document, which this coordinator writes, and
//! the configuration document, which people write.

mod accept_loss;
mod access;
mod bounded;
mod classify;
mod clients;
mod compress;
mod configuration;
mod configuration_store;
mod content;
mod corrupt;
mod documents;
mod draft;
mod error;
mod find;
#[cfg(feature = "fuzzing")]
#[expect(
    clippy::panic,
    reason = "what does not hold ends the test that found it"
)]
pub(crate) mod fuzzing;
mod handover;
mod hints;
mod layout;
mod lease;
mod lease_epoch;
mod object_name;
mod open;
mod options;
mod outcome;
mod own_stores;
mod pace;
mod payload;
mod plaintext;
mod reading;
mod record;
mod refusals;
mod renewed;
mod request;
mod size;
mod stack;
mod store;
mod transfer;
mod version;
mod watch;
mod writing;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod fake_api;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

pub use accept_loss::{AcceptLoss, AcceptLossFailure, accept_loss};
pub use clients::Clients;
pub use error::ConfigMapError;
pub use layout::Layout;
pub use object_name::is_object_name;
pub(crate) use open::open;
pub use open::open_at;
pub use options::ConfigMapOptions;
pub use transfer::{Transfer, TransferError, TransferStep, transfer};
