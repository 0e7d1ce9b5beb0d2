//! Tells once of each term of office when every shard is led that it has found or made so far.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use stepdown_core::{Report, Role, ShardId};
use tracing::info;

use super::reports::millis;

/// Follows the reports of a term of office until every shard is led.
#[derive(Default)]
pub(crate) struct TakeOver(Mutex<Option<Office>>);

/// One in which not every shard was led yet.
struct Office {
    began: Instant,
    waiting: BTreeSet<ShardId>,
    /// Those that were told of.
    settled: BTreeSet<ShardId>,
    summary: Summary,
}

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Summary {
    verified: usize,
    elected: usize,
    blocked: usize,
}

impl TakeOver {
    /// Takes note of a report, and logs if it was the last one that was waited for.
    pub(crate) fn report(&self, report: &Report) {
        if let Some((summary, took)) = self.note(report) {
            let Summary {
                verified,
                elected,
                blocked,
            } = summary;
            info!(
                component = "coordinator",
                shards = verified + elected + blocked,
                verified,
                elected,
                blocked,
                took_ms = millis(took),
                "Every shard is led that can be"
            );
        }
    }

    fn note(&self, report: &Report) -> Option<(Summary, Duration)> {
        let mut office = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Report::RoleChanged { to, .. } = report {
            *office = (*to == Role::Leader).then(Office::begun);
            return None;
        }
        let now = office.as_mut()?;
        if !now.note(report) || !now.waiting.is_empty() {
            return None;
        }
        let (summary, took) = (now.summary, now.began.elapsed());
        *office = None;
        Some((summary, took))
    }
}

impl Office {
    fn begun() -> Self {
        Self {
            began: Instant::now(),
            waiting: BTreeSet::new(),
            settled: BTreeSet::new(),
            summary: Summary::default(),
        }
    }

    /// Returns whether a shard is waited for no longer.
    fn note(&mut self, report: &Report) -> bool {
        let (shard, count) = match report {
            Report::ShardAccepted { shard, .. } => {
                if !self.settled.contains(shard) {
                    self.waiting.insert(*shard);
                }
                return false;
            }
            Report::ShardVerified { shard, .. } => (shard, &mut self.summary.verified),
            Report::Elected { shard, .. } => (shard, &mut self.summary.elected),
            Report::ShardBlocked { shard, .. } => (shard, &mut self.summary.blocked),
            // It is not to be led any more.
            Report::DeletionBegun { shard, .. } => {
                self.settled.insert(*shard);
                return self.waiting.remove(shard);
            }
            Report::ConfigurationApplied { .. }
            | Report::ConfigurationRejected { .. }
            | Report::DeletionHeld { .. }
            | Report::DeletionUnsure { .. }
            | Report::ElectionFailed { .. }
            | Report::ExchangeRefused { .. }
            | Report::FencingEnded { .. }
            | Report::LeaderConfirmed { .. }
            | Report::LeaderHanded { .. }
            | Report::MajorityAwaited { .. }
            | Report::MajorityBack
            | Report::MoveStuck { .. }
            | Report::NamespaceDeleted { .. }
            | Report::NamespaceCreated { .. }
            | Report::NamespaceRefused { .. }
            | Report::ReplicaLeftOut { .. }
            | Report::RoleChanged { .. }
            | Report::ServerAnswers { .. }
            | Report::ServerChanged { .. }
            | Report::ServerEmptied { .. }
            | Report::ServerForgotten { .. }
            | Report::ServerGivenUp { .. }
            | Report::ServerSilent { .. }
            | Report::ShardDeleted { .. }
            | Report::ShardInSync { .. }
            | Report::ShardMoved { .. }
            | Report::ShardsShort { .. }
            | Report::ShardsWhole { .. }
            | Report::StatusAdopted { .. }
            | Report::StatusUnreadable { .. }
            | Report::StoreConcluded { .. } => return false,
        };
        let is_first = self.waiting.remove(shard) && self.settled.insert(*shard);
        *count += usize::from(is_first);
        is_first
    }
}

#[cfg(test)]
mod tests {
    use stepdown_core::{Tenure, Term};

    use super::*;

    fn role(from: Role, to: Role) -> Report {
        Report::RoleChanged {
            tenure: Tenure(1),
            from,
            to,
            cause: None,
            reason: String::new(),
            took: None,
            epoch: None,
        }
    }

    fn accepted(shard: i64) -> Report {
        Report::ShardAccepted {
            namespace: "ns".into(),
            shard: ShardId(shard),
            term: Term(1),
            leader: None,
        }
    }

    fn verified(shard: i64) -> Report {
        Report::ShardVerified {
            namespace: "ns".into(),
            shard: ShardId(shard),
        }
    }

    fn elected(shard: i64) -> Report {
        Report::Elected {
            namespace: "ns".into(),
            shard: ShardId(shard),
            term: Term(2),
            leader: stepdown_core::ServerId("s".into()),
            took: Duration::ZERO,
        }
    }

    fn told(take_over: &TakeOver, reports: &[Report]) -> Vec<Summary> {
        let told = reports.iter().filter_map(|report| take_over.note(report));
        told.map(|(summary, _)| summary).collect()
    }

    #[test]
    fn a_term_of_office_tells_once_how_its_shards_came_to_be_led() {
        let take_over = TakeOver::default();
        let office = [
            role(Role::Candidate, Role::Leader),
            accepted(0),
            accepted(1),
            accepted(2),
            verified(0),
            verified(0),
            elected(2),
            accepted(2),
            verified(1),
            verified(1),
            accepted(3),
            elected(3),
        ];
        let summary = Summary {
            verified: 2,
            elected: 1,
            blocked: 0,
        };
        assert_eq!(told(&take_over, &office), [summary]);
        assert_eq!(told(&take_over, &office), [summary]);
    }

    #[test]
    fn one_that_ended_before_tells_nothing() {
        let take_over = TakeOver::default();
        let reports = [
            role(Role::Candidate, Role::Leader),
            accepted(0),
            role(Role::Leader, Role::SteppingDown),
            verified(0),
        ];
        assert_eq!(told(&take_over, &reports), []);
    }
}
