//! Counts over all lives of all processes.

use std::collections::BTreeMap;

use stepdown_core::ShardId;

use super::seen::{Counts, Seen};
use super::summary::Elections;

/// Counts over all lives of all processes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By name and process id, since every process counts from 0.
    lives: BTreeMap<(String, u32), Counts>,
    shards: BTreeMap<ShardId, Terms>,
}

#[derive(Debug)]
struct Terms {
    first: i64,
    last: i64,
}

impl Tally {
    /// Takes in one look.
    pub(super) fn add(&mut self, seen: &Seen) {
        for coordinator in &seen.coordinators {
            if let (Some(pid), Some(answer)) = (coordinator.pid, &coordinator.answer) {
                let life = (coordinator.name.clone(), pid);
                self.lives.insert(life, answer.counts);
            }
        }
        for shard in seen.shards.iter().filter(|it| it.term >= 0) {
            let term = shard.term;
            let fresh = Terms {
                first: term,
                last: term,
            };
            let terms = self.shards.entry(shard.id).or_insert(fresh);
            terms.last = terms.last.max(term);
        }
    }

    /// The sum over all coordinators.
    pub(super) fn counts(&self) -> Counts {
        self.lives
            .values()
            .fold(Counts::default(), |sum, it| Counts {
                conflicts: sum.conflicts + it.conflicts,
                step_downs: sum.step_downs + it.step_downs,
                offices: sum.offices + it.offices,
            })
    }

    /// Elections: the terms that shards went through.
    pub(super) fn elections(&self) -> Elections {
        let later = self
            .shards
            .values()
            .map(|it| (it.last - it.first).unsigned_abs());
        Elections {
            first: u64::try_from(self.shards.len()).unwrap_or(u64::MAX),
            later: later.sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stepdown_core::Role;

    use super::*;
    use crate::show::seen::{Answer, SeenCoordinator};
    use crate::show::shards::SeenShard;

    fn look(pid: u32, offices: u64, term: i64) -> Seen {
        let counts = Counts {
            offices,
            ..Counts::default()
        };
        Seen {
            coordinators: vec![SeenCoordinator {
                name: "coordinator-1".to_owned(),
                pid: Some(pid),
                paused: false,
                answer: Some(Answer {
                    role: Role::Leader,
                    epoch: 1,
                    tenure: 1,
                    counts,
                    servers: [].into(),
                }),
                known: None,
            }],
            servers: Vec::new(),
            shards: Arc::new(vec![SeenShard {
                namespace: "default".into(),
                id: ShardId(0),
                term,
                leader: None,
                deleting: false,
            }]),
        }
    }

    #[test]
    fn what_a_killed_process_counted_is_not_forgotten() {
        let mut tally = Tally::default();
        for seen in [look(7, 1, 0), look(7, 2, 0), look(8, 0, 0), look(8, 1, 0)] {
            tally.add(&seen);
        }
        assert_eq!(tally.counts().offices, 3);
    }

    #[test]
    fn an_election_is_a_term_after_the_first() {
        let mut tally = Tally::default();
        for term in [-1, 2, 2, 3, 5] {
            tally.add(&look(7, 0, term));
        }
        assert_eq!(tally.elections(), Elections { first: 1, later: 3 });
    }
}
