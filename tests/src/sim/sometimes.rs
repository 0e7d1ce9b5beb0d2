//! What a run is to have reached now and then: how often each was.

use std::collections::BTreeMap;

/// How often each named thing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sometimes(BTreeMap<&'static str, u64>);

impl Sometimes {
    /// Counts one more `name`.
    pub fn hit(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Self) {
        for (name, hits) in &other.0 {
            *self.0.entry(name).or_default() += hits;
        }
    }

    /// How often `name` happened.
    pub fn hits(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Those of `names` that never happened.
    pub fn missing<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        names
            .iter()
            .copied()
            .filter(|name| self.hits(name) == 0)
            .collect()
    }
}

impl std::fmt::Display for Sometimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, hits) in &self.0 {
            writeln!(f, "{hits:>10}  {name}")?;
        }
        Ok(())
    }
}
