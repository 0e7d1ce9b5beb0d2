//! Durations on the command line.

use std::time::Duration;

use stepdown_core::cluster;

/// A word that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a duration, as in 10s, 1m30s or 500ms")]
pub(crate) struct ParseDurationError(String);

/// Reads a duration as Go writes it; a negative one is refused.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    cluster::parse_duration(text).map_err(|_| ParseDurationError(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_duration_is_told_with_examples() {
        for word in ["", "10", "-1s", "99999999999999h"] {
            let error = parse_duration(word).unwrap_err().to_string();
            let expected = format!("'{word}' is not a duration, as in 10s, 1m30s or 500ms");
            assert_eq!(error, expected);
        }
    }
}
