use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastrand::Rng;

use super::FirstLineIs;

/// One thing done to a steady cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// The leader is killed.
    Kill {
        /// What keeps it busy.
        stimulus: Stimulus,
        /// When, after the stimulus.
        after: Duration,
        /// Whether its successor is killed too, right after it was elected.
        successor: bool,
    },
    /// The leader is paused.
    Stop {
        /// What keeps it busy.
        stimulus: Stimulus,
        /// When, after the stimulus.
        after: Duration,
        /// What becomes of it.
        then: Afterwards,
    },
    /// A stranger writes the status file.
    Foreign {
        /// What the coordinators do then.
        phase: Phase,
        /// When, after that began.
        after: Duration,
        /// How the stranger writes.
        line: FirstLineIs,
        /// How many shard ids the stranger takes.
        skipped: i64,
    },
}

/// What gives a leader something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stimulus {
    /// Nothing does.
    None,
    /// There is a namespace to create.
    Namespace,
    /// This data server is killed.
    Server(usize),
}

/// What becomes of a leader that is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It goes on.
    Wakes,
    /// It is killed.
    Dies,
}

/// What coordinators do while a stranger writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The leader has been killed: another loads the status.
    Load,
    /// Another has just made its first write.
    Fencing,
    /// This data server was killed: its shards are being elected anew.
    Election(usize),
    /// Nothing.
    Idle,
}

/// The rounds of a run, from a seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The rounds.
    pub rounds: Vec<Round>,
}

impl Plan {
    /// So many rounds of each kind, in a random order.
    pub fn draw(seed: u64, kills: usize, stops: usize, foreign: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut rounds = Vec::new();
        for number in 0..kills {
            rounds.push(Round::Kill {
                stimulus: stimulus(&mut rng),
                after: moment(&mut rng),
                successor: number % 4 == 0,
            });
        }
        for number in 0..stops {
            rounds.push(Round::Stop {
                stimulus: stimulus(&mut rng),
                after: moment(&mut rng),
                then: if number % 2 == 0 {
                    Afterwards::Wakes
                } else {
                    Afterwards::Dies
                },
            });
        }
        for number in 0..foreign {
            rounds.push(Round::Foreign {
                phase: match number % 4 {
                    0 => Phase::Load,
                    1 => Phase::Fencing,
                    2 => Phase::Election(rng.usize(..SERVERS)),
                    _ => Phase::Idle,
                },
                after: moment(&mut rng),
                line: if rng.bool() {
                    FirstLineIs::Kept
                } else {
                    FirstLineIs::Removed
                },
                skipped: rng.i64(1..10),
            });
        }
        rng.shuffle(&mut rounds);
        Self { seed, rounds }
    }
}

/// What `PROC_SEED` says, or what the clock does.
pub fn seed() -> u64 {
    match std::env::var("PROC_SEED") {
        Ok(text) => text.parse().expect("PROC_SEED is a number"),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            u64::from(now.expect("it is later than 1970").subsec_nanos())
        }
    }
}

const SERVERS: usize = 3;

fn stimulus(rng: &mut Rng) -> Stimulus {
    match rng.usize(..3) {
        0 => Stimulus::None,
        1 => Stimulus::Namespace,
        _ => Stimulus::Server(rng.usize(..SERVERS)),
    }
}

fn moment(rng: &mut Rng) -> Duration {
    Duration::from_micros(rng.u64(..50_000))
}
