//! Why a coordinator can't start with what it was told.

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
