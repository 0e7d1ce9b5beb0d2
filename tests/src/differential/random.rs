//! Random sequences of steps, many shards at once on the same three servers.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

use fastrand::Rng;
use futures_util::future::join_all;

use super::chance::{self, Event};
use super::play::{Difference, hurt};
use super::real::Real;
use super::sequence::{Played, Sequence};
use super::step::Step;

/// How often something happens to whole servers while so many sequences go on, and once nothing.
const ROUNDS: usize = 4;

/// What came of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// Sequences that were played to their end.
    pub whole: usize,
    /// Those that had too many ways to go on.
    pub lost: usize,
    /// Calls that were made and compared.
    pub steps: usize,
    /// How often what was answered to what.
    pub answers: BTreeMap<String, usize>,
    /// Where the real ones differ, with what to repeat.
    pub differences: Vec<String>,
}

/// Plays so many sequences at once. What happens to whole servers is common to them; a sequence's
/// own steps come from its own seed, so that `only` one of them can be repeated.
pub async fn batch(oxia: &Path, seed: u64, sequences: usize, only: Option<usize>) -> Batch {
    let mut real = Real::start(oxia).await;
    let mut chance = Rng::with_seed(seed);
    let mut batch = Batch::default();
    let mut playing: Vec<Sequence> = (0..sequences)
        .map(|at| Sequence::new(&real, at, chance.u64(..)))
        .filter(|it| only.is_none_or(|only| it.at == only))
        .collect();
    for round in 0..ROUNDS {
        let event = match round {
            0 => Event::default(),
            _ => chance::event(&mut chance),
        };
        playing = happen(&mut real, playing, &event.before, &mut batch, seed).await;
        let played = join_all(playing.into_iter().map(Sequence::round)).await;
        playing = batch.sort(seed, played);
        playing = happen(&mut real, playing, &event.after, &mut batch, seed).await;
    }
    let played = join_all(playing.into_iter().map(Sequence::end)).await;
    playing = batch.sort(seed, played);
    batch.whole = playing.len();
    playing.iter().for_each(|it| batch.count(it));
    batch
}

/// Does the same to all of them, and to the servers.
async fn happen(
    real: &mut Real,
    mut playing: Vec<Sequence>,
    steps: &[Step],
    batch: &mut Batch,
    seed: u64,
) -> Vec<Sequence> {
    for step in steps {
        hurt(real, step).await;
        let noted = playing.into_iter().map(|mut it| match it.note(step) {
            Ok(()) => Ok(it),
            Err(difference) => Err(Box::new((it, difference))),
        });
        playing = batch.sort(seed, noted.collect());
    }
    if steps.is_empty() {
        return playing;
    }
    let settled = join_all(playing.into_iter().map(Sequence::settle)).await;
    batch.sort(seed, settled)
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            whole, lost, steps, ..
        } = self;
        let differ = self.differences.len();
        write!(
            f,
            "{whole} whole, {lost} lost, {differ} differ, {steps} calls"
        )
    }
}

impl Batch {
    /// Adds what came of another one.
    pub fn add(&mut self, other: Self) {
        self.whole += other.whole;
        self.lost += other.lost;
        self.steps += other.steps;
        self.differences.extend(other.differences);
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
    }

    /// Those that go on.
    fn sort(&mut self, seed: u64, played: Vec<Played>) -> Vec<Sequence> {
        let mut going = Vec::new();
        for played in played {
            match played {
                Ok(sequence) => going.push(sequence),
                Err(ended) => {
                    let (sequence, difference) = *ended;
                    self.count(&sequence);
                    self.end(seed, sequence.at, &difference);
                }
            }
        }
        going
    }

    fn count(&mut self, sequence: &Sequence) {
        self.steps += sequence.play.steps();
        for (answer, count) in &sequence.answers {
            *self.answers.entry(answer.clone()).or_default() += count;
        }
    }

    fn end(&mut self, seed: u64, at: usize, difference: &Difference) {
        match difference {
            Difference::Lost { .. } => {
                self.lost += 1;
                println!("{difference}");
            }
            Difference::Found { .. } => {
                let mut text = format!("REPLICA_SEED={seed} REPLICA_SEQUENCE={at}: ");
                let _ = write!(text, "{difference}");
                println!("{text}");
                self.differences.push(text);
            }
        }
    }
}
