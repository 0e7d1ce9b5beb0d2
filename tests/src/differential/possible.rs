//! Every way in which things may have gone at the model servers, so far as was seen of the real
//! ones.
//!
//! Real servers do much by themselves, at times of their own. So the model is not run beside them
//! once but in every order of deliveries and repeats, and each thing that the real ones say strikes
//! out the ways that disagree. What is left must not be nothing.

use std::collections::HashMap;
use std::sync::Arc;

use stepdown_core::call::ReplicaRole;

use super::step::{Ask, SERVERS, Said, Seen};
use super::world::World;

/// More ways than this are not followed.
const MOST: usize = 1_000;

/// Every way in which things may have gone.
#[derive(Clone, Debug)]
pub(super) struct Possible {
    worlds: Vec<World>,
}

/// There are too many ways in which things may have gone.
#[derive(Debug)]
pub(super) struct TooMany;

/// What may be said of a call.
pub(super) struct Expected {
    /// The answers, each once, where everything has come to rest.
    pub(super) at_rest: Vec<Option<Said>>,
}

impl Possible {
    pub(super) fn new(addresses: [Arc<str>; SERVERS]) -> Self {
        Self {
            worlds: vec![World::new(addresses)],
        }
    }

    /// Does something to all of them.
    pub(super) fn each(&mut self, mut work: impl FnMut(&mut World)) {
        self.worlds.iter_mut().for_each(&mut work);
    }

    /// Asks a server, at any time.
    pub(super) fn ask(&mut self, at: usize, ask: &Ask) -> Result<Expected, TooMany> {
        let before = Graph::of(&self.worlds)?.worlds;
        let mut worlds = before.clone();
        worlds.iter_mut().for_each(|world| world.ask(at, ask));
        if let Ask::BecomeLeader(term, followers) = ask {
            // They are taken in any order, up to the first that can't be.
            for follower in followers.iter().filter(|_| followers.len() > 1) {
                let mut first = before.clone();
                let ask = Ask::BecomeLeader(*term, vec![*follower]);
                first.iter_mut().for_each(|world| world.ask(at, &ask));
                let refused = |it: &World| matches!(it.said(), Some(Said::Refused(_)));
                let ends = Graph::of(&first)?.worlds;
                worlds.extend(ends.into_iter().filter(refused));
            }
        }
        let graph = Graph::of(&worlds)?;
        let mut at_rest: Vec<Option<Said>> = Vec::new();
        for world in graph.at_rest() {
            let said = world.said().cloned();
            if !at_rest.contains(&said) {
                at_rest.push(said);
            }
        }
        self.worlds = graph.worlds;
        Ok(Expected { at_rest })
    }

    /// This is what the real one said. Whether it may be.
    pub(super) fn heard(&mut self, said: &Said) -> bool {
        let may = |world: &World| match world.said() {
            Some(model) => model == said,
            None => *said == Said::Nothing,
        };
        if !self.worlds.iter().any(may) {
            return false;
        }
        self.worlds.retain(may);
        self.worlds.iter_mut().for_each(World::hang_up);
        true
    }

    /// How the model's servers may look once everything has come to rest.
    pub(super) fn rest(&mut self) -> Result<Vec<[Seen; SERVERS]>, TooMany> {
        let graph = Graph::of(&self.worlds)?;
        let mut looks = Vec::new();
        self.worlds = graph.at_rest();
        for world in &self.worlds {
            let seen = world.seen();
            if !looks.contains(&seen) {
                looks.push(seen);
            }
        }
        Ok(looks)
    }

    /// The real ones look like this: strikes out what disagrees.
    pub(super) fn strike(&mut self, real: &[Seen; SERVERS]) {
        self.worlds.retain(|world| agree(&world.seen(), real));
    }

    /// Whether a server may have so many committed entries.
    pub(super) fn has_entries(&self, at: usize, entries: i64) -> bool {
        let mut worlds = self.worlds.iter();
        worlds.any(|world| world.committed(at) == entries)
    }
}

/// How far a follower knows the log to be committed is a matter of time; nothing else is.
pub(super) fn agree(model: &[Seen; SERVERS], real: &[Seen; SERVERS]) -> bool {
    model.iter().zip(real).all(|pair| match pair {
        (Some(Ok(model)), Some(Ok(real))) => {
            let alike = (model.term, model.role, model.head_offset)
                == (real.term, real.role, real.head_offset);
            let leads = model.role == ReplicaRole::Leader;
            alike && (!leads || model.commit_offset == real.commit_offset)
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
    fn of(first: &[World]) -> Result<Self, TooMany> {
        let mut graph = Self {
            worlds: Vec::new(),
            next: Vec::new(),
        };
        let mut known = HashMap::new();
        for world in first {
            graph.add(&mut known, world.clone());
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

    /// Those that nothing leads out of for good.
    fn at_rest(&self) -> Vec<World> {
        let quiet = (0..self.worlds.len()).filter(|at| self.worlds[*at].is_quiet());
        let lasting = quiet.filter(|at| {
            let reached = self.reached(*at);
            (0..reached.len()).all(|other| !reached[other] || self.reached(other)[*at])
        });
        lasting.map(|at| self.worlds[at].clone()).collect()
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
