//! Random rounds, from a seed.

use std::time::Duration;

use fastrand::Rng;

use crate::kubernetes::proxy::{Answer, Fault, Kind};

const SERVERS: usize = 3;

/// One thing done to a steady cluster.
#[derive(Clone, Debug)]
pub enum Round {
    /// The API server is killed, and comes back after so long.
    ApiGone(Duration),
    /// The API server answers nothing for so long.
    ApiPaused(Duration),
    /// The leader is asked to end.
    Ended(Stimulus),
    /// etcd answers nothing for so long.
    EtcdPaused(Duration),
    /// A stranger writes the status.
    Foreign(Stimulus, Duration),
    /// The leader is killed.
    Killed(Stimulus, Duration),
    /// A write of the leader, of this kind, arrives only after another leads.
    Late(Kind),
    /// The Lease is deleted.
    LeaseDeleted(Stimulus),
    /// The leader is paused until another leads, and then goes on, or is killed.
    Paused {
        /// What keeps it busy.
        stimulus: Stimulus,
        /// When, after that.
        after: Duration,
        /// Whether it goes on.
        wakes: bool,
    },
    /// The leader is asked to hand over to another.
    Transferred(Stimulus),
    /// Some of the leader's writes of this kind go wrong.
    Trouble {
        /// What keeps it busy.
        stimulus: Stimulus,
        /// Which writes.
        kind: Kind,
        /// How many.
        times: u64,
        /// How.
        fault: Fault,
    },
}

/// What gives a leader something to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stimulus {
    /// There is a namespace to create.
    Namespace,
    /// Nothing does.
    None,
    /// This data server is killed.
    Server(usize),
}

/// The rounds of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The rounds.
    pub rounds: Vec<Round>,
}

impl Plan {
    /// So many rounds, of every kind about as often as it deserves, in a random order.
    pub fn draw(seed: u64, count: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut rounds: Vec<_> = (0..count).map(|number| round(number, &mut rng)).collect();
        rng.shuffle(&mut rounds);
        Self { seed, rounds }
    }
}

fn round(number: usize, rng: &mut Rng) -> Round {
    match number % 20 {
        0 => Round::ApiGone(millis(rng, 100..2_000)),
        1 => Round::ApiPaused(millis(rng, 100..900)),
        2 => Round::ApiPaused(millis(rng, 2_000..4_000)),
        3 => Round::EtcdPaused(millis(rng, 100..2_500)),
        4 | 5 => Round::Ended(stimulus(rng)),
        6 | 7 => Round::Foreign(stimulus(rng), millis(rng, 0..50)),
        8..=10 => Round::Killed(stimulus(rng), millis(rng, 0..50)),
        11 => Round::Late(Kind::Lease),
        12 => Round::Late(Kind::Status),
        13 => Round::LeaseDeleted(stimulus(rng)),
        14 | 15 => Round::Paused {
            stimulus: stimulus(rng),
            after: millis(rng, 0..50),
            wakes: number.is_multiple_of(2),
        },
        16 => Round::Transferred(stimulus(rng)),
        _ => Round::Trouble {
            stimulus: match rng.bool() {
                true => Stimulus::Namespace,
                false => Stimulus::Server(rng.usize(..SERVERS)),
            },
            kind: *rng
                .choice(&[Kind::Lease, Kind::Status])
                .unwrap_or(&Kind::Status),
            times: rng.u64(1..5),
            fault: fault(rng),
        },
    }
}

fn fault(rng: &mut Rng) -> Fault {
    let status = |code, reason| Answer::status(code, reason, "made up by the proxy");
    match rng.usize(..11) {
        0 => Fault::Drop,
        1 => Fault::CutAfterSending,
        2 => Fault::Truncate,
        3 => Fault::Delay(millis(rng, 10..1_500)),
        4 => Fault::DelayAnswer(millis(rng, 10..1_500)),
        5 => Fault::Answer(status(409, "Conflict")),
        6 => Fault::Answer(status(429, "TooManyRequests").retry_after(1)),
        7 => Fault::Answer(status(500, "InternalError")),
        8 => Fault::Answer(Answer::raw(503, "<html>no healthy upstream</html>")),
        9 => Fault::Answer(status(504, "Timeout")),
        _ => Fault::AnswerAfterSending(status(504, "Timeout")),
    }
}

fn stimulus(rng: &mut Rng) -> Stimulus {
    match rng.usize(..3) {
        0 => Stimulus::None,
        1 => Stimulus::Namespace,
        _ => Stimulus::Server(rng.usize(..SERVERS)),
    }
}

fn millis(rng: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.u64(range))
}
