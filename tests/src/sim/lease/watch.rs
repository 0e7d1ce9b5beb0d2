//! The watch of the lease: late, repeated, out of order, now and then silent; some clusters have
//! none, since they are not allowed to.

use std::time::Duration;

use stepdown_core::lease::LeaseEvent;

use crate::sim::world::{What, World};

impl World<'_> {
    /// Shows every coordinator what the lease is now.
    pub(super) fn show_lease(&mut self) {
        if !self.plan.watched || self.queue.now() < self.lease.unwatched {
            return;
        }
        for host in 0..self.hosts.len() {
            let chance = &mut self.chance.lease;
            let delay = chance.millis(1, 50);
            match chance.below(20) {
                0 if !self.healed => {}
                1 if !self.healed => {
                    let again = self.chance.lease.millis(50, 10_000);
                    self.tell_later(host, delay, LeaseEvent::LeaseObserved(None));
                    self.show_to(host, again);
                }
                2 if !self.healed => {
                    let again = self.chance.lease.millis(50, 10_000);
                    self.show_to(host, delay);
                    self.show_to(host, again);
                }
                _ => self.show_to(host, delay),
            }
        }
    }

    /// A watch that has begun or ended says nothing of what it missed.
    pub(in crate::sim) fn hint_at_lease(&mut self) {
        for host in 0..self.hosts.len() {
            let delay = self.chance.lease.millis(0, 1_000);
            self.tell_later(host, delay, LeaseEvent::LeaseHinted);
        }
    }

    fn show_to(&mut self, host: usize, delay: Duration) {
        let event = LeaseEvent::LeaseObserved(self.lease.lease.clone());
        self.tell_later(host, delay, event);
    }

    fn tell_later(&mut self, host: usize, delay: Duration, event: LeaseEvent) {
        let told = What::LeaseTold(host, self.hosts[host].boot, Box::new(event));
        self.queue.after(delay, told);
    }
}
