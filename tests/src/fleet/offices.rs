//! Who was in office when, by the coordinators' own logs: never two at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::Value;

/// The times in office of all coordinators, on this machine's wall clock.
#[derive(Clone, Debug, Default)]
pub struct Offices {
    interrupted: BTreeMap<String, Vec<Timestamp>>,
}

/// One time in office.
#[derive(Clone, Debug)]
struct Office {
    coordinator: String,
    from: Timestamp,
    to: Option<Timestamp>,
}

impl Offices {
    /// A coordinator was just killed or paused: from now on it does nothing, whatever its log says
    /// last. One that is let go on notices that its authority has ended before it does anything.
    pub fn interrupt(&mut self, coordinator: &str) {
        let now = Timestamp::try_from(SystemTime::now()).expect("it is a time");
        let times = self.interrupted.entry(coordinator.to_owned()).or_default();
        times.push(now);
    }

    /// Reads the logs (in JSON); the error names two that were in office at once.
    pub fn check<'a>(
        &self,
        logs: impl IntoIterator<Item = (&'a str, &'a Path)>,
    ) -> Result<usize, String> {
        let mut offices = Vec::new();
        for (name, log) in logs {
            let text = std::fs::read_to_string(log).map_err(|error| error.to_string())?;
            offices.extend(self.read(name, &text));
        }
        offices.sort_by_key(|office| office.from);
        let mut before: Option<&Office> = None;
        for office in &offices {
            if let Some(before) = before
                && before.to.is_none_or(|to| to > office.from)
                && before.coordinator != office.coordinator
            {
                return Err(format!("in office at once: {before:?} and {office:?}"));
            }
            before = Some(office);
        }
        Ok(offices.len())
    }

    fn read(&self, name: &str, text: &str) -> Vec<Office> {
        let mut offices: Vec<Office> = Vec::new();
        for line in text.lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let said = |key: &str| line.get(key).and_then(Value::as_str);
            if said("message") != Some("Changed role") {
                continue;
            }
            let Some(at) = said("time").and_then(|time| time.parse::<Timestamp>().ok()) else {
                continue;
            };
            if said("to") == Some("leader") {
                offices.push(Office {
                    coordinator: name.to_owned(),
                    from: at,
                    to: None,
                });
            } else if said("from") == Some("leader")
                && let Some(office) = offices.last_mut()
            {
                office.to = Some(at);
            }
        }
        let none = Vec::new();
        let interrupted = self.interrupted.get(name).unwrap_or(&none);
        let ends: Vec<_> = offices
            .iter()
            .skip(1)
            .map(|office| Some(office.from))
            .collect();
        for (index, office) in offices.iter_mut().enumerate() {
            let next = ends.get(index).copied().flatten();
            let cut = interrupted
                .iter()
                .copied()
                .find(|at| *at >= office.from && next.is_none_or(|next| *at <= next));
            office.to = match (office.to, cut) {
                (Some(to), Some(cut)) => Some(to.min(cut)),
                (to, cut) => to.or(cut),
            };
        }
        offices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32, from: &str, to: &str) -> String {
        format!(
            "{{\"message\":\"Changed role\",\"time\":\"2026-01-01T00:00:{second:02}Z\",\"from\":\"{from}\",\"to\":\"{to}\"}}\n"
        )
    }

    fn check(a: &str, b: &str) -> Result<usize, String> {
        let dir = tempfile::tempdir().unwrap();
        let (x, y) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&x, a).unwrap();
        std::fs::write(&y, b).unwrap();
        Offices::default().check([("a", x.as_path()), ("b", y.as_path())])
    }

    #[test]
    fn one_after_the_other_is_fine_and_two_at_once_are_not() {
        let a = line(1, "candidate", "leader") + &line(5, "leader", "stepping_down");
        let b = line(6, "candidate", "leader");
        assert_eq!(check(&a, &b), Ok(2));
        let b = line(4, "candidate", "leader");
        assert!(check(&a, &b).is_err());
    }
}
