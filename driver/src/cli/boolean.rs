//! Booleans as Go's flag packages read them.

/// A word that is no boolean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use true or false")]
pub(super) struct ParseBooleanError;

/// Reads `true`, `1`, `t`, `false`, `0`, `f` and their capitals.
pub(super) fn parse(text: &str) -> Result<bool, ParseBooleanError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(ParseBooleanError),
    }
}
