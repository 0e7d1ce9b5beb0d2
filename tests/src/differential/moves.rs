//! What happens by itself between model data servers: messages arrive, and streams are opened again.

use std::sync::Arc;

use stepdown_sandbox::replica::{Body, Message, Refusal};

use super::step::SERVERS;
use super::world::{SHARD, World};

impl World {
    /// What comes of it once nothing is on its way any more: more than one only where two send to
    /// one at the same time.
    pub(super) fn quiet(self) -> Vec<Self> {
        let (mut open, mut quiet) = (vec![self], Vec::new());
        while let Some(mut world) = open.pop() {
            match world.deliveries().as_slice() {
                [] => {
                    world.come_to_rest();
                    quiet.push(world);
                }
                [(from, to)] => {
                    world.deliver(*from, *to);
                    open.push(world);
                }
                many => open.extend(many.iter().map(|(from, to)| {
                    let mut world = world.clone();
                    world.deliver(*from, *to);
                    world
                })),
            }
        }
        quiet
    }

    /// What may come next: the oldest message, and whatever it races with.
    fn deliveries(&self) -> Vec<(usize, usize)> {
        let Some((from, to, first)) = self.network.front() else {
            return Vec::new();
        };
        let mut deliveries = vec![(*from, *to)];
        for (from, other, message) in &self.network {
            let races = other == to && !message.body.is_answer() && !first.body.is_answer();
            if races && !deliveries.contains(&(*from, *other)) {
                deliveries.push((*from, *other));
            }
        }
        deliveries
    }

    /// What may come of it if somebody tries again, and whether somebody will if nobody does
    /// anything.
    pub(super) fn successors(&self) -> Vec<(Self, bool)> {
        let mut next = Vec::new();
        for (from, to) in self.retries() {
            let mut world = self.clone();
            world.retry(from, to);
            // A deposed leader waits the longer, the more often it has failed.
            let is_due = self.servers[from].term(SHARD) >= self.servers[to].term(SHARD);
            next.extend(world.quiet().into_iter().map(|world| (world, is_due)));
        }
        next
    }

    /// Forgets the broken streams that nobody wants back, and remembers what was committed.
    fn come_to_rest(&mut self) {
        for server in &self.servers {
            let log = server.log(SHARD).map(|(_, committed)| committed);
            let told = server.status(SHARD).map(|status| status.commit_offset);
            self.most_committed = self.most_committed.max(log.max(told).unwrap_or(-1));
        }
        let Self {
            servers,
            addresses,
            broken,
            ..
        } = self;
        broken.retain(|(from, to)| {
            let mut server = servers[*from].clone();
            server.peer_connected(&addresses[*to]);
            server.poll_output().is_some()
        });
    }

    fn retries(&self) -> Vec<(usize, usize)> {
        let pairs = (0..SERVERS).flat_map(|from| (0..SERVERS).map(move |to| (from, to)));
        let reached = pairs.filter(|(from, to)| self.reaches(*from, *to));
        let due = reached.filter(|(from, to)| {
            let owes = self.servers[*from].is_owed_by(&self.addresses[*to]);
            owes || self.broken.contains(&(*from, *to))
        });
        due.collect()
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        self.up[from] && self.up[to] && !self.closed.contains(&(from, to))
    }

    fn deliver(&mut self, from: usize, to: usize) {
        let mut network = self.network.iter();
        let Some(at) = network.position(|(f, t, _)| (*f, *t) == (from, to)) else {
            return;
        };
        let Some((_, _, message)) = self.network.remove(at) else {
            return;
        };
        let connection = if message.body.is_answer() {
            (to, from)
        } else {
            (from, to)
        };
        if self.reaches(connection.0, connection.1) {
            self.servers[to].handle_message(message);
            self.collect(to);
        } else if let Body::Truncate { .. } = message.body {
            self.bounce(from, to, message);
        }
    }

    fn retry(&mut self, from: usize, to: usize) {
        let peer = Arc::clone(&self.addresses[to]);
        if self.broken.remove(&(from, to)) {
            self.servers[from].peer_connected(&peer);
        } else {
            self.servers[from].resend_to(|it| *it == *peer);
        }
        self.collect(from);
    }

    /// A call to a server that can't be reached fails at once.
    fn bounce(&mut self, from: usize, to: usize, message: Message) {
        let refusal = Refusal::ResourceUnavailable;
        let answer = Message {
            from: Arc::clone(&self.addresses[to]),
            body: Body::TruncateRefused { refusal },
            ..message
        };
        if self.up[from] {
            self.servers[from].handle_message(answer);
            self.collect(from);
        }
    }
}
