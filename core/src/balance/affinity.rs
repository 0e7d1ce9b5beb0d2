//! A namespace's anti-affinity rules, with the servers' labels as small numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cluster::{AntiAffinity, AntiAffinityMode};

/// Every label of every rule: each is a constraint of its own.
#[derive(Clone, Debug)]
pub(super) struct Constraints(Vec<Constraint>);

#[derive(Clone, Debug)]
pub(super) struct Constraint {
    /// The rule's place in the namespace's list.
    pub(super) rule: usize,
    pub(super) label: Arc<str>,
    pub(super) is_strict: bool,
    values: BTreeMap<Arc<str>, u32>,
}

/// A server's value for each constraint; `None` where it lacks the label.
#[derive(Clone, Debug)]
pub(super) struct Values(Vec<Option<u32>>);

type Labels = BTreeMap<Arc<str>, Arc<str>>;

impl Constraints {
    pub(super) fn new(rules: &[AntiAffinity]) -> Self {
        let of_rule = |(rule, affinity): (usize, &AntiAffinity)| {
            let is_strict = match affinity.mode {
                AntiAffinityMode::Strict => true,
                AntiAffinityMode::Relaxed => false,
            };
            let of_label = move |label: &Arc<str>| Constraint {
                rule,
                label: label.clone(),
                is_strict,
                values: BTreeMap::new(),
            };
            affinity.labels.iter().map(of_label).collect::<Vec<_>>()
        };
        Self(rules.iter().enumerate().flat_map(of_rule).collect())
    }

    /// The values of a server with these labels.
    pub(super) fn values(&mut self, labels: Option<&Labels>) -> Values {
        let value = |constraint: &mut Constraint| {
            let text = labels?.get(&constraint.label)?;
            let next = u32::try_from(constraint.values.len()).unwrap_or(u32::MAX);
            Some(*constraint.values.entry(text.clone()).or_insert(next))
        };
        Values(self.0.iter_mut().map(value).collect())
    }

    pub(super) fn strict(&self) -> impl Iterator<Item = (usize, &Constraint)> {
        self.0
            .iter()
            .enumerate()
            .filter(|(_, constraint)| constraint.is_strict)
    }

    /// Whether a server may join `members` by the strict rules; if so, how many relaxed rules it
    /// would break. A label that it lacks breaks its rule.
    pub(super) fn broken_by(&self, server: &Values, members: &[&Values]) -> Option<usize> {
        let mut broken = 0;
        let mut last_broken = None;
        for (index, constraint) in self.0.iter().enumerate() {
            let value = server.of(index);
            let is_kept = value.is_some() && members.iter().all(|member| member.of(index) != value);
            if is_kept {
                continue;
            }
            if constraint.is_strict {
                return None;
            }
            if last_broken != Some(constraint.rule) {
                last_broken = Some(constraint.rule);
                broken += 1;
            }
        }
        Some(broken)
    }
}

impl Values {
    pub(super) fn of(&self, constraint: usize) -> Option<u32> {
        self.0.get(constraint).copied().flatten()
    }
}

/// How many values these servers have between them.
pub(super) fn distinct<'a>(constraint: usize, servers: impl Iterator<Item = &'a Values>) -> usize {
    let values: BTreeSet<_> = servers.filter_map(|it| it.of(constraint)).collect();
    values.len()
}
