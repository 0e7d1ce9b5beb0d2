//! Where the documents and the leadership live. A backend does what it is told and says what
//! happened; what that means is decided in `stepdown-core`.

mod backend;
mod candidate;
mod clock;
pub mod configmap;
pub mod configuration;
mod configuration_store;
mod directories;
pub mod file;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod lacks;
pub mod memory;
mod provider;
mod public_address;
pub mod raft;
pub mod regular;
mod status_size;
mod under_way;

pub use backend::{
    Backend, ConfigurationSource, Leadership, LeadershipReport, StatusHints, StatusStore,
};
pub use candidate::Candidate;
pub use clock::boottime;
pub use configuration_store::{ConfigurationStore, ConfigurationStoreError, StoredConfiguration};
pub use file::status_file;
pub use lacks::Lack;
pub use provider::{OpenError, Provider};
pub use public_address::PublicAddress;
pub use status_size::StatusSize;
