//! What a machine is made with, and every duration that it goes by.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::ProcessId;

/// What a [`CoordinatorState`](crate::CoordinatorState) is made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// This process.
    pub process: ProcessId,
    /// The only source of chance: jitter, and the cluster's id if there is none yet.
    pub seed: u64,
    /// The durations to go by.
    pub timing: Timing,
}

/// Every duration that the machine goes by. The defaults are those of production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Between two health checks of a data server.
    pub probe_every: Duration,
    /// Between two health checks of a data server that has not answered yet. One that was not watched
    /// for so long may have been restarted meanwhile.
    pub reprobe_every: Duration,
    /// Between two health checks of a data server that is unavailable.
    pub away_every: Duration,
    /// How long a health check of a data server that runs may be unanswered before people are told.
    pub overdue: Duration,
    /// So many failed checks in a row make a data server unavailable.
    pub probe_failures: u32,
    /// Between two tries of a refused or failed handshake, stream or watch: the first wait.
    pub reconnect_first: Duration,
    /// The longest such wait.
    pub reconnect_most: Duration,
    /// What has worked for so long, a stream or a binding, has worked: when it breaks after that,
    /// the wait before the next try is the first one again.
    pub lasting: Duration,
    /// So long a shard may have fewer replicas in sync than it has, before people are told.
    pub short_for: Duration,
    /// How long an election, or the first push of assignments, waits for a majority of the
    /// ensemble to have shaken hands.
    pub patience: Duration,
    /// After the majority: how long to wait for each further member's answer to `NewTerm`.
    pub grace: Duration,
    /// How long replicas that are not open are spared in an election that a majority may do without
    /// them. To open one costs its server more than all else that an election does.
    pub spare: Duration,
    /// A reported term that is further ahead than this is taken for a replica's fault, not for a
    /// term that was used.
    pub term_jump: i64,
    /// How long a sync of a data server's log may take: what a fenced replica has beyond what it tells
    /// is cut off after that.
    pub sync: Duration,
    /// Between two election attempts of a shard: the first wait.
    pub election_first: Duration,
    /// The longest such wait.
    pub election_most: Duration,
    /// Between two tries to bring a follower back: the first wait.
    pub follower_first: Duration,
    /// The longest such wait.
    pub follower_most: Duration,
    /// How long a follower may stay behind its leader without coming any nearer. A leader tries to
    /// reach it again after up to 60 s.
    pub catch_up: Duration,
    /// Bytes of document written per second at most, on average, while changes pour in.
    pub store_bytes_per_second: u64,
    /// The shortest time between two stores.
    pub window_least: Duration,
    /// The longest time between two stores while there are changes.
    pub window_most: Duration,
    /// Between two tries of a store, load or read-back that the store could not serve: first wait.
    pub store_retry_first: Duration,
    /// The longest such wait; also the wait where waiting alone won't mend it.
    pub store_retry_most: Duration,
    /// Between two looks of an idle leader at the document's version.
    pub head_check_every: Duration,
    /// Between two answers to hints that the document was changed.
    pub hint_spacing: Duration,
    /// Before campaigning again after a loss: the bound of the first, random, wait.
    pub campaign_first: Duration,
    /// The bound of the longest such wait.
    pub campaign_most: Duration,
    /// Time in office after which a loss counts as the first one again.
    pub campaign_forget: Duration,
    /// Whoever won leadership and is not in office after this time gives it back, and waits for
    /// `campaign_most`, since another candidate may be able to read or write what it can't.
    pub office_within: Duration,
    /// A leader that could not store anything for so long, though it had to, is of no use: it steps
    /// down, and waits for `campaign_most`, for the same reason.
    pub useful_within: Duration,
    /// How often a candidate tries its fencing write before it lets others try.
    pub fencing_attempts: u32,
    /// One full lease: when assignments and roles are checked once more after taking office, since
    /// an older leader's last words may have come later than ours.
    pub lease: Duration,
    /// Between two unasked pushes of the assignments.
    pub reassign_every: Duration,
    /// Between two sweeps that verify every shard's leader.
    pub reverify_every: Duration,
    /// Between two steps of such a sweep.
    pub sweep_every: Duration,
    /// Shards verified in one such step.
    pub sweep_shards: usize,
    /// How long after something has changed that a plan of moves follows from the next one is made.
    pub plan_after: Duration,
    /// How long a data server that has failed has to run before more shards are to be led by it.
    pub relied_after: Duration,
    /// So many shards are moved at once, where the configuration does not say.
    pub moves_most: usize,
    /// So many of them from, and to, one data server, where the configuration does not say.
    pub moves_each: usize,
    /// How long a configuration that takes away more namespaces than it keeps has to stay as it is before it
    /// is put into force.
    pub delete_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            probe_every: Duration::from_secs(2),
            reprobe_every: Duration::from_millis(500),
            away_every: Duration::from_millis(200),
            overdue: Duration::from_secs(2),
            probe_failures: 3,
            reconnect_first: Duration::from_millis(200),
            reconnect_most: Duration::from_secs(5),
            lasting: Duration::from_secs(30),
            short_for: Duration::from_secs(60),
            patience: Duration::from_secs(5),
            grace: Duration::from_millis(100),
            spare: Duration::from_secs(1),
            term_jump: 1 << 32,
            sync: Duration::from_millis(40),
            election_first: Duration::from_millis(100),
            election_most: Duration::from_secs(10),
            follower_first: Duration::from_secs(1),
            follower_most: Duration::from_secs(30),
            catch_up: Duration::from_secs(90),
            store_bytes_per_second: 4_000_000,
            window_least: Duration::from_millis(5),
            window_most: Duration::from_millis(200),
            store_retry_first: Duration::from_millis(100),
            store_retry_most: Duration::from_secs(5),
            head_check_every: Duration::from_secs(5),
            hint_spacing: Duration::from_millis(100),
            campaign_first: Duration::from_millis(100),
            campaign_most: Duration::from_secs(5),
            campaign_forget: Duration::from_secs(30),
            office_within: Duration::from_secs(30),
            useful_within: Duration::from_secs(30),
            fencing_attempts: 5,
            lease: Duration::from_secs(15),
            reassign_every: Duration::from_secs(60),
            reverify_every: Duration::from_secs(300),
            sweep_every: Duration::from_millis(50),
            sweep_shards: 64,
            plan_after: Duration::from_secs(1),
            relied_after: Duration::from_secs(300),
            moves_most: 16,
            moves_each: 4,
            delete_after: Duration::from_secs(30),
        }
    }
}
