//! A lock that its holder keeps as long as the process lives.

use std::time::Duration;

use stepdown_core::Event;

use crate::sim::check::Check;
use crate::sim::world::{What, World};

/// A coordinator's wish for the lock.
#[derive(Debug, Default)]
pub struct Wish {
    wants: bool,
    /// Changes with every campaign and close, so that old ticks are told apart.
    generation: u64,
}

impl World<'_> {
    pub(super) fn want_lock(&mut self, host: usize) {
        let wish = &mut self.hosts[host].client.lock;
        wish.wants = true;
        wish.generation += 1;
        self.try_lock_in(host, Duration::ZERO);
    }

    pub(super) fn want_no_lock(&mut self, host: usize) {
        let wish = &mut self.hosts[host].client.lock;
        wish.wants = false;
        wish.generation += 1;
    }

    pub(in crate::sim) fn unlock(&mut self, host: usize) {
        if self.locked == Some((host, self.hosts[host].boot)) {
            self.locked = None;
        }
    }

    fn try_lock_in(&mut self, host: usize, delay: Duration) {
        let (boot, generation) = (
            self.hosts[host].boot,
            self.hosts[host].client.lock.generation,
        );
        let delay = self.hosts[host].clock.stretch(delay);
        self.queue.after(
            delay,
            What::LockTried {
                host,
                boot,
                generation,
            },
        );
    }

    pub(in crate::sim) fn try_lock(&mut self, host: usize, boot: u32, generation: u64) -> Check {
        let place = &self.hosts[host];
        let wish = &place.client.lock;
        if place.boot != boot || !place.is_up() || wish.generation != generation || !wish.wants {
            return Ok(());
        }
        if let Some(until) = place.paused {
            self.queue.at(
                until,
                What::LockTried {
                    host,
                    boot,
                    generation,
                },
            );
            return Ok(());
        }
        if self.locked.is_some() {
            let delay = self.chance.lease.millis(50, 500);
            self.try_lock_in(host, delay);
            return Ok(());
        }
        self.locked = Some((host, boot));
        let client = &mut self.hosts[host].client;
        client.lock.wants = false;
        client.campaigns_since = None;
        let tenure = client.tenure;
        let authority = None;
        self.deliver(host, Event::LeadershipWon { tenure, authority })
    }
}
