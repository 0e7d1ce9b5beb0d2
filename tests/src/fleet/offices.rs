//! Who was in office when, by the coordinators' own logs: never two at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The times in office of all coordinators, on this machine's wall clock.
#[derive(Clone, Debug, Default)]
pub struct Offices {
    authority: SignedDuration,
    interrupted: BTreeMap<String, Vec<Interruption>>,
}

/// From when on a coordinator did nothing, and until when; a killed one does nothing more.
#[derive(Clone, Copy, Debug)]
struct Interruption {
    from: Timestamp,
    to: Option<Timestamp>,
}

/// One that was paused for longer than its authority lasts has none when it is let go on, and does
/// nothing. A busy machine takes so long until its log says so; what it stores meanwhile, others find who
/// look at the documents and at the stores.
const NOTICES: SignedDuration = SignedDuration::from_secs(3);

/// One time in office.
#[derive(Clone, Debug)]
struct Office {
    coordinator: String,
    from: Timestamp,
    to: Option<Timestamp>,
}

impl Offices {
    /// Of coordinators whose authority lasts no longer than this without an answer of the others. Who
    /// was paused for less is not excused.
    #[must_use]
    pub fn with_authority(authority: Duration) -> Self {
        Self {
            authority: SignedDuration::try_from(authority).expect("it is short"),
            interrupted: BTreeMap::new(),
        }
    }

    /// A coordinator was just killed or paused: from now on it does nothing, whatever its log says
    /// last.
    pub fn interrupt(&mut self, coordinator: &str) {
        let times = self.interrupted.entry(coordinator.to_owned()).or_default();
        let from = now();
        times.push(Interruption { from, to: None });
    }

    /// One that was paused is about to be let go on.
    pub fn go_on(&mut self, coordinator: &str) {
        let times = self.interrupted.get_mut(coordinator);
        if let Some(last) = times.and_then(|times| times.last_mut()) {
            last.to = Some(now());
        }
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
            let since = office.from;
            let during = interrupted
                .iter()
                .filter(|it| it.from >= since && next.is_none_or(|next| it.from <= next));
            for it in during {
                office.interrupted(*it, self.authority);
            }
        }
        offices
    }
}

impl Office {
    /// It ended with this, unless it may have had authority afterwards, or went on.
    fn interrupted(&mut self, it: Interruption, authority: SignedDuration) {
        let went_on = it.to.is_some_and(|resumed| {
            if resumed.duration_since(it.from) < authority {
                return true;
            }
            let noticed = resumed.saturating_add(NOTICES).unwrap_or(Timestamp::MAX);
            self.to.is_none_or(|to| to > noticed)
        });
        if !went_on {
            self.to = Some(self.to.map_or(it.from, |to| to.min(it.from)));
        }
    }
}

fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).expect("it is a time")
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
        check_with(&Offices::default(), a, b)
    }

    fn check_with(offices: &Offices, a: &str, b: &str) -> Result<usize, String> {
        let dir = tempfile::tempdir().unwrap();
        let (x, y) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&x, a).unwrap();
        std::fs::write(&y, b).unwrap();
        offices.check([("a", x.as_path()), ("b", y.as_path())])
    }

    fn interrupted(from: u32, to: Option<u32>) -> Offices {
        let at = |second| format!("2026-01-01T00:00:{second:02}Z").parse().unwrap();
        let it = Interruption {
            from: at(from),
            to: to.map(at),
        };
        Offices {
            authority: SignedDuration::from_secs(1),
            interrupted: BTreeMap::from([("a".to_owned(), vec![it])]),
        }
    }

    #[test]
    fn who_was_killed_or_notices_after_a_pause_was_in_office_until_then() {
        let b = line(4, "candidate", "leader");
        let a = line(1, "candidate", "leader");
        assert_eq!(check_with(&interrupted(3, None), &a, &b), Ok(2));
        let a = a + &line(8, "leader", "stepping_down");
        assert_eq!(check_with(&interrupted(3, Some(8)), &a, &b), Ok(2));
    }

    #[test]
    fn who_goes_on_after_a_pause_is_in_office_for_as_long_as_it_says() {
        let b = line(20, "candidate", "leader");
        let a = line(1, "candidate", "leader");
        assert!(check_with(&interrupted(3, Some(4)), &a, &b).is_err());
        let a = a + &line(25, "leader", "stepping_down");
        assert!(check_with(&interrupted(3, Some(4)), &a, &b).is_err());
    }

    #[test]
    fn who_was_paused_for_less_than_authority_lasts_is_not_excused() {
        let a = line(1, "candidate", "leader") + &line(5, "leader", "stepping_down");
        let b = line(4, "candidate", "leader");
        assert!(check_with(&interrupted(3, Some(4)), &a, &b).is_ok());
        let mut offices = interrupted(3, Some(4));
        offices.authority = SignedDuration::from_secs(2);
        assert!(check_with(&offices, &a, &b).is_err());
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
