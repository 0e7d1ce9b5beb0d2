//! Random sequences of steps, many shards at once on the same three servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::path::Path;

use fastrand::Rng;
use futures_util::future::join_all;
use stepdown_core::call::EntryId;

use super::chance::{self, Event};
use super::play::{Difference, Play, hurt};
use super::real::Real;
use super::step::{Ask, SERVERS, Said, Step};

/// How often something happens to whole servers while so many sequences go on, and once nothing.
const ROUNDS: usize = 4;
/// Own steps of a sequence in between.
const STEPS: usize = 3;

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
            Err(difference) => Err((it, difference)),
        });
        playing = batch.sort(seed, noted.collect());
    }
    if steps.is_empty() {
        return playing;
    }
    let settled = join_all(playing.into_iter().map(Sequence::settle)).await;
    batch.sort(seed, settled)
}

/// A sequence, or where it ended.
type Played = Result<Sequence, (Sequence, Difference)>;

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
                Err((sequence, difference)) => {
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

/// One shard, and what its own seed makes of it.
struct Sequence {
    at: usize,
    play: Play,
    chance: Rng,
    factor: u32,
    term: i64,
    leader: usize,
    /// The terms in which one was asked to lead. It is done once in a term, as coordinators do it:
    /// whose streams come first is a matter of time then.
    asked: BTreeSet<i64>,
    /// Who belongs to no cluster: a handshake would change that for all sequences.
    unbound: BTreeSet<usize>,
    /// The heads that were heard last.
    heads: [EntryId; SERVERS],
    answers: BTreeMap<String, usize>,
}

impl Sequence {
    fn new(real: &Real, at: usize, seed: u64) -> Self {
        let shard = i64::try_from(at).unwrap_or(i64::MAX);
        let mut chance = Rng::with_seed(seed);
        let factor = chance.choice([1, 2, 3, 3, 3, 3, 3, 5]).unwrap_or(3);
        Self {
            at,
            play: Play::new(real, shard, factor),
            chance,
            factor,
            term: 0,
            leader: 0,
            asked: BTreeSet::new(),
            unbound: BTreeSet::new(),
            heads: [EntryId::NONE; SERVERS],
            answers: BTreeMap::new(),
        }
    }

    fn note(&mut self, step: &Step) -> Result<(), Difference> {
        if let Step::Empty(at) = step {
            self.unbound.insert(*at);
        }
        if let Step::Bind(at) = step {
            self.unbound.remove(at);
        }
        self.play.note(step)
    }

    async fn round(mut self) -> Played {
        for _ in 0..STEPS {
            if let Err(difference) = self.step().await {
                return Err((self, difference));
            }
        }
        self.settle().await
    }

    async fn settle(mut self) -> Played {
        match self.play.settle().await {
            Ok(()) => Ok(self),
            Err(difference) => Err((self, difference)),
        }
    }

    async fn end(mut self) -> Played {
        let ended = match self.play.rest().await {
            Ok(()) => self.read().await,
            Err(difference) => Err(difference),
        };
        match ended {
            Ok(()) => Ok(self),
            Err(difference) => Err((self, difference)),
        }
    }

    async fn read(&mut self) -> Result<(), Difference> {
        for at in 0..SERVERS {
            if self.play.up()[at] {
                self.play.read(at).await?;
            }
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<(), Difference> {
        let at = self.chance.usize(..SERVERS);
        let near = self.term + self.chance.i64(-1..=1);
        match self.chance.u8(..24) {
            _ if self.term == 0 => return self.elect().await,
            0..=6 => return self.elect().await,
            7..=12 => {
                let at = if self.chance.u8(..5) == 0 {
                    at
                } else {
                    self.leader
                };
                for _ in 0..self.chance.u8(1..4) {
                    self.ask(at, Ask::Write).await?;
                }
                if self.chance.bool() {
                    self.play.settle().await?;
                    self.read().await?;
                }
            }
            13 | 14 => {
                let term = match self.chance.u8(..4) {
                    0 => -1,
                    _ => near,
                };
                self.ask(at, Ask::NewTerm(term)).await?;
            }
            15 => {
                let followers = self.followers(at, 5);
                self.ask(at, Ask::BecomeLeader(near, followers)).await?;
            }
            // One that is told to feed itself closes itself, or keeps all of its server's shards
            // waiting for half a minute.
            16..=18 if at != self.leader => {
                let head = self.head(at, 5);
                let term = if self.chance.u8(..5) == 0 {
                    near
                } else {
                    self.term
                };
                if self.chance.bool() {
                    self.ask(at, Ask::NewTerm(term)).await?;
                }
                let add = Ask::AddFollower(term, at, head);
                self.ask(self.leader, add).await?;
            }
            19 => {
                self.ask(at, Ask::DeleteShard(near)).await?;
            }
            20 => {
                let freeze = Ask::Freeze(near, self.chance.bool());
                self.ask(self.leader, freeze).await?;
            }
            21 => {
                self.ask(at, Ask::Handshake).await?;
                self.ask(at, Ask::Stranger(near)).await?;
            }
            _ => self.play.rest().await?,
        }
        Ok(())
    }

    /// Most of the time as a coordinator does.
    async fn elect(&mut self) -> Result<(), Difference> {
        self.term += 1;
        let left_out = self.chance.usize(..SERVERS * 2);
        let asked = (0..SERVERS).filter(|at| *at != left_out);
        let mut heads = Vec::new();
        for at in asked {
            if let Some(Said::Fenced(head)) = self.ask(at, Ask::NewTerm(self.term)).await? {
                heads.push((head, at));
            }
        }
        let best = heads.iter().max().copied();
        let chosen = match self.chance.u8(..5) {
            0 => self.chance.choice(heads.clone()),
            _ => best,
        };
        let Some((_, leader)) = chosen else {
            return Ok(());
        };
        let alone = self.chance.usize(..SERVERS * 3);
        let followers = heads.iter().filter(|(_, at)| *at != leader && *at != alone);
        let followers = followers.map(|(head, at)| (*at, *head));
        let followers = followers.take(self.others()).collect();
        self.leader = leader;
        let lead = Ask::BecomeLeader(self.term, followers);
        self.ask(leader, lead).await?;
        for _ in 0..self.chance.u8(..3) {
            self.ask(leader, Ask::Write).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, at: usize, ask: Ask) -> Result<Option<Said>, Difference> {
        if !self.play.up()[at] || (ask == Ask::Handshake && self.unbound.contains(&at)) {
            return Ok(None);
        }
        if let Ask::BecomeLeader(term, _) = &ask
            && !self.asked.insert(*term)
        {
            return Ok(None);
        }
        let said = self.play.ask(at, &ask).await?;
        if let Said::Fenced(head) = said {
            self.heads[at] = head;
        }
        let name = |debug: String| {
            debug
                .replace(['(', ' '], "\n")
                .lines()
                .next()
                .map(str::to_owned)
        };
        let (asked, heard) = match &said {
            Said::Refused(kind) => (format!("{ask:?}"), format!("{kind:?}")),
            _ => (format!("{ask:?}"), format!("{said:?}")),
        };
        if let (Some(asked), Some(heard)) = (name(asked), name(heard)) {
            *self.answers.entry(format!("{asked}: {heard}")).or_default() += 1;
        }
        // What others do about it would be under way.
        if !matches!(said, Said::Fenced(_)) || self.chance.u8(..4) > 0 {
            self.play.settle().await?;
        }
        Ok(Some(said))
    }

    fn followers(&mut self, leader: usize, wrong: u8) -> Vec<(usize, EntryId)> {
        let mut followers = Vec::new();
        for at in (0..SERVERS).filter(|at| *at != leader) {
            if self.chance.u8(..4) > 0 {
                followers.push((at, self.head(at, wrong)));
            }
        }
        followers.truncate(self.others());
        followers
    }

    /// A leader is told of no more than there are.
    fn others(&self) -> usize {
        usize::try_from(self.factor - 1).unwrap_or(usize::MAX)
    }

    /// The head that was heard, or one time of so many another.
    fn head(&mut self, at: usize, wrong: u8) -> EntryId {
        let mut head = self.heads[at];
        if self.chance.u8(..wrong) == 0 {
            head.offset += self.chance.i64(-1..=1);
            head.offset = head.offset.max(-1);
        }
        head
    }
}
