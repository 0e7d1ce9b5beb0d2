//! How long shards were without a leader, and without a write acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use stepdown_core::call::{ReplicaRole, ReplicaStatus};
use stepdown_core::{ShardId, Term};
use tokio::time::Instant;

/// The longest that any one shard went without, since it was last asked to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Longest {
    /// No data server said that it leads the shard in its newest term.
    pub unled: Duration,
    /// No write of a client was committed: with other words, nothing was acknowledged.
    pub uncommitted: Duration,
}

/// What data servers have said.
#[derive(Debug, Default)]
pub(super) struct Gaps(BTreeMap<ShardId, Shard>);

#[derive(Debug)]
struct Shard {
    term: Term,
    commit: i64,
    led: Gap,
    committed: Gap,
}

/// The longest time between two signs of life.
#[derive(Debug)]
struct Gap {
    last: Instant,
    longest: Duration,
}

impl Gaps {
    /// Takes in what one data server says of its replica, asked at `sent` and heard at `now`. A gap
    /// is counted from the sending, so it is never told too short.
    pub(super) fn take(&mut self, id: ShardId, status: ReplicaStatus, sent: Instant, now: Instant) {
        let shard = self.0.entry(id).or_insert_with(|| Shard {
            term: status.term,
            commit: status.commit_offset,
            led: Gap::new(sent),
            committed: Gap::new(sent),
        });
        shard.term = shard.term.max(status.term);
        if status.role == ReplicaRole::Leader && status.term == shard.term {
            shard.led.end(sent, now);
        }
        if status.commit_offset > shard.commit {
            shard.commit = status.commit_offset;
            shard.committed.end(sent, now);
        }
    }

    /// Forgets the gaps that have ended.
    pub(super) fn begin(&mut self) {
        for shard in self.0.values_mut() {
            shard.led.longest = Duration::ZERO;
            shard.committed.longest = Duration::ZERO;
        }
    }

    /// The longest ones, those that last until `now` included.
    pub(super) fn longest(&self, now: Instant) -> Longest {
        let longest = |gap: fn(&Shard) -> &Gap| {
            let gaps = self.0.values().map(|shard| gap(shard).until(now));
            gaps.max().unwrap_or_default()
        };
        Longest {
            unled: longest(|shard| &shard.led),
            uncommitted: longest(|shard| &shard.committed),
        }
    }
}

impl Gap {
    fn new(at: Instant) -> Self {
        Self {
            last: at,
            longest: Duration::ZERO,
        }
    }

    fn end(&mut self, sent: Instant, now: Instant) {
        self.longest = self.until(now);
        self.last = self.last.max(sent);
    }

    fn until(&self, now: Instant) -> Duration {
        self.longest.max(now.saturating_duration_since(self.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn leader(term: i64, commit_offset: i64) -> ReplicaStatus {
        ReplicaStatus {
            term: Term(term),
            role: ReplicaRole::Leader,
            head_offset: commit_offset,
            commit_offset,
        }
    }

    #[test]
    fn a_leader_of_an_older_term_leads_no_longer() {
        let (mut gaps, begin) = (Gaps::default(), Instant::now());
        let mut take = |status, second| {
            let at = begin + second * SECOND;
            gaps.take(ShardId(1), status, at, at);
        };
        take(leader(1, 5), 0);
        take(leader(1, 6), 1);
        let fenced = ReplicaStatus {
            role: ReplicaRole::Fenced,
            ..leader(2, 6)
        };
        take(fenced, 2);
        take(leader(1, 6), 3);
        take(leader(2, 7), 5);
        let longest = Longest {
            unled: 4 * SECOND,
            uncommitted: 4 * SECOND,
        };
        assert_eq!(gaps.longest(begin + 5 * SECOND), longest);
        gaps.begin();
        assert_eq!(gaps.longest(begin + 6 * SECOND).unled, SECOND);
    }
}
