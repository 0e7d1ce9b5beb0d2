//! One shard of the real servers, and what a seed of its own makes of it.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use stepdown_core::call::EntryId;

use super::play::{Difference, Play};
use super::real::Real;
use super::step::{Ask, SERVERS, Said, Step};

/// Own steps of a sequence between two things that happen to whole servers.
const STEPS: usize = 3;

/// A sequence, or where it ended.
pub(super) type Played = Result<Sequence, Box<(Sequence, Difference)>>;

/// One shard, and what its own seed makes of it.
pub(super) struct Sequence {
    pub(super) at: usize,
    pub(super) play: Play,
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
    /// How often what was answered to what.
    pub(super) answers: BTreeMap<String, usize>,
}

impl Sequence {
    pub(super) fn new(real: &Real, at: usize, seed: u64) -> Self {
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

    pub(super) fn note(&mut self, step: &Step) -> Result<(), Difference> {
        if let Step::Empty(at) = step {
            self.unbound.insert(*at);
        }
        if let Step::Bind(at) = step {
            self.unbound.remove(at);
        }
        self.play.note(step)
    }

    pub(super) async fn round(mut self) -> Played {
        for _ in 0..STEPS {
            if let Err(difference) = self.step().await {
                return Err(Box::new((self, difference)));
            }
        }
        self.settle().await
    }

    pub(super) async fn settle(mut self) -> Played {
        match self.play.settle().await {
            Ok(()) => Ok(self),
            Err(difference) => Err(Box::new((self, difference))),
        }
    }

    pub(super) async fn end(mut self) -> Played {
        let ended = match self.play.rest().await {
            Ok(()) => self.read().await,
            Err(difference) => Err(difference),
        };
        match ended {
            Ok(()) => Ok(self),
            Err(difference) => Err(Box::new((self, difference))),
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
        let heard = if let Said::Refused(kind) = &said {
            format!("{kind:?}")
        } else {
            format!("{said:?}")
        };
        let (asked, heard) = (format!("{ask:?}"), heard);
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
