//! Which stores of the status coordinators were told to be done, by their own logs.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use stepdown_core::WriteId;

/// The versions that were acknowledged, and the write that made each.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged(BTreeMap<u64, WriteId>);

impl Acknowledged {
    /// Reads the logs (in JSON, of everything). The error names a store that was acknowledged, and is
    /// lost, as another has its version; or one that was made by somebody after whom another had stored
    /// something already. Who was paused is not excused from that, whenever it notices.
    pub fn read<'a>(logs: impl IntoIterator<Item = &'a Path>) -> Result<Self, String> {
        let mut them = Self::default();
        for log in logs {
            let text = std::fs::read_to_string(log).map_err(|error| error.to_string())?;
            text.lines().try_for_each(|line| them.take(line))?;
        }
        them.are_in_turn()?;
        Ok(them)
    }

    /// Whether each of them is of the one that was in office last, as of those before it.
    fn are_in_turn(&self) -> Result<(), String> {
        let next = self.0.iter().skip(1);
        for ((_, before), (version, write)) in self.0.iter().zip(next) {
            let is_another = before.process != write.process;
            if write.epoch < before.epoch || (write.epoch == before.epoch && is_another) {
                return Err(format!(
                    "version {version} was acknowledged to {write}, after another to {before}"
                ));
            }
        }
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether all of them are in a status of this version.
    pub fn are_in(&self, present: u64) -> Result<(), String> {
        match self.0.last_key_value() {
            Some((version, write)) if *version > present => Err(format!(
                "version {version} was acknowledged to {write}, and {present} is there"
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        // One that was killed may leave half a line.
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            return Ok(());
        };
        let said = |key: &str| line.get(key).and_then(Value::as_str);
        if said("message") != Some("A majority has the status") {
            return Ok(());
        }
        let version = said("version").and_then(|it| it.parse().ok());
        let write = said("write-id").and_then(|it| it.parse().ok());
        let (Some(version), Some(write)) = (version, write) else {
            return Err(format!("no version, or no write: {line}"));
        };
        match self.0.insert(version, write) {
            Some(other) if other != write => Err(format!(
                "version {version} was acknowledged to {other} and to {write}"
            )),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "1.1.0000000000000000000000000000000a";
    const SECOND: &str = "1.2.0000000000000000000000000000000a";

    fn read(lines: &[(u64, &str)]) -> Result<Acknowledged, String> {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let line = |(version, write): &(u64, &str)| {
            format!(
                "{{\"message\":\"A majority has the status\",\"version\":\"{version}\",\"write-id\":\"{write}\"}}\n"
            )
        };
        std::fs::write(&log, lines.iter().map(line).collect::<String>() + "{\"mess").unwrap();
        Acknowledged::read([log.as_path()])
    }

    #[test]
    fn a_store_that_was_acknowledged_and_is_not_there_is_named() {
        let them = read(&[(1, FIRST), (2, SECOND), (2, SECOND)]).unwrap();
        assert_eq!(them.count(), 2);
        them.are_in(2).unwrap();
        assert!(them.are_in(1).unwrap_err().contains("version 2"));
        let lost = read(&[(1, FIRST), (1, SECOND)]).unwrap_err();
        assert!(
            lost.contains(&format!("to {FIRST} and to {SECOND}")),
            "{lost}"
        );
    }

    #[test]
    fn whoever_stores_something_after_the_next_one_has_is_named() {
        let other = "2.1.0000000000000000000000000000000b";
        read(&[(1, FIRST), (2, SECOND), (3, other)]).unwrap();
        let woken = read(&[(1, FIRST), (2, other), (3, SECOND)]).unwrap_err();
        assert!(woken.contains("version 3"), "{woken}");
        let both = "1.3.0000000000000000000000000000000b";
        let both = read(&[(1, FIRST), (2, both)]).unwrap_err();
        assert!(both.contains("version 2"), "{both}");
    }
}
