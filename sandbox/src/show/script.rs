//! What to do to the cluster, in order.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use stepdown_core::cluster::parse_duration;

use super::operation::Operation;

/// One thing to do to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write the status document as another coordinator would.
    Conflict,
    /// Kill the data server that leads most shards, and start it again.
    KillDataServer,
    /// Kill the coordinator that leads, and start it again.
    KillLeader,
    /// Change what the cluster is to be.
    Operate(Operation),
    /// Stop the coordinator that leads for a few seconds, and let it go on.
    PauseLeader,
    /// Only look on.
    Wait(Duration),
}

/// Steps in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script(pub(super) Vec<Step>);

/// Why a script can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no step: use conflict, kill-leader, kill-data-server, pause-leader, add-data-server, \
     drain-data-server, add-namespace, delete-namespace or wait=<time>, such as wait=2s, separated \
     by commas"
)]
pub struct ParseScriptError(String);

impl FromStr for Script {
    type Err = ParseScriptError;

    fn from_str(text: &str) -> Result<Self, ParseScriptError> {
        text.split(',')
            .map(|word| word.trim().parse())
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for Step {
    type Err = ParseScriptError;

    fn from_str(word: &str) -> Result<Self, ParseScriptError> {
        let unknown = || ParseScriptError(word.to_owned());
        if let Some(operation) = Operation::named(word) {
            return Ok(Self::Operate(operation));
        }
        match word {
            "conflict" => Ok(Self::Conflict),
            "kill-data-server" => Ok(Self::KillDataServer),
            "kill-leader" => Ok(Self::KillLeader),
            "pause-leader" => Ok(Self::PauseLeader),
            _ => {
                let time = word.strip_prefix("wait=").ok_or_else(unknown)?;
                parse_duration(time).map(Self::Wait).map_err(|_| unknown())
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("conflict"),
            Self::KillDataServer => f.write_str("kill-data-server"),
            Self::KillLeader => f.write_str("kill-leader"),
            Self::Operate(operation) => operation.fmt(f),
            Self::PauseLeader => f.write_str("pause-leader"),
            Self::Wait(time) => write!(f, "wait={time:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_separated_by_commas() {
        let script: Script =
            "conflict, kill-leader,kill-data-server,pause-leader,drain-data-server,wait=1.5s"
                .parse()
                .unwrap();
        assert_eq!(
            script.0,
            [
                Step::Conflict,
                Step::KillLeader,
                Step::KillDataServer,
                Step::PauseLeader,
                Step::Operate(Operation::DrainDataServer),
                Step::Wait(Duration::from_millis(1500)),
            ]
        );
    }

    #[test]
    fn an_unknown_step_is_named_with_those_there_are() {
        for (script, word) in [
            ("conflict,explode", "explode"),
            ("", ""),
            ("wait", "wait"),
            ("wait=soon", "wait=soon"),
            ("conflict,,kill-leader", ""),
        ] {
            let error = script.parse::<Script>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("'{word}' is no step: use conflict,")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_step_reads_as_it_is_written_and_is_among_those_that_an_error_names() {
        let named = "explode".parse::<Script>().unwrap_err().to_string();
        for word in [
            "conflict",
            "kill-leader",
            "kill-data-server",
            "pause-leader",
            "add-data-server",
            "drain-data-server",
            "add-namespace",
            "delete-namespace",
            "wait=2s",
        ] {
            assert_eq!(word.parse::<Step>().unwrap().to_string(), word);
            assert!(named.contains(word), "{word}");
        }
    }
}
