//! Random sequences of steps, many shards at once on the same three servers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use fastrand::Rng;
use futures_util::future::join_all;
use stepdown_core::call::EntryId;

use super::play::{Difference, Play, hurt};
use super::real::Real;
use super::step::{Ask, SERVERS, Said, Step};

/// What whole servers go through while so many sequences go on.
const ROUNDS: usize = 5;
/// Own steps of a sequence between that.
const STEPS: usize = 3;

/// What came of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// Sequences that were played to their end.
    pub whole: usize,
    /// Those that had too many ways to go on.
    pub lost: usize,
    /// Where the real ones differ, with what to repeat.
    pub differences: Vec<String>,
}

/// Plays so many sequences at once. Server restarts are common to them; a sequence's own steps come
/// from its own seed, so that `only` one of them can be repeated.
pub async fn batch(oxia: &Path, seed: u64, sequences: usize, only: Option<usize>) -> Batch {
    let mut real = Real::start(oxia).await;
    let mut chance = Rng::with_seed(seed);
    let mut playing: Vec<Sequence> = (0..sequences)
        .map(|at| Sequence::new(&real, at, chance.u64(..)))
        .filter(|it| only.is_none_or(|only| it.at == only))
        .collect();
    let mut batch = Batch::default();
    for round in 0..ROUNDS {
        let events = if round == 0 {
            Vec::new()
        } else {
            events(&mut chance)
        };
        for step in &events {
            hurt(&mut real, step).await;
            playing.iter_mut().for_each(|it| it.play.note(step));
        }
        let played = join_all(playing.into_iter().map(Sequence::round)).await;
        playing = Vec::new();
        for played in played {
            match played {
                Ok(sequence) => playing.push(sequence),
                Err((_, Difference::Lost { .. })) => batch.lost += 1,
                Err((at, found @ Difference::Found { .. })) => {
                    let mut text = format!("REPLICA_SEED={seed} REPLICA_SEQUENCE={at}: ");
                    let _ = write!(text, "{found}");
                    batch.differences.push(text);
                }
            }
        }
        for at in (0..SERVERS)
            .filter(|at| !real.up()[*at])
            .collect::<Vec<_>>()
        {
            hurt(&mut real, &Step::Start(at)).await;
            playing
                .iter_mut()
                .for_each(|it| it.play.note(&Step::Start(at)));
        }
    }
    batch.whole = playing.len();
    batch
}

/// What whole servers go through.
fn events(chance: &mut Rng) -> Vec<Step> {
    let at = chance.usize(..SERVERS);
    match chance.u8(..6) {
        0 => vec![],
        1 => vec![Step::Kill(at)],
        2 | 3 => vec![Step::Kill(at), Step::Start(at)],
        4 => vec![
            Step::Kill(at),
            Step::Empty(at),
            Step::Start(at),
            Step::Bind(at),
        ],
        _ => vec![Step::Kill(at), Step::DropLogs(at), Step::Start(at)],
    }
}

struct Sequence {
    at: usize,
    play: Play,
    chance: Rng,
    term: i64,
    leader: usize,
    /// Who was asked to lead in which term. It is done once: whether the streams of an earlier
    /// `BecomeLeader` in the term come first is a matter of time.
    asked: BTreeSet<(usize, i64)>,
    /// The heads that were heard last.
    heads: [EntryId; SERVERS],
}

impl Sequence {
    fn new(real: &Real, at: usize, seed: u64) -> Self {
        let shard = i64::try_from(at).unwrap_or(i64::MAX);
        Self {
            at,
            play: Play::new(real, shard),
            chance: Rng::with_seed(seed),
            term: 0,
            leader: 0,
            asked: BTreeSet::new(),
            heads: [EntryId::NONE; SERVERS],
        }
    }

    async fn round(mut self) -> Result<Self, (usize, Difference)> {
        for _ in 0..STEPS {
            if let Err(difference) = self.step().await {
                return Err((self.at, difference));
            }
        }
        match self.end().await {
            Ok(()) => Ok(self),
            Err(difference) => Err((self.at, difference)),
        }
    }

    async fn end(&mut self) -> Result<(), Difference> {
        self.play.settle().await?;
        self.play.read(self.leader).await
    }

    async fn step(&mut self) -> Result<(), Difference> {
        let at = self.chance.usize(..SERVERS);
        let near = |chance: &mut Rng, term: i64| term + chance.i64(-1..=1);
        match self.chance.u8(..20) {
            0..=5 => return self.elect().await,
            6..=11 => {
                let at = if self.chance.u8(..5) == 0 {
                    at
                } else {
                    self.leader
                };
                self.ask(at, Ask::Write).await?;
            }
            12 | 13 => {
                let term = match self.chance.u8(..4) {
                    0 => -1,
                    _ => near(&mut self.chance, self.term),
                };
                self.ask(at, Ask::NewTerm(term)).await?;
            }
            14 => {
                let term = near(&mut self.chance, self.term);
                let followers = self.followers(at, 5);
                self.ask(at, Ask::BecomeLeader(term, followers)).await?;
            }
            15 | 16 => {
                let head = self.head(at, 5);
                let add = Ask::AddFollower(self.term, at, head);
                self.ask(self.leader, add).await?;
            }
            17 => {
                let term = near(&mut self.chance, self.term);
                self.ask(at, Ask::DeleteShard(term)).await?;
            }
            18 => {
                let term = near(&mut self.chance, self.term);
                let freeze = Ask::Freeze(term, self.chance.bool());
                self.ask(self.leader, freeze).await?;
            }
            _ => {
                self.play.wait().await;
                self.play.settle().await?;
            }
        }
        Ok(())
    }

    /// Most of the time as a coordinator does.
    async fn elect(&mut self) -> Result<(), Difference> {
        self.term += 1;
        let left_out = self.chance.usize(..SERVERS + 1);
        let asked = (0..SERVERS).filter(|at| *at != left_out);
        let mut heads = Vec::new();
        for at in asked {
            if let Some(Said::Fenced(head)) = self.ask(at, Ask::NewTerm(self.term)).await? {
                heads.push((head, at));
            }
        }
        let Some((_, leader)) = heads.iter().max().copied() else {
            return Ok(());
        };
        let followers = heads.iter().filter(|(_, at)| *at != leader);
        let followers = followers.map(|(head, at)| (*at, *head)).collect();
        self.leader = leader;
        let lead = Ask::BecomeLeader(self.term, followers);
        self.ask(leader, lead).await.map(|_| ())
    }

    async fn ask(&mut self, at: usize, ask: Ask) -> Result<Option<Said>, Difference> {
        if !self.play.up()[at] {
            return Ok(None);
        }
        if let Ask::BecomeLeader(term, _) = &ask
            && !self.asked.insert((at, *term))
        {
            return Ok(None);
        }
        let said = self.play.ask(at, &ask).await?;
        if let Said::Fenced(head) = said {
            self.heads[at] = head;
        }
        if self.chance.u8(..4) > 0 {
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
        followers
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
