//! A correct coordinator over random faults never loses what was committed.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::cluster::*;
use crate::replica::*;
use stepdown_core::call::EntryId;

const MEMBERS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    /// One more write at a server that leads.
    Append(usize),
    /// A restart, with or without what was not synced.
    Crash(usize, bool),
    Deliver(usize),
    Drop(usize),
    Duplicate(usize),
    /// An election among those servers that the mask names.
    Elect(u8),
    /// A follower that missed the election.
    Join(usize),
    Resend(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any::<usize>().prop_map(Step::Deliver),
        3 => (0..3usize).prop_map(Step::Append),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => any::<usize>().prop_map(Step::Duplicate),
        2 => (1..8u8).prop_map(Step::Elect),
        1 => (0..3usize).prop_map(Step::Join),
        1 => (0..3usize, any::<bool>()).prop_map(|(at, kept)| Step::Crash(at, kept)),
        2 => (0..3usize).prop_map(Step::Resend),
    ]
}

struct World {
    cluster: Cluster,
    ghost: Ghost,
    term: i64,
    leader: Option<&'static str>,
    becoming: Option<(&'static str, Token)>,
    /// Calls whose answer the coordinator awaits.
    calls: Vec<(&'static str, Token)>,
    /// Calls whose answer nobody awaits.
    abandoned: Vec<(&'static str, Token)>,
    heads: BTreeMap<&'static str, EntryId>,
}

impl World {
    fn new() -> Self {
        Self {
            cluster: Cluster::new(&MEMBERS),
            ghost: Ghost::default(),
            term: 0,
            leader: None,
            becoming: None,
            calls: Vec::new(),
            abandoned: Vec::new(),
            heads: BTreeMap::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append(at) => {
                self.cluster
                    .begin(MEMBERS[*at], Request::Append { shard: SHARD });
            }
            Step::Crash(at, kept) => {
                self.crash(MEMBERS[*at], if *kept { Tail::Kept } else { Tail::Lost });
            }
            Step::Deliver(at) => {
                if let Some((to, message)) = self.pick(*at) {
                    self.cluster.deliver(&to, message);
                }
            }
            Step::Drop(at) => {
                self.pick(*at);
            }
            Step::Duplicate(at) => {
                if let Some(picked) = self.pick(*at) {
                    self.cluster.network.push_back(picked.clone());
                    self.cluster.network.push_back(picked);
                }
            }
            Step::Elect(mask) => self.elect(*mask),
            Step::Join(at) => self.join(MEMBERS[*at]),
            Step::Resend(at) => {
                self.cluster.server(MEMBERS[*at]).resend();
                self.cluster.collect(MEMBERS[*at]);
            }
        }
        self.check();
    }

    /// A crash between handling a message and making it durable.
    fn crash(&mut self, name: &'static str, tail: Tail) {
        let network = &mut self.cluster.network;
        let at = network.iter().position(|(to, _)| to == name);
        let message = at.and_then(|at| network.remove(at));
        let server = self.cluster.server(name);
        if let Some((_, message)) = message {
            server.handle_message(message);
        }
        server.restart(tail);
        self.break_streams(name);
    }

    /// Every stream of a server ends.
    fn break_streams(&mut self, name: &str) {
        for other in MEMBERS {
            self.cluster.server(other).peer_disconnected(name);
        }
    }

    fn pick(&mut self, at: usize) -> Option<(String, Message)> {
        let len = self.cluster.network.len();
        (len > 0).then(|| self.cluster.network.remove(at % len))?
    }

    fn fence(&mut self, name: &'static str) -> Option<EntryId> {
        let token = self.cluster.begin(name, new_term(self.term));
        match self.cluster.replies.get(&token) {
            Some(Ok(Reply::Fenced(head))) => Some(*head),
            Some(_) => None,
            // It waits behind an older BecomeLeader: our time is up.
            None => {
                self.cluster.server(name).cancel(token);
                None
            }
        }
    }

    fn elect(&mut self, mask: u8) {
        self.hang_up();
        self.term += 1;
        self.leader = None;
        let asked = MEMBERS.iter().enumerate();
        let asked = asked.filter(|(at, _)| mask & (1 << at) != 0);
        let heads: BTreeMap<&'static str, EntryId> = asked
            .filter_map(|(_, name)| Some((*name, self.fence(name)?)))
            .collect();
        if heads.len() < 2 {
            return;
        }
        let (winner, _) = heads.iter().max_by_key(|(_, head)| **head).unwrap();
        // One without a log would write from offset 0 again, whatever it was fed.
        let fed = |name| {
            self.cluster.servers[name]
                .log(SHARD)
                .is_some_and(|(_, at)| at >= 0)
        };
        if heads[winner] == EntryId::NONE && MEMBERS.iter().any(|name| fed(*name)) {
            return;
        }
        let followers: Vec<(&str, EntryId)> = heads
            .iter()
            .filter(|(name, _)| *name != winner)
            .map(|(name, head)| (*name, *head))
            .collect();
        let token = self
            .cluster
            .begin(winner, become_leader(self.term, &followers));
        self.leader = Some(winner);
        self.becoming = Some((winner, token));
        self.calls.push((winner, token));
        self.heads = heads;
    }

    /// Ends every call of the last election.
    fn hang_up(&mut self) {
        self.becoming = None;
        for (name, token) in std::mem::take(&mut self.calls) {
            self.cluster.server(name).cancel(token);
            self.cluster.collect(name);
            self.abandoned.push((name, token));
        }
    }

    fn join(&mut self, name: &'static str) {
        let Some(leader) = self.leader else { return };
        if name == leader || self.heads.contains_key(name) {
            return;
        }
        if let Some(head) = self.fence(name) {
            self.heads.insert(name, head);
            let token = self
                .cluster
                .begin(leader, add_follower(self.term, name, head));
            self.calls.push((leader, token));
        }
    }

    fn check(&mut self) {
        for name in MEMBERS {
            self.ghost
                .observe(&self.cluster.servers[name], SHARD)
                .unwrap();
        }
    }

    /// The network heals, and elections are held until one succeeds: each takes no more than one
    /// diverging term off a follower's log.
    fn heal(&mut self) -> Option<Outcome> {
        let mut outcome = None;
        // One whose log can't be truncated keeps the others from being led: it is left out.
        for mask in [0b111, 0b111, 0b111, 0b111, 0b011, 0b101, 0b110] {
            outcome = self.elect_these(mask);
            if outcome == Some(Ok(Reply::BecameLeader)) {
                break;
            }
        }
        outcome
    }

    fn elect_these(&mut self, mask: u8) -> Option<Outcome> {
        self.hang_up();
        for (name, token) in std::mem::take(&mut self.abandoned) {
            self.cluster.server(name).expire(token);
            self.cluster.collect(name);
        }
        self.cluster.network.clear();
        for name in MEMBERS {
            self.break_streams(name);
        }
        self.elect(mask);
        let (leader, token) = self.becoming?;
        self.cluster.deliver_all();
        self.cluster.server(leader).resend();
        self.cluster.collect(leader);
        self.cluster.deliver_all();
        self.check();
        let outcome = self.cluster.replies.get(&token).cloned();
        if outcome == Some(Ok(Reply::BecameLeader)) {
            self.cluster.append(leader, 1);
            self.check();
        }
        outcome
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn no_committed_entry_is_ever_lost(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new();
        world.run(&Step::Elect(0b111));
        for step in &steps {
            world.run(step);
        }
        let outcome = world.heal();
        // Nobody may lead where nobody has a log any more.
        prop_assume!(outcome.is_some());
        prop_assert_eq!(outcome, Some(Ok(Reply::BecameLeader)));
    }
}

#[test]
fn the_ghost_notices_a_leader_without_the_quorums_entries() {
    let mut world = World::new();
    world.run(&Step::Elect(0b111));
    world.cluster.deliver_all();
    let leader = world.leader.unwrap();
    world.cluster.append(leader, 2);
    world.check();
    let mut fresh = Cluster::new(&["d"]);
    fresh.ask("d", new_term(9));
    fresh.ask("d", become_leader_of(1, 9, &[]));
    assert!(world.ghost.observe(&fresh.servers["d"], SHARD).is_err());
}
