//! Best first, and back where the strict rules end in a blind alley.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::{EnsembleSelector, SelectionError, Server, fnv_1a};
use crate::balance::affinity::{Values, distinct};
use crate::id::ServerId;

/// One search for servers.
pub(super) struct Search<'a> {
    pub(super) selector: &'a EnsembleSelector,
    pub(super) seed: u64,
    /// The members that stay, whatever is chosen.
    pub(super) stay: &'a [(ServerId, Values)],
    pub(super) needed: usize,
}

/// The servers that may be chosen next, the best on top.
#[derive(Default)]
struct Level {
    options: BinaryHeap<Reverse<Preference>>,
    /// Those that led nowhere; no set with one of them needs to be tried again below.
    failed: Vec<usize>,
}

/// The least is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    broken: usize,
    shards: u64,
    hash: u64,
    index: usize,
}

impl Search<'_> {
    /// The reasons that can be told without a search.
    pub(super) fn check(&self) -> Result<(), SelectionError> {
        let free: Vec<_> = self.free().map(|(_, server)| server).collect();
        if free.len() < self.needed {
            return Err(SelectionError::TooFewServers {
                needed: self.needed,
                servers: free.len(),
            });
        }
        let stay: Vec<_> = self.stay.iter().map(|(_, values)| values).collect();
        let constraints = &self.selector.constraints;
        let eligible = free
            .iter()
            .filter(|server| constraints.broken_by(&server.values, &stay).is_some());
        for (index, constraint) in constraints.strict() {
            let values = distinct(index, eligible.clone().map(|server| &server.values));
            if values < self.needed {
                return Err(SelectionError::TooFewValues {
                    rule: constraint.rule,
                    label: constraint.label.clone(),
                    needed: self.needed,
                    values,
                });
            }
        }
        Ok(())
    }

    /// The best servers that keep the strict rules; `patience` is what is left of it.
    pub(super) fn run(&self, patience: &mut usize) -> Result<Vec<usize>, SelectionError> {
        let mut chosen = Vec::with_capacity(self.needed);
        let mut levels = vec![self.options(&chosen, &[])];
        while chosen.len() < self.needed {
            let best = levels.last_mut().and_then(|level| level.options.pop());
            match best {
                Some(Reverse(best)) => {
                    chosen.push(best.index);
                    let below = self.options(&chosen, &levels);
                    levels.push(below);
                }
                None => {
                    levels.pop();
                    let (Some(failed), Some(level)) = (chosen.pop(), levels.last_mut()) else {
                        return Err(SelectionError::Unsatisfiable {
                            needed: self.needed,
                            labels: self.strict_labels(),
                        });
                    };
                    level.failed.push(failed);
                    let Some(left) = patience.checked_sub(1) else {
                        return Err(SelectionError::TooHard {
                            needed: self.needed,
                            labels: self.strict_labels(),
                        });
                    };
                    *patience = left;
                }
            }
        }
        Ok(chosen)
    }

    /// Who may be chosen after `chosen`; nobody where too few could follow.
    fn options(&self, chosen: &[usize], above: &[Level]) -> Level {
        let left = self.needed.saturating_sub(chosen.len());
        if left == 0 {
            return Level::default();
        }
        let servers = &self.selector.servers;
        let chosen_values = chosen.iter().filter_map(|index| servers.get(*index));
        let members: Vec<_> = chosen_values
            .map(|server| &server.values)
            .chain(self.stay.iter().map(|(_, values)| values))
            .collect();
        let position = u64::try_from(chosen.len()).unwrap_or(u64::MAX);
        let seed = fnv_1a(self.seed, &position.to_le_bytes());
        let mut eligible = Vec::new();
        let mut options = Vec::new();
        for (index, server) in self.free() {
            if chosen.contains(&index) || above.iter().any(|level| level.failed.contains(&index)) {
                continue;
            }
            let values = &server.values;
            let Some(broken) = self.selector.constraints.broken_by(values, &members) else {
                continue;
            };
            eligible.push(values);
            options.push(Reverse(Preference {
                broken,
                shards: server.shards,
                hash: fnv_1a(seed, &server.hash.to_le_bytes()),
                index,
            }));
        }
        let can_end_well = options.len() >= left
            && self
                .selector
                .constraints
                .strict()
                .all(|(constraint, _)| distinct(constraint, eligible.iter().copied()) >= left);
        if !can_end_well {
            return Level::default();
        }
        Level {
            options: options.into(),
            failed: Vec::new(),
        }
    }

    fn free(&self) -> impl Iterator<Item = (usize, &Server)> {
        let stays = |id: ServerId| self.stay.iter().any(|(stay, _)| *stay == id);
        let servers = self.selector.servers.iter().enumerate();
        servers.filter(move |(_, server)| self.stay.is_empty() || !stays(server.identity.id()))
    }

    fn strict_labels(&self) -> Vec<Arc<str>> {
        let strict = self.selector.constraints.strict();
        strict
            .map(|(_, constraint)| constraint.label.clone())
            .collect()
    }
}
