//! How long things take among the nodes.

use std::sync::Arc;
use std::time::Duration;

use openraft::{Config, SnapshotPolicy};

use super::error::TimingError;

/// The durations of an election by Raft.
///
/// A node that has heard from a leader votes for nobody else for a lease, which is `election_max`,
/// and stands for election itself after that and an election time-out more. So a leader that is
/// killed is followed after one lease and `election_min` to `election_max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaftTiming {
    /// How often a leader is heard of.
    pub heartbeat: Duration,
    /// The shortest time-out of an election.
    pub election_min: Duration,
    /// The longest time-out of an election, and the lease.
    pub election_max: Duration,
}

impl Default for RaftTiming {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(200),
            election_min: Duration::from_millis(600),
            election_max: Duration::from_millis(1_000),
        }
    }
}

impl RaftTiming {
    /// For how long after a majority was asked, and has answered, nobody else is elected: a lease,
    /// less what clocks may differ in.
    pub(super) fn authority(&self) -> Duration {
        self.election_max * 19 / 20
    }

    /// How often a leader asks a majority whether it leads, and a candidate asks the leader for its
    /// place.
    pub(super) fn ask_every(&self) -> Duration {
        self.heartbeat / 2
    }

    /// How long an answer is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.election_max * 3
    }

    pub(super) fn config(&self) -> Result<Arc<Config>, TimingError> {
        let config = Config {
            cluster_name: "stepdown".to_owned(),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: millis(self.election_min),
            election_timeout_max: millis(self.election_max),
            install_snapshot_timeout: millis(self.patience()),
            max_payload_entries: 64,
            // Snapshots are asked for by size, too.
            snapshot_policy: SnapshotPolicy::LogsSinceLast(5_000),
            max_in_snapshot_log_to_keep: 16,
            snapshot_max_chunk_size: 1 << 20,
            // Until it is known to be missed.
            enable_elect: false,
            ..Config::default()
        };
        let config = config.validate();
        config
            .map(Arc::new)
            .map_err(|error| TimingError(error.to_string()))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
