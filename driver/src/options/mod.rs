//! What a coordinator is told at its start: flags and the `--sconfig` file, joined and checked.

mod file;
mod kubernetes;
mod legacy;
mod level;
mod resolve;
mod settings;
mod tls;

use std::path::PathBuf;

use stepdown_backends::Provider;

pub use kubernetes::DEFAULT_STATUS_NAME;
pub use level::{LogLevel, ParseLogLevelError};
pub use settings::{
    AuthSettings, FileSettings, KubernetesSettings, RaftSettings, ServerSettings, Settings,
    TlsSettings,
};
pub use tls::{TlsOptions, TlsVersions};

/// Everything a coordinator needs to know before it starts. It is valid as a whole: only
/// [`CoordinatorOptions::load`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorOptions {
    /// The coordinator's stable name: its identity in elections and redirects.
    pub name: String,
    /// The health service for probes and data servers.
    pub internal: PortOptions,
    /// The admin API, and the same health service.
    pub public: PortOptions,
    /// How to reach data servers over TLS; `None` is plaintext.
    pub controller_tls: Option<TlsOptions>,
    /// Where `/metrics` is served; `None` when switched off.
    pub metrics: Option<PortOptions>,
    /// Where documents and leadership live.
    pub provider: Provider,
    /// The level that the `--sconfig` file asks for.
    pub log_level: Option<LogLevel>,
    /// The `--sconfig` file, which is watched for a new log level.
    pub sconfig: Option<PathBuf>,
    /// What was accepted but deserves a warning: deprecated spellings, unknown keys.
    pub notices: Vec<String>,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortOptions {
    /// Where to listen, `host:port`; an empty host is every interface.
    pub bind_address: String,
    /// `None` is plaintext.
    pub tls: Option<TlsOptions>,
    /// The flag and key that set the address, for messages.
    pub setting: &'static str,
}

impl CoordinatorOptions {
    /// Joins the flags with the `--sconfig` file, which wins where both speak, and checks the whole.
    pub fn load(flags: Settings, sconfig: Option<PathBuf>) -> Result<Self, OptionsError> {
        let mut notices = Vec::new();
        let settings = match &sconfig {
            Some(path) => flags.overlaid_by(file::read(path, &mut notices)?),
            None => flags,
        };
        let mut options = resolve::resolve(settings, notices)?;
        options.sconfig = sconfig;
        Ok(options)
    }
}

/// The log level that an `--sconfig` file asks for, on its own: what is looked at when it changes.
pub fn log_level_of(path: &std::path::Path) -> Result<Option<LogLevel>, OptionsError> {
    let file = file::read(path, &mut Vec::new())?;
    match file.observability.log.level.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => {
            text.parse()
                .map(Some)
                .map_err(|error: ParseLogLevelError| OptionsError::Invalid {
                    problems: vec![format!("observability.log.level: {error}")],
                })
        }
    }
}

/// Why a coordinator can't start with what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The file can't be read.
    #[error("can't read the options file {path} (--sconfig): {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// The file is not YAML, or a key has a value of the wrong kind.
    #[error("the options file {path} (--sconfig) can't be understood: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What and where.
        reason: String,
    },
    /// Values that can't be used; all of them, so that one round of fixing is enough.
    #[error("invalid coordinator options:{}", bullets(.problems))]
    Invalid {
        /// One line each: the key, what is wrong, the fix.
        problems: Vec<String>,
    },
}

fn bullets(problems: &[String]) -> String {
    match problems {
        [only] => format!(" {only}"),
        several => several.iter().map(|p| format!("\n  - {p}")).collect(),
    }
}

#[cfg(test)]
mod tests;
