//! Log levels as operators write them.

use std::fmt;
use std::str::FromStr;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Only failures.
    Error,
    /// Also what somebody should look at.
    Warn,
    /// Also what happens.
    #[default]
    Info,
    /// Also why.
    Debug,
}

/// A text that names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown log level ({0}); use debug, info, warn or error")]
pub struct ParseLogLevelError(String);

impl FromStr for LogLevel {
    type Err = ParseLogLevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "debug" => Ok(Self::Debug),
            "error" => Ok(Self::Error),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            _ => Err(ParseLogLevelError(text.to_owned())),
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "debug",
            Self::Error => "error",
            Self::Info => "info",
            Self::Warn => "warn",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_in_any_case_and_nothing_else_is_one() {
        for (text, level) in [
            ("DEBUG", Some(LogLevel::Debug)),
            ("info", Some(LogLevel::Info)),
            ("Warn", Some(LogLevel::Warn)),
            ("eRRor", Some(LogLevel::Error)),
            ("warning", None),
            ("trace", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), level, "{text}");
        }
    }
}
