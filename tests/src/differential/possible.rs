//! Every way in which things may have gone at the model servers, so far as was seen of the real
//! ones.
//!
//! Real servers try again by themselves, at times of their own: a leader whose stream has ended
//! opens it again. Between that everything is swift, and the same in whichever order it comes. So
//! the model is run beside them in every order of *retries*, and each thing that the real ones say
//! strikes out the ways that disagree. What is left must not be nothing. How far a follower knows
//! the log to be committed is taken from the real one, within what is possible.

use std::collections::HashMap;
use std::sync::Arc;

use super::step::{Ask, SERVERS, Said, Seen};
use super::world::{SHARD, World};

/// More ways than this are not followed.
const MOST: usize = 2_000;

/// Every way in which things may have gone.
#[derive(Clone, Debug)]
pub(super) struct Possible {
    ways: Vec<Way>,
}

/// One of them.
#[derive(Clone, Debug)]
struct Way {
    world: World,
    /// Nothing leads out of it for good, if nobody does anything.
    is_last: bool,
}

/// There are too many ways in which things may have gone.
#[derive(Debug)]
pub(super) struct TooMany;

impl Possible {
    pub(super) fn new(addresses: [Arc<str>; SERVERS], factor: u32) -> Self {
        Self {
            ways: vec![Way {
                world: World::new(addresses, factor),
                is_last: true,
            }],
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.ways.len()
    }

    /// Does something to all of them.
    pub(super) fn each(&mut self, mut work: impl FnMut(&mut World)) -> Result<(), TooMany> {
        let mut worlds = self.worlds();
        worlds.iter_mut().for_each(&mut work);
        self.follow(worlds)
    }

    /// Asks a server, at any time. What may be answered once everything has come to rest.
    pub(super) fn ask(&mut self, at: usize, ask: &Ask) -> Result<Vec<Option<Said>>, TooMany> {
        let before = self.worlds();
        let mut worlds = before.clone();
        worlds.iter_mut().for_each(|world| world.ask(at, ask));
        let mut worlds: Vec<World> = worlds.iter().flat_map(World::delayed).collect();
        if let Ask::BecomeLeader(term, followers) = ask {
            // One that is sent a snapshot first has that for a while, and nothing more.
            for (late, _) in followers {
                let mut some = before.clone();
                some.iter_mut().for_each(|world| {
                    world.late = Some(*late);
                    world.ask(at, ask);
                });
                let fed = some.into_iter().flat_map(World::quiet);
                worlds.extend(fed.map(World::in_time));
            }
            // It may come before the streams of an earlier one that nobody has answered.
            let mut some = before.clone();
            some.iter_mut().for_each(|world| {
                world.servers[at].outrun(SHARD);
                world.ask(at, ask);
            });
            worlds.extend(some);
            // They are taken in any order, up to the first that can't be.
            for follower in followers.iter().filter(|_| followers.len() > 1) {
                let mut first = before.clone();
                let ask = Ask::BecomeLeader(*term, vec![*follower]);
                first.iter_mut().for_each(|world| world.ask(at, &ask));
                let ends = first.into_iter().flat_map(World::quiet);
                worlds.extend(ends.filter(|it| matches!(it.said(), Some(Said::Refused(_)))));
            }
        }
        self.follow(worlds)?;
        let mut answers = Vec::new();
        for way in self.ways.iter().filter(|way| way.is_last) {
            let said = way.world.said().cloned();
            if !answers.contains(&said) {
                answers.push(said);
            }
        }
        Ok(answers)
    }

    /// This is what the real one said. Whether it may be.
    pub(super) fn heard(&mut self, said: &Said) -> Result<bool, TooMany> {
        let heard = (*said != Said::Nothing).then_some(said);
        let mut worlds = self.worlds();
        worlds.retain(|world| world.said() == heard);
        worlds.iter_mut().for_each(World::hang_up);
        let may = !worlds.is_empty();
        if may {
            self.follow(worlds)?;
        }
        Ok(may)
    }

    /// Whether the real ones may look like this once everything has come to rest.
    pub(super) fn may(&self, real: &[Seen; SERVERS]) -> bool {
        let mut last = self.ways.iter().filter(|way| way.is_last);
        last.any(|way| agree(&way.world.seen(), real) && way.world.clone().know(real))
    }

    /// The same, while this was or was not answered.
    pub(super) fn may_unanswered(&self, real: &[Seen; SERVERS]) -> bool {
        let mut open = self.ways.iter().filter(|way| way.world.said().is_none());
        open.any(|way| agree(&way.world.seen(), real))
    }

    /// Whether the real ones know less to be committed than is usual.
    pub(super) fn may_hear_more(&self, real: &[Seen; SERVERS]) -> bool {
        let mut ways = self.ways.iter();
        ways.all(|way| {
            let seen = way.world.seen();
            let mut pairs = seen.iter().zip(real);
            pairs.any(|pair| match pair {
                (Some(Ok(model)), Some(Ok(real))) => real.commit_offset < model.commit_offset,
                _ => false,
            })
        })
    }

    /// The real ones look like this: strikes out what disagrees.
    pub(super) fn strike(&mut self, real: &[Seen; SERVERS]) -> Result<(), TooMany> {
        let mut worlds = self.worlds();
        worlds.retain_mut(|world| agree(&world.seen(), real) && world.know(real));
        self.follow(worlds)
    }

    /// Whether a server may have so many committed entries.
    pub(super) fn has_entries(&self, at: usize, entries: i64) -> bool {
        let mut ways = self.ways.iter();
        ways.any(|way| way.world.committed(at) == entries)
    }

    /// How the model's servers may look once everything has come to rest.
    pub(super) fn looks(&self) -> Vec<[Seen; SERVERS]> {
        let mut looks = Vec::new();
        for way in self.ways.iter().filter(|way| way.is_last) {
            let seen = way.world.seen();
            if !looks.contains(&seen) {
                looks.push(seen);
            }
        }
        looks
    }

    fn worlds(&self) -> Vec<World> {
        self.ways.iter().map(|way| way.world.clone()).collect()
    }

    fn follow(&mut self, worlds: Vec<World>) -> Result<(), TooMany> {
        self.ways = Graph::of(worlds)?.ways();
        Ok(())
    }
}

/// How far a follower knows the log to be committed is a matter of time; nothing else is.
fn agree(model: &[Seen; SERVERS], real: &[Seen; SERVERS]) -> bool {
    model.iter().zip(real).all(|pair| match pair {
        (Some(Ok(model)), Some(Ok(real))) => {
            (model.term, model.role, model.head_offset) == (real.term, real.role, real.head_offset)
        }
        (model, real) => model == real,
    })
}

/// All that may follow, and what follows what by itself.
struct Graph {
    worlds: Vec<World>,
    next: Vec<Vec<usize>>,
}

impl Graph {
    fn of(first: Vec<World>) -> Result<Self, TooMany> {
        let mut graph = Self {
            worlds: Vec::new(),
            next: Vec::new(),
        };
        let mut known = HashMap::new();
        for world in first.into_iter().flat_map(World::quiet) {
            graph.add(&mut known, world);
        }
        let mut at = 0;
        while at < graph.worlds.len() {
            if at > MOST {
                return Err(TooMany);
            }
            for (world, due) in graph.worlds[at].successors() {
                let next = graph.add(&mut known, world);
                if due {
                    graph.next[at].push(next);
                }
            }
            at += 1;
        }
        Ok(graph)
    }

    fn add(&mut self, known: &mut HashMap<String, usize>, world: World) -> usize {
        let at = *known.entry(world.key()).or_insert(self.worlds.len());
        if at == self.worlds.len() {
            self.worlds.push(world);
            self.next.push(Vec::new());
        }
        at
    }

    /// Those that nothing leads out of for good are the last.
    fn ways(self) -> Vec<Way> {
        let reached: Vec<Vec<bool>> = (0..self.worlds.len()).map(|at| self.reached(at)).collect();
        let is_last = |at: usize| {
            let mut others = 0..reached.len();
            others.all(|other| !reached[at][other] || reached[other][at])
        };
        let last: Vec<bool> = (0..reached.len()).map(is_last).collect();
        let ways = self.worlds.into_iter().zip(last);
        ways.map(|(world, is_last)| Way { world, is_last })
            .collect()
    }

    fn reached(&self, from: usize) -> Vec<bool> {
        let mut reached = vec![false; self.worlds.len()];
        let mut open = vec![from];
        reached[from] = true;
        while let Some(at) = open.pop() {
            for next in &self.next[at] {
                if !reached[*next] {
                    reached[*next] = true;
                    open.push(*next);
                }
            }
        }
        reached
    }
}
