//! The links between coordinators and data servers, and between data servers.

use std::time::Duration;

use super::chance::Stream;
use super::clock::At;

/// The longest that anything is on its way where the network is well.
pub const SLOWEST: Duration = Duration::from_millis(2);

/// Every link.
#[derive(Debug)]
pub struct Network {
    links: Vec<Vec<Link>>,
    peers: Vec<Vec<At>>,
}

/// The faults of one link between a coordinator and a data server, each with its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    pub requests_cut: At,
    pub answers_cut: At,
    pub lossy: (At, u32),
    pub slow: (At, Duration),
    pub duplicates: (At, u32),
}

impl Network {
    pub fn new(coordinators: usize, servers: usize) -> Self {
        Self {
            links: vec![vec![Link::default(); servers]; coordinators],
            peers: vec![vec![At(0); servers]; servers],
        }
    }

    pub fn link(&mut self, coordinator: usize, server: usize) -> &mut Link {
        &mut self.links[coordinator][server]
    }

    pub fn cut_peers(&mut self, one: usize, other: usize, until: At) {
        self.peers[one][other] = until;
        self.peers[other][one] = until;
    }

    /// How long a message between data servers takes, unless it is lost.
    pub fn peer_delay(
        &self,
        from: usize,
        to: usize,
        now: At,
        chance: &mut Stream,
    ) -> Option<Duration> {
        (now >= self.peers[from][to]).then(|| chance.micros(100, 2_000))
    }

    pub fn is_cut(&self, from: usize, to: usize, now: At) -> bool {
        now < self.peers[from][to]
    }

    pub fn heal(&mut self) {
        for link in self.links.iter_mut().flatten() {
            *link = Link::default();
        }
        for until in self.peers.iter_mut().flatten() {
            *until = At(0);
        }
    }
}

impl Link {
    /// How long a request takes to arrive, unless it is lost.
    pub fn request_delay(&self, now: At, chance: &mut Stream) -> Option<Duration> {
        self.delay(now, self.requests_cut, chance)
    }

    /// How long an answer takes to arrive, unless it is lost.
    pub fn answer_delay(&self, now: At, chance: &mut Stream) -> Option<Duration> {
        self.delay(now, self.answers_cut, chance)
    }

    pub fn duplicates(&self, now: At, chance: &mut Stream) -> bool {
        now < self.duplicates.0 && chance.percent(self.duplicates.1)
    }

    fn delay(&self, now: At, cut: At, chance: &mut Stream) -> Option<Duration> {
        if now < cut || now < self.lossy.0 && chance.percent(self.lossy.1) {
            return None;
        }
        Some(self.slowness(now, chance))
    }

    /// How long takes what is not lost.
    pub fn slowness(&self, now: At, chance: &mut Stream) -> Duration {
        let slow = if now < self.slow.0 {
            chance.between(Duration::ZERO, self.slow.1)
        } else {
            Duration::ZERO
        };
        slow + chance.micros(100, 2_000)
    }
}
