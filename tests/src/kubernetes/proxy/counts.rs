use std::collections::BTreeMap;
use std::fmt;

use super::requests::Asked;
use super::{Kind, Verb};

/// How many requests have come from clients, whatever became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(Kind, Verb), u64>);

impl Counts {
    /// Those of one sort.
    pub fn of(&self, kind: Kind, verb: Verb) -> u64 {
        self.0.get(&(kind, verb)).copied().unwrap_or_default()
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Those that came after these were counted.
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.0.iter().map(|(&(kind, verb), count)| {
            let earlier = earlier.of(kind, verb);
            ((kind, verb), count.saturating_sub(earlier))
        });
        Self(counts.filter(|&(_, count)| count > 0).collect())
    }

    pub(super) fn count(&mut self, asked: Asked) {
        *self.0.entry((asked.kind, asked.verb)).or_default() += 1;
    }
}

/// One sort a line.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, verb), count) in &self.0 {
            writeln!(f, "{count:>8} {verb:?} {kind:?}")?;
        }
        Ok(())
    }
}
