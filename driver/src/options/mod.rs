//! What a coordinator is told at its start: flags and the `--sconfig` file, joined and checked.

mod advertised;
mod auth;
mod authorization;
mod coordinator;
mod error;
#[cfg(feature = "fuzzing")]
#[expect(
    clippy::panic,
    reason = "what does not hold ends the test that found it"
)]
pub(crate) mod fuzzing;
mod guard;
mod key;
mod level;
mod port;
mod provider;
mod raft_nodes;
mod said;
mod sconfig;
mod settings;
#[cfg(test)]
mod tests;
mod tls;

pub use auth::{AuthOptions, IssuerOptions};
pub use coordinator::{CoordinatorOptions, OptionsFile};
pub use error::OptionsError;
pub use key::Key;
pub use level::{LogLevel, ParseLogLevelError};
pub use port::PortOptions;
pub use provider::{DEFAULT_STATUS_NAME, FileSettings, KubernetesSettings, RaftSettings};
pub use raft_nodes::RaftNodes;
pub use settings::{
    AuthSettings, RuleSettings, ServerSettings, Settings, SubjectSettings, TlsSettings,
};
pub use stepdown_wire::tls::{TlsOptions, TlsVersions};
