//! Metrics of what is moved, handed over and deleted.

use prometheus::{IntCounter, Registry};
use stepdown_core::Report;

use super::declare::metrics;

metrics! {
    /// What a balancer does, and what is deleted.
    Moves {
        moved: IntCounter = IntCounter::new(
            "stepdown_shards_moved_total",
            "Shards of which one data server has come in the place of another",
        ),
        refused: IntCounter = IntCounter::new(
            "stepdown_moves_refused_total",
            "Moves that could not be begun just then, or came to nothing",
        ),
        stuck: IntCounter = IntCounter::new(
            "stepdown_shards_stuck_total",
            "How often a shard was found that can't leave a data server that is not configured any more",
        ),
        handed: IntCounter = IntCounter::new(
            "stepdown_leaders_handed_total",
            "Elections so that another data server leads",
        ),
        deleted: IntCounter = IntCounter::new(
            "stepdown_shards_deleted_total",
            "Shards that were deleted from every data server",
        ),
        held: IntCounter = IntCounter::new(
            "stepdown_deletions_held_total",
            "Configurations that would delete more than they keep, and were held back for a while",
        ),
    }
}

impl Moves {
    /// Nothing was moved yet.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Self::register(registry)
    }

    /// Takes note of a report.
    pub fn report(&self, report: &Report) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all others are looked at where this is called"
        )]
        match report {
            Report::DeletionHeld { .. } => self.held.inc(),
            Report::ExchangeRefused { .. } => self.refused.inc(),
            Report::LeaderHanded { .. } => self.handed.inc(),
            Report::MoveStuck { .. } => self.stuck.inc(),
            Report::ShardDeleted { .. } => self.deleted.inc(),
            Report::ShardMoved { .. } => self.moved.inc(),
            _ => {}
        }
    }
}
